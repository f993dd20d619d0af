import * as dagCbor from '@ipld/dag-cbor'
import { CID } from 'multiformats/cid'
import { errorMessage } from '#contracts'
import { checkCid } from '../cid.ts'
import { BLOCK_BYTES_MAX } from '../constants.ts'
import { ContentError } from '../errors.ts'
import { CAR_CID_BYTES_MAX, CAR_HEADER_BYTES_MAX, CAR_ROOTS_MAX } from './constants.ts'
import type { ByteSource } from './byte-source.ts'

/** A block of a CAR, not yet compared with its CID. */
export interface CarBlock {
  readonly cid: CID
  readonly bytes: Uint8Array
}

/** A CAR whose header has been read. */
export interface Car {
  readonly version: 1 | 2
  readonly roots: readonly CID[]
  /** Its blocks in their order; once. */
  blocks(): AsyncGenerator<CarBlock>
}

const VARINT_BYTES_MAX = 5
const V2_HEADER_BYTES = 40
const V2_DATA_OFFSET_MIN = 51
/** The pragma of version 2 is a header of version 1 that says `{ version: 2 }`. */
const V2_PRAGMA: Uint8Array = Uint8Array.of(10, ...dagCbor.encode({ version: 2 }))

/** The start of a CAR of version 1 (https://ipld.io/specs/transport/car/carv1/). */
export function encodeCarHeader(roots: readonly CID[]): Uint8Array {
  const header = dagCbor.encode({ roots, version: 1 })
  return Buffer.concat([encodeVarint(header.length), header])
}

/** What stands before the bytes of a block. */
export function encodeSectionHead({ bytes }: CID, length: number): Uint8Array {
  return Buffer.concat([encodeVarint(bytes.length + length), bytes])
}

/**
 * The start of a CAR of version 2 without an index (https://ipld.io/specs/transport/car/carv2/), before the CAR of
 * version 1 that is in it.
 */
export function encodeV2Head(dataBytes: number): Uint8Array {
  const header = Buffer.alloc(V2_HEADER_BYTES)
  header.writeBigUInt64LE(BigInt(V2_DATA_OFFSET_MIN), 16)
  header.writeBigUInt64LE(BigInt(dataBytes), 24)
  return Buffer.concat([V2_PRAGMA, header])
}

/** Bytes that {@link encodeV2Head} gives. */
export const V2_HEAD_BYTES: number = V2_DATA_OFFSET_MIN

/**
 * Reads the header of a CAR of version 1 or 2; of version 2 only the blocks are read, its index is not.
 *
 * @throws ContentError `ERR_CAR_INVALID`, `ERR_CID_UNSUPPORTED`; and {@link Car.blocks} too, and
 *   `ERR_BLOCK_TOO_LARGE`
 */
export async function readCar(source: ByteSource): Promise<Car> {
  const header = await readHeader(source)
  if (header.version === 1) return carOf(1, rootsOf(header), source)
  if (header.version !== 2) throw invalid('expected a CAR of version 1 or 2')
  await enterV2(source)
  const inner = await readHeader(source)
  if (inner.version !== 1) throw invalid('expected a CAR of version 1 inside one of version 2')
  return carOf(2, rootsOf(inner), source)
}

function carOf(version: Car['version'], roots: readonly CID[], source: ByteSource): Car {
  return { version, roots, blocks: () => readBlocks(source) }
}

interface Header {
  readonly version: unknown
  readonly roots?: unknown
}

async function readHeader(source: ByteSource): Promise<Header> {
  const length = await readVarint(source)
  if (length === undefined || length === 0 || length > CAR_HEADER_BYTES_MAX) {
    throw invalid(`expected a header of 1 to ${CAR_HEADER_BYTES_MAX} bytes`)
  }
  const bytes = await source.take(length)
  if (bytes === undefined) throw invalid('it ends in its header')
  try {
    const header = dagCbor.decode<Header>(bytes)
    if (typeof header === 'object' && 'version' in header) return header
  } catch (cause) {
    throw invalid(`its header is no DAG-CBOR: ${errorMessage(cause)}`)
  }
  throw invalid('its header says no version')
}

function rootsOf({ roots }: Header): readonly CID[] {
  if (!Array.isArray(roots) || roots.length === 0 || roots.length > CAR_ROOTS_MAX) {
    throw invalid(`expected 1 to ${CAR_ROOTS_MAX} roots`)
  }
  return roots.map((root: unknown) => {
    const cid = CID.asCID(root)
    if (cid === null) throw invalid('expected every root to be a CID')
    checkCid(cid)
    return cid
  })
}

async function enterV2(source: ByteSource): Promise<void> {
  const header = await source.take(V2_HEADER_BYTES)
  if (header === undefined) throw invalid('it ends in its header')
  const view = Buffer.from(header)
  const [offset, length] = [view.readBigUInt64LE(16), view.readBigUInt64LE(24)]
  const isInside = offset >= V2_DATA_OFFSET_MIN && length > 0 && offset + length <= BigInt(source.end)
  if (!isInside) throw invalid('its data lies outside of it')
  await source.narrow(Number(offset), Number(offset + length))
}

async function* readBlocks(source: ByteSource): AsyncGenerator<CarBlock> {
  for (;;) {
    const length = await readVarint(source)
    if (length === undefined) return
    if (length > BLOCK_BYTES_MAX + CAR_CID_BYTES_MAX) {
      throw new ContentError(
        'ERR_BLOCK_TOO_LARGE',
        `expected a block of at most ${BLOCK_BYTES_MAX} bytes and got ${length}`
      )
    }
    const section = await source.take(length)
    if (section === undefined) throw invalid('it ends in a block')
    yield splitSection(section)
  }
}

function splitSection(section: Uint8Array): CarBlock {
  let parsed: [CID, Uint8Array]
  try {
    parsed = CID.decodeFirst(section)
  } catch (cause) {
    throw invalid(`expected a CID before a block: ${errorMessage(cause)}`)
  }
  const [cid, bytes] = parsed
  checkCid(cid)
  return { cid, bytes }
}

/** `undefined` at the end. */
async function readVarint(source: ByteSource): Promise<number | undefined> {
  let value = 0
  for (let count = 0; count < VARINT_BYTES_MAX; count++) {
    const byte = (await source.take(1))?.[0]
    if (byte === undefined) {
      if (count === 0) return undefined
      throw invalid('it ends in a length')
    }
    value += (byte & 0x7f) * 2 ** (7 * count)
    if (byte < 0x80) return value
  }
  throw invalid('a length is too long')
}

function encodeVarint(value: number): Uint8Array {
  const bytes: number[] = []
  let left = value
  for (; left >= 0x80; left = Math.floor(left / 0x80)) bytes.push((left % 0x80) | 0x80)
  return Uint8Array.of(...bytes, left)
}

function invalid(why: string): ContentError {
  return new ContentError('ERR_CAR_INVALID', `expected a CAR: ${why}`)
}
