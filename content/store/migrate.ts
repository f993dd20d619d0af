import { join } from 'node:path'
import { errorCode, errorMessage } from '#contracts'
import type { Logger } from '#contracts'
import { cidFromBlockKey, matchesCid } from '../cid.ts'
import { BLOCK_BYTES_MAX } from '../constants.ts'
import { ContentError } from '../errors.ts'
import type { BlockStore } from '../block-store.ts'
import type { FilePowers } from '../files.ts'

/** What the folder says of its layout; another text is another layout. */
const LAYOUT = 'elastos-blocks/2\n'
/** One file a block, `ab/<multihash in base32>`, where `ab` are the two letters before the last. */
const FILE_LAYOUT = 'elastos-blocks/1\n'
const SHARD = /^[a-z2-7]{2}$/
const NAMES_MAX = 10_000_000

/**
 * Makes the folder of a store, or checks that it is one this version can read.
 *
 * @throws ContentError `ERR_STORE_VERSION`, and what the operating system throws
 */
export async function prepareFolder(files: FilePowers, folder: string): Promise<void> {
  await files.makeFolders(join(folder, 'packs'), 0o700)
  const path = join(folder, 'LAYOUT')
  const found = await files.readFile(path, LAYOUT.length * 4)
  const text = found === undefined ? '' : new TextDecoder().decode(found)
  if (text === LAYOUT) return
  if (text !== '' && text !== FILE_LAYOUT) {
    throw new ContentError('ERR_STORE_VERSION', `expected layout ${LAYOUT.trim()} in ${path}`)
  }
  const temporary = `${path}.new`
  await files.removeFile(temporary)
  await files.writeNewFile(temporary, new TextEncoder().encode(LAYOUT), 0o600)
  // Garbled by a power cut it would keep the store from ever opening again.
  await files.flush(temporary)
  await files.rename(temporary, path)
  await files.flush(folder)
}

/** What is no block, as opposed to one that a failing disk or a lack of file handles hides for now. */
const NO_BLOCK: ReadonlySet<string | undefined> = new Set(['EFBIG', 'EISDIR', 'ELOOP'])

/**
 * Takes over the blocks of the layout before, a folder at a time: its blocks are on the disk in packs before it is
 * removed, so that stopping at any moment loses nothing and the next start goes on. A folder with a block that cannot
 * be read now stays for the next start.
 *
 * @throws ContentError `ERR_DISK_FULL`, `ERR_STORE_IO`
 */
export async function adoptFiles(
  { files, folder, logger }: { files: FilePowers; folder: string; logger: Logger },
  store: BlockStore
): Promise<void> {
  const names = await namesIn(files, folder)
  const shards = names.filter((name) => SHARD.test(name))
  if (shards.length === 0) return
  logger.info('taking over the blocks of an older layout', { folder })
  for (const shard of shards) {
    const path = join(folder, shard)
    let failure: unknown
    for (const name of await namesIn(files, path)) {
      const thrown = await adoptFile({ files, path: join(path, name), name, store })
      failure ??= thrown
    }
    await store.flush()
    if (failure === undefined) await files.removeTree(path)
    else logger.error('could not read a block of an older layout', { path, reason: errorMessage(failure) })
  }
  await files.removeTree(join(folder, 'tmp'))
}

/** Resolves with why a block could not be read, if so. */
async function adoptFile(o: {
  files: FilePowers
  path: string
  name: string
  store: BlockStore
}): Promise<unknown> {
  const cid = cidFromBlockKey(o.name)
  if (cid === undefined) return undefined
  let bytes: Uint8Array | undefined
  try {
    bytes = await o.files.readFile(o.path, BLOCK_BYTES_MAX)
  } catch (thrown) {
    return NO_BLOCK.has(errorCode(thrown)) ? undefined : thrown
  }
  // A corrupt one would have been removed when it was read.
  if (bytes === undefined || !matchesCid(cid, bytes)) return undefined
  await o.store.put(cid, bytes, { durable: true, isVerified: true })
  return undefined
}

async function namesIn(files: FilePowers, folder: string): Promise<string[]> {
  const names = await files.listNames(folder, NAMES_MAX)
  return names.map((name) => new TextDecoder().decode(name))
}
