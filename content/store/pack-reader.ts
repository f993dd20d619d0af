import type { CID } from 'multiformats/cid'
import type { Logger } from '#contracts'
import { checkCid, inlineBlock } from '../cid.ts'
import { ContentError } from '../errors.ts'
import { fileError, unclearedBytes } from '../files.ts'
import { mapAhead } from '../parallel.ts'
import { RUN_BYTES_MAX } from './constants.ts'
import { decodeHeader, headerBytes, isIntact, recordBytes } from './record.ts'
import type { BlockFound } from '../block-store.ts'
import type { Place } from './block-index.ts'
import type { PackSet } from './pack-set.ts'
import type { Slabs } from '../slabs.ts'

interface Item {
  readonly cid: CID
  /** `undefined`: it is its own CID, or not here. */
  readonly place: Place | undefined
}

/** Reads ahead of whoever takes the blocks of a long list. */
const RUNS_AHEAD = 2

/** Reads blocks out of packs, each compared with its checksum. */
export class PackReader {
  readonly #set: PackSet
  readonly #logger: Logger

  constructor(set: PackSet, logger: Logger) {
    this.#set = set
    this.#logger = logger
  }

  /** See `BlockStore.get`. */
  async get(cid: CID): Promise<Uint8Array | undefined> {
    const item = this.#locate(cid)
    const { place } = item
    if (place === undefined) return inlineBlock(cid)
    const bytes = await this.#read({ ...place, length: recordBytesOf(cid, place) })
    const found = this.#check(item, bytes)
    // It may have been put again since.
    return found === undefined && this.#set.peek(cid.multihash) !== undefined ? await this.get(cid) : found
  }

  /** See `BlockStore.getMany`. */
  async *getMany(cids: Iterable<CID>, memory?: Slabs): AsyncGenerator<BlockFound> {
    const runBytesMax = Math.min(RUN_BYTES_MAX, memory?.slabBytes ?? RUN_BYTES_MAX)
    for await (const run of mapAhead(
      this.#runs(cids, runBytesMax),
      RUNS_AHEAD,
      async (items) => await this.#readRun(items, memory)
    ))
      yield* run
  }

  /** Whether what lies there is the block, byte by byte; for who wants to put it. */
  async equals(cid: CID, place: Place, bytes: Uint8Array): Promise<boolean> {
    if (place.length !== bytes.length) return false
    const record = await this.#read({ ...place, length: recordBytesOf(cid, place) })
    const header = decodeHeader(record)
    if (header === undefined) return false
    return Buffer.compare(record.subarray(headerBytes(header.digest.length)), bytes) === 0
  }

  #locate(cid: CID): Item {
    checkCid(cid)
    return { cid, place: inlineBlock(cid) === undefined ? this.#set.find(cid.multihash) : undefined }
  }

  /** Blocks that lie one after the other, in lists of a few mebibytes. */
  *#runs(cids: Iterable<CID>, bytesMax: number): Generator<Item[]> {
    let run: Item[] = []
    let end: Place | undefined
    for (const cid of cids) {
      const item = this.#locate(cid)
      const { place } = item
      const [first] = run
      const goesOn =
        place !== undefined &&
        end?.pack === place.pack &&
        end.offset === place.offset &&
        place.offset + recordBytesOf(cid, place) - (first?.place?.offset ?? 0) <= bytesMax
      if (!goesOn && run.length > 0) {
        yield run
        run = []
      }
      run.push(item)
      end = place && { ...place, offset: place.offset + recordBytesOf(cid, place) }
    }
    if (run.length > 0) yield run
  }

  async #readRun(items: readonly Item[], memory: Slabs | undefined): Promise<BlockFound[]> {
    const first = items[0]?.place
    const last = items.at(-1)
    if (first === undefined || last?.place === undefined) {
      return items.map(({ cid }) => ({ cid, bytes: inlineBlock(cid) }))
    }
    const isThere = items.every(
      ({ cid, place }) => place !== undefined && this.#set.isAt(cid.multihash, place)
    )
    if (!isThere) return await this.#readEach(items)
    const end = last.place.offset + recordBytesOf(last.cid, last.place)
    const length = end - first.offset
    const slab = memory !== undefined && length <= memory.slabBytes ? memory.take() : undefined
    const target = slab?.bytes.subarray(0, length) ?? unclearedBytes(length)
    const run = await this.#read({ ...first, length }, target)
    const found = items.map(({ cid, place }): BlockFound => {
      const start = (place?.offset ?? 0) - first.offset
      const recordLength = place === undefined ? 0 : recordBytesOf(cid, place)
      const bytes = this.#check({ cid, place }, run.subarray(start, start + recordLength))
      return slab === undefined ? { cid, bytes } : { cid, bytes, release: slab.hold() }
    })
    slab?.release()
    return found.every(({ bytes }) => bytes !== undefined) ? found : await this.#readEach(items)
  }

  /** A collection has moved or removed some of them meanwhile. */
  async #readEach(items: readonly Item[]): Promise<BlockFound[]> {
    const found: BlockFound[] = []
    for (const { cid } of items) found.push({ cid, bytes: await this.get(cid) })
    return found
  }

  async #read(place: Place, target: Uint8Array = unclearedBytes(place.length)): Promise<Uint8Array> {
    try {
      return await this.#set.open.use(this.#set.packOf(place), async (file) =>
        target.subarray(0, await file.readAt(target, place.offset))
      )
    } catch (thrown) {
      const error = fileError(thrown, 'cannot read a block')
      // A file that is gone or that somebody made into something else holds nothing; a failing disk may yet read.
      const isGone = error instanceof ContentError && GONE.has(error.code)
      if (isGone) return new Uint8Array()
      throw error
    }
  }

  /** `undefined` when a collection cut it off while it was read. */
  #check({ cid, place }: Item, record: Uint8Array): Uint8Array | undefined {
    const header = decodeHeader(record)
    if (header !== undefined) {
      const bytes = record.subarray(headerBytes(header.digest.length))
      const isIt =
        header.code === cid.multihash.code &&
        Buffer.compare(header.digest, cid.multihash.digest) === 0 &&
        bytes.length === header.length &&
        isIntact(header, bytes)
      if (isIt) return bytes
    }
    if (place === undefined || !this.#set.drop(cid.multihash, place)) return undefined
    this.#logger.warn('removed a corrupt block', { cid: cid.toString() })
    throw new ContentError('ERR_BLOCK_CORRUPT', `block ${cid.toString()} was corrupt on disk and is removed`)
  }
}

const GONE: ReadonlySet<string> = new Set(['ERR_PATH_NOT_FOUND', 'ERR_PATH_CHANGED'])

function recordBytesOf({ multihash }: CID, { length }: Place): number {
  return recordBytes(multihash.digest.length, length)
}
