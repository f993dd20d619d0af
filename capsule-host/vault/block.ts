import { createCipheriv, createDecipheriv, type KeyObject } from 'node:crypto'
import { FileError } from '../files/errors.ts'

const CIPHER = 'aes-256-gcm'
/** Bytes of a nonce (NIST SP 800-38D §8.2). */
export const NONCE_BYTES = 12
/** Bytes of an authentication tag. */
export const TAG_BYTES = 16
/** Bytes of an encoded {@link BlockRef}. */
export const REF_BYTES: number = 8 + NONCE_BYTES + TAG_BYTES

/**
 * Where a block is and what it must be. The tag is kept here and not beside the block, so an older block that once stood in
 * the same place, sealed by the same key, does not open.
 */
export interface BlockRef {
  /** Its first unit. */
  readonly unit: number
  /** Plain bytes, as many as on the disk. */
  readonly length: number
  readonly nonce: Uint8Array
  readonly tag: Uint8Array
}

/** What a block is; all of it is authenticated with its bytes. */
export interface BlockLabel {
  readonly kind: 'chunk' | 'index' | 'page'
  /** The file's inode; 0 for a page of the tree of entries. */
  readonly file: number
  /** Levels below it. */
  readonly level: number
  /** Which chunk of the file, or which index page of its level; 0 for a page. */
  readonly position: number
}

const KIND_NUMBERS = { chunk: 1, index: 2, page: 3 } as const

function additionalData({ kind, file, level, position }: BlockLabel, length: number): Uint8Array {
  const bytes = new Uint8Array(22)
  const view = new DataView(bytes.buffer)
  view.setUint8(0, KIND_NUMBERS[kind])
  view.setUint8(1, level)
  view.setBigUint64(2, BigInt(file))
  view.setBigUint64(10, BigInt(position))
  view.setUint32(18, length)
  return bytes
}

/** Seals a block with AES-256-GCM. The nonce must be fresh. */
export function sealBlock(
  key: KeyObject,
  plain: Uint8Array,
  { label, nonce }: { label: BlockLabel; nonce: Uint8Array }
): { readonly sealed: Uint8Array; readonly tag: Uint8Array } {
  const cipher = createCipheriv(CIPHER, key, nonce)
  cipher.setAAD(additionalData(label, plain.byteLength))
  const sealed = cipher.update(plain)
  cipher.final()
  return { sealed, tag: cipher.getAuthTag() }
}

/**
 * Opens a block.
 *
 * @throws FileError `ERR_FILE_CORRUPT` when it is not the one that was written there
 */
export function openBlock(key: KeyObject, sealed: Uint8Array, { ref, label }: LabelledRef): Uint8Array {
  const decipher = createDecipheriv(CIPHER, key, ref.nonce, { authTagLength: TAG_BYTES })
  decipher.setAAD(additionalData(label, ref.length))
  decipher.setAuthTag(ref.tag)
  const plain = decipher.update(sealed)
  try {
    decipher.final()
  } catch (cause) {
    throw new FileError('ERR_FILE_CORRUPT', 'expected the bytes that were written, the disk has others', {
      cause
    })
  }
  return plain
}

/** A reference and what it must lead to. */
export interface LabelledRef {
  readonly ref: BlockRef
  readonly label: BlockLabel
}

/** Writes a reference into `target` at `offset`. */
export function writeRef(ref: BlockRef, target: Uint8Array, offset: number): void {
  const view = new DataView(target.buffer, target.byteOffset + offset, REF_BYTES)
  view.setUint32(0, ref.unit)
  view.setUint32(4, ref.length)
  target.set(ref.nonce, offset + 8)
  target.set(ref.tag, offset + 8 + NONCE_BYTES)
}

/** Reads a reference; `undefined` for a hole. What it holds is copied. */
export function readRef(source: Uint8Array, offset: number): BlockRef | undefined {
  const view = new DataView(source.buffer, source.byteOffset + offset, REF_BYTES)
  const unit = view.getUint32(0)
  if (unit === 0) return undefined
  const nonceAt = offset + 8
  const tagAt = nonceAt + NONCE_BYTES
  return {
    unit,
    length: view.getUint32(4),
    nonce: new Uint8Array(source.subarray(nonceAt, tagAt)),
    tag: new Uint8Array(source.subarray(tagAt, offset + REF_BYTES))
  }
}

/** Makes the reference at `offset` a hole. */
export function clearRef(target: Uint8Array, offset: number): void {
  target.fill(0, offset, offset + REF_BYTES)
}

/** The bytes of a reference on its own; of a hole, zeros. */
export function encodeRef(ref: BlockRef | undefined): Uint8Array {
  const bytes = new Uint8Array(REF_BYTES)
  if (ref !== undefined) writeRef(ref, bytes, 0)
  return bytes
}
