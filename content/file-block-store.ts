import { join } from 'node:path'
import type { CID } from 'multiformats/cid'
import type { Logger } from '#contracts'
import { checkBlock } from './block-store.ts'
import { blockKey, checkCid, cidFromBlockKey, inlineBlock, matchesCid } from './cid.ts'
import { BLOCK_BYTES_MAX, FLUSH_PARALLEL, SHARD_NAMES_MAX, UNFLUSHED_BLOCKS_MAX } from './constants.ts'
import { ContentError } from './errors.ts'
import { fileError } from './files.ts'
import { forEachParallel } from './parallel.ts'
import type { BlockFound, BlockStore, BlockToPut, PutOptions } from './block-store.ts'
import type { FilePowers } from './files.ts'

/** What the folder says of its layout; another text is another layout. */
const LAYOUT = 'elastos-blocks/1\n'
const SHARD = /^[a-z2-7]{2}$/

/** What the file block store works with. */
export interface FileBlockStoreComponents {
  files: FilePowers
  /** Made when it is missing, `0700`; this store is its only user. */
  folder: string
  logger: Logger
}

/**
 * Opens blocks kept as one file each, `ab/<multihash in base32>` where `ab` are the two letters before the last.
 *
 * A file is written under `tmp/` and renamed, so that a reader or a crash never meets half of one; what is left
 * in `tmp/` is removed here. Reads hash: a truncated or flipped file is removed and reported.
 *
 * @throws ContentError `ERR_STORE_VERSION`, `ERR_STORE_IO`, `ERR_PATH_DENIED`, `ERR_DISK_FULL`
 */
export async function openFileBlockStore(components: FileBlockStoreComponents): Promise<BlockStore> {
  const { files, folder } = components
  try {
    await files.makeFolders(folder, 0o700)
    await files.removeTree(join(folder, 'tmp'))
    await files.makeFolder(join(folder, 'tmp'), 0o700)
    await checkLayout(files, folder)
  } catch (thrown) {
    throw fileError(thrown, `cannot open the block store ${folder}`)
  }
  return new FileBlockStore(components)
}

async function checkLayout(files: FilePowers, folder: string): Promise<void> {
  const path = join(folder, 'LAYOUT')
  const found = await files.readFile(path, LAYOUT.length * 4)
  if (found !== undefined && found.length > 0) {
    const text = new TextDecoder().decode(found)
    if (text === LAYOUT) return
    throw new ContentError('ERR_STORE_VERSION', `expected layout ${LAYOUT.trim()} in ${path}`)
  }
  const temporary = join(folder, 'tmp', 'layout')
  await files.writeNewFile(temporary, new TextEncoder().encode(LAYOUT), 0o600)
  await files.rename(temporary, path)
}

class FileBlockStore implements BlockStore {
  readonly #files: FilePowers
  readonly #folder: string
  readonly #logger: Logger
  /** Shard folders known to exist. */
  readonly #shards = new Set<string>()
  /** Files that a flush must force to the disk, each with its shard. */
  #unflushed = new Map<string, string>()
  #flushing: Promise<void> = Promise.resolve()
  #temporaryCount = 0

  constructor({ files, folder, logger }: FileBlockStoreComponents) {
    this.#files = files
    this.#folder = folder
    this.#logger = logger
  }

  async has(cid: CID): Promise<boolean> {
    if (inlineBlock(cid) !== undefined) return true
    try {
      return (await this.#files.facts(this.#place(cid).path)) !== undefined
    } catch (thrown) {
      throw fileError(thrown, 'cannot look for a block')
    }
  }

  async get(cid: CID): Promise<Uint8Array | undefined> {
    checkCid(cid)
    const inline = inlineBlock(cid)
    if (inline !== undefined) return inline
    const { path } = this.#place(cid)
    const bytes = await this.#read(path)
    if (bytes === undefined || (bytes !== 'oversized' && matchesCid(cid, bytes))) return bytes
    this.#logger.warn('removed a corrupt block', { cid: cid.toString() })
    await this.#remove(path)
    throw new ContentError('ERR_BLOCK_CORRUPT', `block ${cid.toString()} was corrupt on disk and is removed`)
  }

  async put(cid: CID, bytes: Uint8Array, options: PutOptions = {}): Promise<void> {
    const { durable = false, isVerified = false } = options
    checkBlock(cid, bytes, isVerified)
    if (inlineBlock(cid) !== undefined) return
    const { shard, path } = this.#place(cid)
    const known = await this.#read(path)
    if (known === undefined || known === 'oversized' || Buffer.compare(known, bytes) !== 0) {
      await this.#write({ shard, path, bytes })
    }
    if (!durable) return
    this.#unflushed.set(path, shard)
    if (this.#unflushed.size >= UNFLUSHED_BLOCKS_MAX) await this.flush()
  }

  async putMany(
    blocks: Iterable<BlockToPut> | AsyncIterable<BlockToPut>,
    { durable = false }: Pick<PutOptions, 'durable'> = {}
  ): Promise<number> {
    let count = 0
    for await (const { cid, bytes, isVerified = false } of blocks) {
      await this.put(cid, bytes, { durable, isVerified })
      count++
    }
    if (durable) await this.flush()
    return count
  }

  async *getMany(cids: Iterable<CID>): AsyncGenerator<BlockFound> {
    for (const cid of cids) yield { cid, bytes: await this.get(cid) }
  }

  async sizeOf(cid: CID): Promise<number | undefined> {
    return inlineBlock(cid)?.length ?? (await this.#files.facts(this.#place(cid).path))?.bytes
  }

  hold(): Disposable {
    return { [Symbol.dispose]: () => undefined }
  }

  async delete(cid: CID): Promise<void> {
    if (inlineBlock(cid) === undefined) await this.#remove(this.#place(cid).path)
  }

  async *list(): AsyncGenerator<CID> {
    for (const shard of await this.#names(this.#folder)) {
      if (!SHARD.test(shard)) continue
      for (const name of await this.#names(join(this.#folder, shard))) {
        const cid = cidFromBlockKey(name)
        if (cid !== undefined) yield cid
      }
    }
  }

  async flush(): Promise<void> {
    const taken = this.#unflushed
    this.#unflushed = new Map()
    // One flush after the other: a later one must not resolve while an earlier one still writes.
    const work = this.#flushing.then(async () => await this.#force(taken))
    this.#flushing = work.catch(() => undefined)
    try {
      await work
    } catch (thrown) {
      for (const [path, shard] of taken) this.#unflushed.set(path, shard)
      throw fileError(thrown, 'cannot force blocks to the disk')
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.flush()
  }

  async #force(taken: ReadonlyMap<string, string>): Promise<void> {
    await forEachParallel(taken.keys(), FLUSH_PARALLEL, async (path) => await this.#files.flush(path))
    const folders = new Set([...taken.values()].map((shard) => join(this.#folder, shard)))
    if (folders.size > 0) folders.add(this.#folder)
    await forEachParallel(folders, FLUSH_PARALLEL, async (path) => await this.#files.flush(path))
  }

  async #read(path: string): Promise<Uint8Array | 'oversized' | undefined> {
    try {
      return await this.#files.readFile(path, BLOCK_BYTES_MAX)
    } catch (thrown) {
      const isOversized =
        typeof thrown === 'object' && thrown !== null && 'code' in thrown && thrown.code === 'EFBIG'
      if (isOversized) return 'oversized'
      throw fileError(thrown, 'cannot read a block')
    }
  }

  async #write({ shard, path, bytes }: { shard: string; path: string; bytes: Uint8Array }): Promise<void> {
    const temporary = join(this.#folder, 'tmp', String(this.#temporaryCount++))
    try {
      await this.#makeShard(shard)
      await this.#files.writeNewFile(temporary, bytes, 0o600)
      await this.#files.rename(temporary, path)
    } catch (thrown) {
      await this.#files.removeFile(temporary).catch(() => undefined)
      throw fileError(thrown, 'cannot store a block')
    }
  }

  async #makeShard(shard: string): Promise<void> {
    if (this.#shards.has(shard)) return
    await this.#files.makeFolders(join(this.#folder, shard), 0o700)
    this.#shards.add(shard)
  }

  async #remove(path: string): Promise<void> {
    this.#unflushed.delete(path)
    try {
      await this.#files.removeFile(path)
    } catch (thrown) {
      throw fileError(thrown, 'cannot remove a block')
    }
  }

  async #names(path: string): Promise<string[]> {
    try {
      const names = await this.#files.listNames(path, SHARD_NAMES_MAX)
      return names.map((name) => new TextDecoder().decode(name))
    } catch (thrown) {
      throw fileError(thrown, 'cannot list the block store')
    }
  }

  #place(cid: CID): { shard: string; path: string } {
    const key = blockKey(cid)
    const shard = key.slice(-3, -1)
    return { shard, path: join(this.#folder, shard, key) }
  }
}
