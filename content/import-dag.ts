import * as dagPb from '@ipld/dag-pb'
import { UnixFS } from 'ipfs-unixfs'
import { importer } from 'ipfs-unixfs-importer'
import type { CID } from 'multiformats/cid'
import { cidOf, DAG_PB_CODEC, RAW_CODEC } from './cid.ts'
import { ADD_BLOCKS_PARALLEL, CHUNK_BYTES, FOLDER_BLOCK_BYTES_MAX } from './constants.ts'
import { ContentError } from './errors.ts'
import type { ImporterOptions, ImportResult, WritableStorage } from 'ipfs-unixfs-importer'
import type { BlockStore } from './block-store.ts'

/** The root of a DAG just written. */
export interface Imported {
  readonly cid: CID
  /** Bytes of all its blocks, as a folder's link to it states. */
  readonly dagBytes: bigint
}

/** A child of a folder to write. */
export interface NamedImport extends Imported {
  readonly name: string
}

/**
 * The `unixfs-v1-2025` profile of IPIP-499: CIDv1, raw leaves of 1 MiB, balanced with 1024 links a node, folders
 * sharded (HAMT, 256 slots) when their block would exceed 256 KiB. Kubo with that profile gives the same CIDs.
 */
function profile(): ImporterOptions {
  return { profile: 'unixfs-v1-2025', blockWriteConcurrency: ADD_BLOCKS_PARALLEL, fileImportConcurrency: 1 }
}

function durably(store: BlockStore, onStored?: (bytes: Uint8Array) => void): WritableStorage {
  return {
    put: async (cid, bytes) => {
      if (!(bytes instanceof Uint8Array)) throw new TypeError('expected the importer to put whole blocks')
      // The importer has hashed these very bytes to make the CID.
      await store.put(cid, bytes, { durable: true, isVerified: true })
      onStored?.(bytes)
      return cid
    }
  }
}

async function lastOf(results: AsyncIterable<ImportResult>): Promise<Imported> {
  let last: ImportResult | undefined
  for await (const result of results) last = result
  if (last === undefined) throw new ContentError('ERR_DAG_MALFORMED', 'expected the importer to write a root')
  return { cid: last.cid, dagBytes: last.size }
}

/**
 * Writes a file's blocks; holds a few leaves in memory whatever its size.
 *
 * @param onStored - told of every block of a large file once nobody needs its memory any more; a leaf is the memory
 *   of the chunk that it came in when that is just as long
 */
export async function importFile(
  content: AsyncIterable<Uint8Array>,
  store: BlockStore,
  onStored?: (bytes: Uint8Array) => void
): Promise<Imported> {
  const source = content[Symbol.asyncIterator]()
  try {
    const head: Uint8Array[] = []
    for (let bytes = 0; bytes <= CHUNK_BYTES;) {
      const next = await source.next()
      if (next.done === true) return await importLeaf(head, store)
      bytes += next.value.length
      head.push(next.value)
    }
    const all = chained(head, source)
    return await lastOf(importer([{ content: all }], durably(store, onStored), profile()))
  } finally {
    await source.return?.()
  }
}

/** Most files are one leaf, and a leaf is the file: no tree, and none of the importer's machinery. */
async function importLeaf(chunks: readonly Uint8Array[], store: BlockStore): Promise<Imported> {
  const [only] = chunks
  const bytes = only !== undefined && chunks.length === 1 ? only : Buffer.concat(chunks)
  const cid = cidOf(RAW_CODEC, bytes)
  await store.put(cid, bytes, { durable: true, isVerified: true })
  return { cid, dagBytes: BigInt(bytes.length) }
}

async function* chained(
  head: readonly Uint8Array[],
  rest: AsyncIterator<Uint8Array>
): AsyncGenerator<Uint8Array> {
  yield* head
  for (let next = await rest.next(); next.done !== true; next = await rest.next()) yield next.value
}

/** Writes the block of a symbolic link. */
export async function importLink(target: string, store: BlockStore): Promise<Imported> {
  return await lastOf(importer([{ path: 'link', link: target }], durably(store), profile()))
}

/** Writes the block, or the shards, of a folder whose entries have been written. */
export async function importFolder(entries: readonly NamedImport[], store: BlockStore): Promise<Imported> {
  const flat = encodeFolder(entries)
  if (flat.length > FOLDER_BLOCK_BYTES_MAX) return await importShards(entries, store)
  const cid = cidOf(DAG_PB_CODEC, flat)
  await store.put(cid, flat, { durable: true, isVerified: true })
  return { cid, dagBytes: entries.reduce((sum, { dagBytes }) => sum + dagBytes, BigInt(flat.length)) }
}

function encodeFolder(entries: readonly NamedImport[]): Uint8Array {
  const links = entries.map(({ name, cid, dagBytes }) => ({ Name: name, Hash: cid, Tsize: Number(dagBytes) }))
  const data = new UnixFS({ type: 'directory' }).marshal()
  // `prepare` sorts the links by the bytes of their names, as dag-pb demands.
  return dagPb.encode(dagPb.prepare({ Data: data, Links: links }))
}

async function importShards(entries: readonly NamedImport[], store: BlockStore): Promise<Imported> {
  const options = profile()
  // The entries are DAGs already: the builder hands them on, and the tree builder makes the one folder. With no
  // threshold it need not measure the folder anew at each entry.
  options.dagBuilder = async function* () {
    for (const { name, cid, dagBytes } of entries) {
      yield async () => await Promise.resolve({ cid, path: name, size: dagBytes })
    }
  }
  options.wrapWithDirectory = true
  options.shardSplitThresholdBytes = 0
  return await lastOf(importer([], durably(store), options))
}
