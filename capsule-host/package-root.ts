import type { CID } from 'multiformats/cid'
import { CapsuleError } from './errors.ts'

/**
 * The root that a package has wherever it is added: UnixFS in the `unixfs-v1-2025` profile of IPIP-499, as content has it.
 *
 * @param files - by path
 * @throws CapsuleError `ERR_PACKAGE_INVALID` for one without files
 */
export async function packageRoot(files: ReadonlyMap<string, Uint8Array>): Promise<CID> {
  // Only what ships is named without being added, and not before the first capsule runs.
  const { importer } = await import('ipfs-unixfs-importer')
  const entries = [...files].map(([path, content]) => ({ path, content }))
  // Of each block only its name counts.
  const nowhere = { put: async (cid: CID): Promise<CID> => await Promise.resolve(cid) }
  let root: CID | undefined
  const options = { profile: 'unixfs-v1-2025', wrapWithDirectory: true } as const
  for await (const { cid } of importer(entries, nowhere, options)) root = cid
  if (root === undefined || entries.length === 0) {
    throw new CapsuleError('ERR_PACKAGE_INVALID', 'expected a package with files in it')
  }
  return root
}
