import { createCipheriv } from 'node:crypto'
import { crc32 } from 'node:zlib'
import { CID } from 'multiformats/cid'
import * as Digest from 'multiformats/hashes/digest'
import { digestOf, RAW_CODEC } from '../cid.ts'
import { BLOCK_BYTES_MAX } from '../constants.ts'
import { CHECKSUM_BYTES_MIN } from './constants.ts'

/** What a pack begins with; another text is another format. */
export const PACK_MAGIC: Uint8Array = new TextEncoder().encode('elpack1\n')

/** What each record begins with. */
export const RECORD_MAGIC: Uint8Array = new TextEncoder().encode('EBLK')

/** Bytes of a header at least, with a digest of 32 bytes, and at most, with one of 64. */
export const HEADER_BYTES: { readonly min: number; readonly max: number } = { min: 64, max: 96 }

const CHECKSUM_BYTES = 16
const DIGEST_AT = 28
const GMAC_KEY = Buffer.from('elastos pack crc', 'latin1')
const GMAC_NONCE = Buffer.alloc(12)

/** What is known of a block from its header alone. */
export interface RecordHeader {
  /** Multicodec of the hash function. */
  readonly code: number
  readonly digest: Uint8Array
  /** Bytes of the block, which follow the header. */
  readonly length: number
  readonly checksum: Uint8Array
}

/** Bytes of the header before a block whose digest has that many bytes. */
export function headerBytes(digestBytes: number): number {
  return DIGEST_AT + digestBytes + 4
}

/** Bytes of a whole record. */
export function recordBytes(digestBytes: number, length: number): number {
  return headerBytes(digestBytes) + length
}

/**
 * The header of a block: magic (4), length (4, little-endian as all), hash code (1), digest length (1), zero (2),
 * checksum (16), digest, CRC-32 of all that (4).
 */
export function encodeHeader({ multihash }: CID, bytes: Uint8Array): Buffer {
  const { code, digest } = multihash
  const header = Buffer.alloc(headerBytes(digest.length))
  header.set(RECORD_MAGIC)
  header.writeUInt32LE(bytes.length, 4)
  header[8] = code
  header[9] = digest.length
  header.set(checksumOf(bytes), 12)
  header.set(digest, DIGEST_AT)
  header.writeUInt32LE(crc32(header.subarray(0, -4)), header.length - 4)
  return header
}

/** The header that `bytes` begin with, `undefined` when they begin with none. */
export function decodeHeader(bytes: Uint8Array): RecordHeader | undefined {
  if (bytes.length < HEADER_BYTES.min || RECORD_MAGIC.some((byte, at) => bytes[at] !== byte)) return undefined
  const digestBytes = bytes[9] ?? 0
  const length = headerBytes(digestBytes)
  if (length < HEADER_BYTES.min || length > HEADER_BYTES.max || bytes.length < length) return undefined
  const header = Buffer.from(bytes.buffer, bytes.byteOffset, length)
  if (crc32(header.subarray(0, -4)) !== header.readUInt32LE(length - 4)) return undefined
  const blockBytes = header.readUInt32LE(4)
  if (blockBytes > BLOCK_BYTES_MAX) return undefined
  return {
    code: header[8] ?? 0,
    digest: header.subarray(DIGEST_AT, DIGEST_AT + digestBytes),
    length: blockBytes,
    checksum: header.subarray(12, 12 + CHECKSUM_BYTES)
  }
}

/** Whether the bytes after a header are those that were written there; as cheap as is sound. */
export function isIntact(header: RecordHeader, bytes: Uint8Array): boolean {
  if (bytes.length < CHECKSUM_BYTES_MIN) return matchesDigest(header, bytes)
  return Buffer.compare(checksumOf(bytes), header.checksum) === 0
}

/** Whether the bytes hash to the digest of their header. */
export function matchesDigest({ code, digest }: RecordHeader, bytes: Uint8Array): boolean {
  const found = digestOf(code, bytes)
  return found !== undefined && Buffer.compare(found, digest) === 0
}

/** The raw-codec CID of a record. */
export function cidOfRecord({ code, digest }: Pick<RecordHeader, 'code' | 'digest'>): CID {
  return CID.createV1(RAW_CODEC, Digest.create(code, digest))
}

/**
 * AES-128-GMAC under a key that everybody knows: not against people, who could as well change the digest, but
 * against disks. Blocks too small to be worth it have none.
 */
function checksumOf(bytes: Uint8Array): Uint8Array {
  if (bytes.length < CHECKSUM_BYTES_MIN) return new Uint8Array(CHECKSUM_BYTES)
  const mac = createCipheriv('aes-128-gcm', GMAC_KEY, GMAC_NONCE)
  mac.setAAD(bytes)
  mac.final()
  return mac.getAuthTag()
}
