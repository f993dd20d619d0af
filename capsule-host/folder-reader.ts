import { PACKAGE_DEPTH_MAX, PACKAGE_FILES_MAX, PACKAGE_FOLDERS_MAX } from './constants.ts'
import { CapsuleError } from './errors.ts'
import type { PackageFile, PackageReader } from './package.ts'
import type { HostPowers } from './powers.ts'

/**
 * Reads a package from a folder of the author's own, before it is signed. What starts with a dot is left out, as when
 * it is added, and so are installed packages; links are never followed.
 *
 * @param leftOut - a folder directly in it that is no part of the package, such as what its image was made of
 */
export function createFolderReader(
  powers: Pick<HostPowers, 'listFolder' | 'fileBytes' | 'readFile'>,
  folder: string,
  leftOut?: string
): PackageReader {
  return {
    list: (options) => listFiles(powers, folder, { ...options, leftOut }),
    read: async (path, { bytesMax, signal }) => {
      signal.throwIfAborted()
      const isInside = path.split('/').every((part) => part !== '' && !isLeftOut(part))
      const size = isInside ? await powers.fileBytes(`${folder}/${path}`) : undefined
      if (size === undefined)
        throw new CapsuleError('ERR_PACKAGE_INVALID', `expected the file ${path}, got none`)
      if (size > bytesMax) {
        throw new CapsuleError(
          'ERR_PACKAGE_TOO_LARGE',
          `expected ${path} to have at most ${bytesMax} bytes, got ${size}`
        )
      }
      const bytes = await powers.readFile(`${folder}/${path}`, size)
      if (bytes?.byteLength !== size) {
        throw new CapsuleError('ERR_PACKAGE_INVALID', `expected ${path} to stay as it is while it is read`)
      }
      return bytes
    }
  }
}

async function* listFiles(
  powers: Pick<HostPowers, 'listFolder' | 'fileBytes'>,
  folder: string,
  { signal, leftOut }: { signal: AbortSignal; leftOut: string | undefined }
): AsyncGenerator<PackageFile> {
  const open = ['']
  let folders = 0
  let files = 0
  for (let inside = open.pop(); inside !== undefined; inside = open.pop()) {
    signal.throwIfAborted()
    if (++folders > PACKAGE_FOLDERS_MAX || inside.split('/').length > PACKAGE_DEPTH_MAX) throw tooMany()
    for (const entry of await powers.listFolder(`${folder}/${inside}`)) {
      if (isLeftOut(entry.name)) continue
      const path = `${inside}${entry.name}`
      if (entry.type === 'folder' && path !== leftOut) open.push(`${path}/`)
      if (entry.type !== 'file') continue
      if (++files > PACKAGE_FILES_MAX) throw tooMany()
      yield { path, bytes: (await powers.fileBytes(`${folder}/${path}`)) ?? 0 }
    }
  }
}

/** Version control, an editor's settings and installed packages are no part of a capsule. */
function isLeftOut(name: string): boolean {
  return name.startsWith('.') || name === 'node_modules'
}

function tooMany(): CapsuleError {
  return new CapsuleError(
    'ERR_PACKAGE_TOO_LARGE',
    `expected at most ${PACKAGE_FILES_MAX} files in ${PACKAGE_FOLDERS_MAX} folders, ${PACKAGE_DEPTH_MAX} deep`
  )
}
