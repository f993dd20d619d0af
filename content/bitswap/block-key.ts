import { CID } from 'multiformats/cid'
import { digestOf } from '../cid.ts'
import { CID_BYTES_MAX } from './constants.ts'
import type { BlockEntry } from './message.ts'
import { malformed, ProtobufReader, ProtobufWriter, varintLength } from './protobuf.ts'

const SHA2_256 = 0x12
const NOTHING = new Uint8Array(0)

/** A block's name without version and codec: its multihash as a text that works as a map key. */
export type BlockKey = string

/** The key of a CID. */
export function keyOfCid(cid: CID): BlockKey {
  return keyOfBytes(cid.multihash.bytes)
}

/**
 * A CID from the wire.
 *
 * @throws ContentError `ERR_BITSWAP_MESSAGE` when the bytes are no CID
 */
export function cidFromWire(bytes: Uint8Array): CID {
  try {
    if (bytes.byteLength <= CID_BYTES_MAX) return CID.decode(bytes)
  } catch {
    // Told below: the reason of the library adds nothing for the reader.
  }
  throw malformed('a CID', `${bytes.byteLength} bytes that are none`)
}

/** CID version, codec, hash code and digest length as varints: how a block is named on the wire. */
export function prefixOfCid(cid: CID): Uint8Array {
  const values = [cid.version, cid.code, cid.multihash.code, cid.multihash.digest.byteLength]
  const writer = new ProtobufWriter(values.reduce((sum, value) => sum + varintLength(value), 0))
  for (const value of values) writer.varint(value)
  return writer.bytes
}

/**
 * Hashes a received block. This is the only place where its bytes are turned into a name, so a block whose key
 * is in a map of wants is verified.
 *
 * @returns `undefined` when the prefix names a hash function that we do not accept
 * @throws ContentError `ERR_BITSWAP_MESSAGE` when the prefix is none
 */
export function keyOfBlock(block: BlockEntry): BlockKey | undefined {
  const { code, digestBytes } = readPrefix(block.prefix)
  const digest = digestOf(code, block.data)
  if (digest?.byteLength !== digestBytes) return undefined
  const writer = new ProtobufWriter(varintLength(code) + varintLength(digestBytes) + digestBytes)
  writer.varint(code)
  writer.varint(digestBytes)
  writer.raw(digest)
  return keyOfBytes(writer.bytes)
}

/**
 * Whether a block is named by a hash function that we ask for; costs no hash.
 *
 * @throws ContentError `ERR_BITSWAP_MESSAGE` when the prefix is none
 */
export function isHashKnown(block: BlockEntry): boolean {
  return digestOf(readPrefix(block.prefix).code, NOTHING) !== undefined
}

function readPrefix(prefix: Uint8Array | undefined): { code: number; digestBytes: number } {
  if (prefix === undefined) return { code: SHA2_256, digestBytes: 32 }
  const reader = new ProtobufReader([prefix], prefix.byteLength)
  reader.varint()
  reader.varint()
  const code = reader.varint()
  const digestBytes = reader.varint()
  if (reader.remaining > 0) throw malformed('four varints as a block prefix', 'more')
  return { code, digestBytes }
}

/** Any bytes as a map key. */
export function keyOfBytes(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')
}
