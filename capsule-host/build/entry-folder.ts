import { CapsuleError } from '../errors.ts'
import type { HostPowers } from '../powers.ts'

/**
 * Makes the folder that a package's entry is built into.
 *
 * @param folder - the package, absolute, links followed
 * @param entry - its path in the package
 * @throws CapsuleError `ERR_PACKAGE_INVALID` when a link is on the way
 */
export async function makeEntryFolder(
  powers: Pick<HostPowers, 'makeFolder' | 'resolvePath'>,
  folder: string,
  entry: string
): Promise<void> {
  let path = folder
  for (const name of entry.split('/').slice(0, -1)) {
    path = `${path}/${name}`
    if ((await powers.resolvePath(path)) === undefined) await powers.makeFolder(path, { isShared: true })
    await refuseLink(powers, path)
  }
}

/**
 * Nobody who builds a stranger's package means to publish what a link in it leads to, or to write there.
 *
 * @throws CapsuleError `ERR_PACKAGE_INVALID`
 */
export async function refuseLink(powers: Pick<HostPowers, 'resolvePath'>, path: string): Promise<void> {
  if ((await powers.resolvePath(path)) === path) return
  const name = path.slice(path.lastIndexOf('/') + 1)
  throw new CapsuleError('ERR_PACKAGE_INVALID', `expected ${name} to be a folder in the package and no link`)
}
