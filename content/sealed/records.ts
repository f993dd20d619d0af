import { createCipheriv, createDecipheriv, hkdfSync } from 'node:crypto'
import { ContentError } from '../errors.ts'
import { unclearedBytes } from '../files.ts'
import { SEALED_KEY_BYTES, SEALED_MAGIC, SEALED_RECORD_BYTES, SEALED_TAG_BYTES } from './constants.ts'

const CIPHER = 'aes-256-gcm'
const HEAD_BYTES = SEALED_MAGIC.length + SEALED_KEY_BYTES
const BOX_BYTES = SEALED_RECORD_BYTES + SEALED_TAG_BYTES

/** What bytes are sealed with. */
export interface SealInit {
  /** {@link SEALED_KEY_BYTES} random bytes: who has them reads it. */
  readonly key: Uint8Array
  /** As many again, never the same with the same key. */
  readonly salt: Uint8Array
}

/**
 * Seals bytes in records under AES-256-GCM, each in its place and the last marked as such (the STREAM construction), filled
 * up with zeros to whole records.
 *
 * @see docs/protocols/sealed-content.md
 */
export async function* sealRecords(
  plain: AsyncIterable<Uint8Array>,
  { key, salt }: SealInit
): AsyncGenerator<Uint8Array> {
  yield Buffer.concat([SEALED_MAGIC, salt])
  const recordKey = recordKeyOf(key, salt)
  let index = 0
  let before: Uint8Array | undefined
  for await (const piece of piecesOf(plain, SEALED_RECORD_BYTES)) {
    if (before !== undefined) yield sealRecord(recordKey, nonceOf(index++, false), before)
    before = piece
  }
  const last = new Uint8Array(SEALED_RECORD_BYTES)
  last.set(before ?? [])
  yield sealRecord(recordKey, nonceOf(index, true), last)
}

/**
 * The plain bytes of what {@link sealRecords} made, the zeros at the end too; nothing of a record is given before all of it
 * was authenticated.
 *
 * @throws ContentError `ERR_SEALED_KEY` for another key, `ERR_SEALED_INVALID` for what is not sealed content, or is cut off
 */
export async function* openRecords(
  sealed: AsyncIterable<Uint8Array>,
  key: Uint8Array
): AsyncGenerator<Uint8Array> {
  let recordKey: Uint8Array | undefined
  let index = 0
  let before: Uint8Array | undefined
  for await (const piece of piecesOf(sealed, BOX_BYTES, HEAD_BYTES)) {
    if (recordKey === undefined) {
      recordKey = recordKeyOf(key, saltOf(piece))
      continue
    }
    if (before !== undefined) yield openRecord(recordKey, { box: before, index: index++, isLast: false })
    before = piece
  }
  if (recordKey === undefined || before === undefined) throw invalid('it ends before its first record')
  yield openRecord(recordKey, { box: before, index, isLast: true })
}

function recordKeyOf(key: Uint8Array, salt: Uint8Array): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', key, salt, 'elastos/sealed/1', SEALED_KEY_BYTES))
}

/** The place of a record, and whether it is the last: none can be moved, left out or cut off unnoticed. */
function nonceOf(index: number, isLast: boolean): Uint8Array {
  const nonce = Buffer.alloc(12)
  nonce.writeUIntBE(index, 5, 6)
  nonce[11] = isLast ? 1 : 0
  return nonce
}

function sealRecord(recordKey: Uint8Array, nonce: Uint8Array, plain: Uint8Array): Uint8Array {
  const cipher = createCipheriv(CIPHER, recordKey, nonce)
  return Buffer.concat([cipher.update(plain), cipher.final(), cipher.getAuthTag()])
}

function openRecord(
  recordKey: Uint8Array,
  { box, index, isLast }: { readonly box: Uint8Array; readonly index: number; readonly isLast: boolean }
): Uint8Array {
  if (box.length !== BOX_BYTES) throw invalid('a record is cut off')
  const decipher = createDecipheriv(CIPHER, recordKey, nonceOf(index, isLast))
  decipher.setAuthTag(box.subarray(SEALED_RECORD_BYTES))
  try {
    return Buffer.concat([decipher.update(box.subarray(0, SEALED_RECORD_BYTES)), decipher.final()])
  } catch (cause) {
    // The blocks hash to their CIDs: what does not open at its beginning was sealed with another key.
    if (index === 0)
      throw new ContentError('ERR_SEALED_KEY', 'expected the key it was sealed with', { cause })
    throw invalid(`record ${index} is not what was sealed`)
  }
}

function saltOf(head: Uint8Array): Uint8Array {
  const isSealed =
    head.length === HEAD_BYTES && Buffer.compare(head.subarray(0, SEALED_MAGIC.length), SEALED_MAGIC) === 0
  if (!isSealed) throw invalid('it does not begin as sealed content does')
  return head.subarray(SEALED_MAGIC.length)
}

function invalid(why: string): ContentError {
  return new ContentError('ERR_SEALED_INVALID', `expected sealed content: ${why}`)
}

/** The same bytes in pieces of `length`, the first of `first`, the last of what is left; none is empty. */
async function* piecesOf(
  source: AsyncIterable<Uint8Array>,
  length: number,
  first = length
): AsyncGenerator<Uint8Array> {
  let piece = unclearedBytes(first)
  let filled = 0
  for await (const chunk of source) {
    for (let offset = 0; offset < chunk.length;) {
      const part = chunk.subarray(offset, offset + piece.length - filled)
      piece.set(part, filled)
      filled += part.length
      offset += part.length
      if (filled < piece.length) continue
      yield piece
      piece = unclearedBytes(length)
      filled = 0
    }
  }
  if (filled > 0) yield piece.subarray(0, filled)
}
