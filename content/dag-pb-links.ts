import { CID } from 'multiformats/cid'
import { Digest } from 'multiformats/hashes/digest'

/** Keys of protobuf fields: the number of the field, and how its value is encoded. */
const LINK = 0x12
const DATA = 0x0a
const HASH = 0x0a
const NAME = 0x12
const SIZE = 0x18

/** A CID of version 1 by SHA-256: version, codec, hash function and length of the digest, a byte each, then the digest. */
const CID_BYTES = 36
const DIGEST_BYTES = 32
const SHA2_256 = 0x12
/** Where a varint has a second byte. */
const MORE = 0x80
/** Bytes of a length at most: blocks are no longer than 2 MiB. */
const LENGTH_BYTES_MAX = 4
/** Bytes of the size that a link claims at most; longer ones are for the library to judge. */
const SIZE_BYTES_MAX = 9

/**
 * The links of a dag-pb block as nearly all are written: CIDs of version 1 by SHA-256, in the order of the specification, the
 * data behind them. `undefined` for every other, valid or not, which is for @ipld/dag-pb to decode: it takes 8 µs a link, this
 * a tenth, and a file of 1 GiB has 1,024 links that both sides of a fetch must know before its first byte goes.
 *
 * @param keys - takes what `stepKey` says of each link, at a fifth of its price
 */
export function quickLinks(bytes: Uint8Array, keys?: string[]): readonly CID[] | undefined {
  const known = decoded.get(bytes)
  if (known !== undefined) {
    for (const { bytes: cid } of keys === undefined ? [] : known) keys?.push(keyOf(cid))
    return known
  }
  const links = decodeLinks(bytes, keys)
  if (links !== undefined) decoded = new WeakMap([[bytes, links]])
  return links
}

/**
 * The links of the block that was decoded last, while somebody has it: what came for a fetch is decoded by it and by its
 * reader, whoever is first. Of one block only: links take ten times the memory of the bytes they are decoded from.
 */
let decoded = new WeakMap<Uint8Array, readonly CID[]>()

function keyOf(cid: Uint8Array): string {
  return Buffer.from(cid.buffer, cid.byteOffset, cid.byteLength).toString('latin1', 1)
}

function decodeLinks(bytes: Uint8Array, keys: string[] | undefined): CID[] | undefined {
  const reader = new Reader(bytes)
  const text = keys === undefined ? undefined : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const links: CID[] = []
  while (reader.at < bytes.length && bytes[reader.at] === LINK) {
    reader.at++
    const link = quickLink(reader)
    if (link === undefined) return undefined
    links.push(link)
    // Codec and multihash, which is all of a CID but its version. A piece of one long text would keep all of it.
    if (text !== undefined) keys?.push(text.toString('latin1', reader.cidAt + 1, reader.cidAt + CID_BYTES))
  }
  return reader.isAtData() ? links : undefined
}

/** The data of such a block, a part of it; `undefined` where there is none, and for every other block. */
export function quickData(bytes: Uint8Array): Uint8Array | undefined {
  const reader = new Reader(bytes)
  if (passLinks(reader) === undefined || reader.at === bytes.length) return undefined
  return reader.isAtData() ? bytes.subarray(reader.at) : undefined
}

/**
 * How many links such a block has, `undefined` for every other. Nothing is made of them, so it costs a tenth: who knows this much
 * can do with the {@link firstLink} until there is time for the others.
 */
export function quickLinkCount(bytes: Uint8Array): number | undefined {
  const reader = new Reader(bytes)
  const count = passLinks(reader)
  return reader.isAtData() ? count : undefined
}

/**
 * The first link of such a block, which costs next to nothing: who answers can read it while it decodes the others.
 */
export function firstLink(bytes: Uint8Array): CID | undefined {
  const reader = new Reader(bytes)
  return bytes[reader.at++] === LINK ? quickLink(reader) : undefined
}

function quickLink(reader: Reader): CID | undefined {
  if (!passLink(reader)) return undefined
  const { bytes, cidAt } = reader
  const cid = bytes.subarray(cidAt, cidAt + CID_BYTES)
  const digest = new Digest(SHA2_256, DIGEST_BYTES, cid.subarray(4), cid.subarray(2))
  return new CID(1, cid[1] ?? MORE, digest, cid)
}

/** Passes over all links, and says how many there are; `undefined` when one is none of the usual. */
function passLinks(reader: Reader): number | undefined {
  const { bytes } = reader
  let count = 0
  for (; reader.at < bytes.length && bytes[reader.at] === LINK; count++) {
    reader.at++
    if (!passLink(reader)) return undefined
  }
  return count
}

/** Passes over one link, and notes where its CID begins; false when it is none of the usual. */
function passLink(reader: Reader): boolean {
  const { bytes } = reader
  const length = reader.length()
  const end = reader.at + length
  const start = reader.at + 2
  const codec = bytes[start + 1] ?? MORE
  const isUsual =
    end <= bytes.length &&
    length >= CID_BYTES + 2 &&
    bytes[start - 2] === HASH &&
    bytes[start - 1] === CID_BYTES &&
    bytes[start] === 1 &&
    codec < MORE &&
    bytes[start + 2] === SHA2_256 &&
    bytes[start + 3] === DIGEST_BYTES
  if (!isUsual) return false
  reader.cidAt = start
  reader.at = start + CID_BYTES
  if (reader.at < end && bytes[reader.at] === NAME) {
    reader.at++
    const nameBytes = reader.length()
    reader.at += nameBytes
  }
  if (reader.at < end && bytes[reader.at] === SIZE) {
    reader.at++
    reader.skip(SIZE_BYTES_MAX)
  }
  return reader.at === end
}

/** Reads varints; where one is too long or cut off it goes behind the end of the bytes, where nothing fits any more. */
class Reader {
  readonly bytes: Uint8Array
  at = 0
  /** Where the CID of the last link begins. */
  cidAt = 0

  constructor(bytes: Uint8Array) {
    // Parts of one of Node's own buffers would be such buffers too, which cost more to make.
    this.bytes = Buffer.isBuffer(bytes)
      ? new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)
      : bytes
  }

  /** A length, the bytes of which follow. */
  length(): number {
    let value = 0
    for (let index = 0; index < LENGTH_BYTES_MAX; index++) {
      const byte = this.bytes[this.at++] ?? 0
      value |= (byte & ~MORE) << (7 * index)
      if (byte < MORE) return value
    }
    return this.#fail()
  }

  /** Passes over a number of so many bytes at most. */
  skip(bytesMax: number): void {
    for (let index = 0; index < bytesMax; index++) {
      if ((this.bytes[this.at++] ?? 0) < MORE) return
    }
    this.#fail()
  }

  /** Whether nothing follows but the data, or nothing at all; passes over what says that data follows. */
  isAtData(): boolean {
    if (this.at === this.bytes.length) return true
    if (this.bytes[this.at++] !== DATA) return false
    const length = this.length()
    return this.at + length === this.bytes.length
  }

  #fail(): number {
    this.at = this.bytes.length + 1
    return 0
  }
}
