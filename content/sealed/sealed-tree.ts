import type { CID } from 'multiformats/cid'
import { ContentError } from '../errors.ts'
import { importFile } from '../import-dag.ts'
import { readTree } from '../tree-reader.ts'
import { ENTRIES_MAX } from '../constants.ts'
import type { BlockStore } from '../block-store.ts'
import type { TreeEvent } from '../tree-reader.ts'
import { decodeArchive, encodeArchive, type ArchiveInit } from './archive.ts'
import { openRecords, sealRecords, type SealInit } from './records.ts'

/**
 * Writes a tree whose blocks are here as one file that says nothing without its key but how large it is.
 *
 * @throws whatever `fetch` and the store throw
 */
export async function sealTree(
  root: CID,
  o: SealInit & { readonly store: BlockStore; readonly fetch: (cid: CID) => Promise<Uint8Array> }
): Promise<CID> {
  const tree = readTree(root, {
    fetch: o.fetch,
    platform: '',
    bytesMax: Infinity,
    entriesMax: ENTRIES_MAX,
    withData: true
  })
  const { cid } = await importFile(sealRecords(encodeArchive(tree), o), o.store)
  return cid
}

/**
 * The tree inside of a sealed file.
 *
 * @throws ContentError `ERR_SEALED_KEY`, `ERR_SEALED_INVALID`, `ERR_PATH_UNSAFE`, `ERR_CONTENT_TOO_LARGE`, and whatever
 *   `file` throws
 */
export async function* openTree(
  file: AsyncIterable<TreeEvent>,
  init: ArchiveInit & { readonly key: Uint8Array }
): AsyncGenerator<TreeEvent> {
  yield* decodeArchive(openRecords(dataOf(file), init.key), init)
}

async function* dataOf(file: AsyncIterable<TreeEvent>): AsyncGenerator<Uint8Array> {
  for await (const event of file) {
    if (event.kind === 'data') yield event.bytes
    else if (event.kind !== 'file')
      throw new ContentError('ERR_SEALED_INVALID', 'expected sealed content: it is no file')
  }
}
