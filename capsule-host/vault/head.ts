import { createCipheriv, createDecipheriv } from 'node:crypto'
import { decodeCanonical, encodeCanonical } from '#did'
import { FileError } from '../files/errors.ts'
import { encodeRef, NONCE_BYTES, readRef, REF_BYTES, TAG_BYTES, type BlockRef } from './block.ts'
import { HEAD_UNITS, LINEAGE_LENGTH_MAX, SNAPSHOTS_MAX, UNIT_BYTES } from './constants.ts'
import type { VaultKey } from './keys.ts'

/** One state of all files. */
export interface VaultState {
  /** The topmost page of the tree of entries. */
  readonly tree: BlockRef
  /** Bytes of all files. */
  readonly bytes: number
  /** Files and folders. */
  readonly entries: number
}

/** A state that is kept. */
export interface SnapshotState extends VaultState {
  /** 32 hexadecimal characters. */
  readonly id: string
  /** Milliseconds since 1970. */
  readonly createdAtMs: number
}

/** What the head of a vault file says. */
export interface Head extends VaultState {
  readonly lineage: string
  /** Rises with every durable state. */
  readonly generation: number
  /** No inode from this one on was ever given out. */
  readonly nextInode: number
  readonly snapshots: readonly SnapshotState[]
}

/** Bytes of the salt of a vault file. */
export const SALT_BYTES = 32
const MAGIC: Uint8Array = Buffer.from('elavlt1\n', 'latin1')
const CLEAR_BYTES = MAGIC.byteLength + SALT_BYTES
const NONCE_AT = CLEAR_BYTES
const TAG_AT = NONCE_AT + NONCE_BYTES
const LENGTH_AT = TAG_AT + TAG_BYTES
const BODY_AT = LENGTH_AT + 4
const CIPHER = 'aes-256-gcm'

/** Seals a head into one unit. @param init - the salt of the vault file, and a fresh nonce */
export function sealHead(
  head: Head,
  key: VaultKey,
  { salt, nonce }: { salt: Uint8Array; nonce: Uint8Array }
): Uint8Array {
  const unit = Buffer.alloc(UNIT_BYTES)
  unit.set(MAGIC, 0)
  unit.set(salt, MAGIC.byteLength)
  unit.set(nonce, NONCE_AT)
  const cipher = createCipheriv(CIPHER, key.volumeKey(head.lineage, salt), nonce)
  cipher.setAAD(unit.subarray(0, CLEAR_BYTES))
  const body = cipher.update(encodeCanonical(headValue(head)))
  cipher.final()
  if (body.byteLength > UNIT_BYTES - BODY_AT) throw new Error('expected a head that fits one unit')
  unit.set(cipher.getAuthTag(), TAG_AT)
  unit.writeUInt32BE(body.byteLength, LENGTH_AT)
  unit.set(body, BODY_AT)
  return unit
}

/** A head that could be read, and the salt of its file. */
export interface OpenedHead {
  readonly head: Head
  readonly salt: Uint8Array
}

/**
 * The newest head of the four in the first units. A crash leaves at most one that is half written, and never both copies
 * of one slot, so two bad copies mean damage.
 *
 * @param units - the first {@link HEAD_UNITS} units
 * @throws FileError `ERR_FILE_CORRUPT`
 */
export function selectHead(units: Uint8Array, key: VaultKey, lineage: string): OpenedHead {
  if (units.byteLength !== HEAD_UNITS * UNIT_BYTES) throw corrupt()
  const copies = [0, 1, 2, 3].map((at) =>
    readHead(units.subarray(at * UNIT_BYTES, (at + 1) * UNIT_BYTES), key, lineage)
  )
  for (const slot of [0, 1]) {
    if (copies[slot] === 'bad' && copies[slot + 2] === 'bad') throw corrupt()
  }
  let newest: OpenedHead | undefined
  for (const copy of copies) {
    if (copy === 'bad' || copy === 'blank') continue
    if (newest === undefined || copy.head.generation > newest.head.generation) newest = copy
  }
  if (newest === undefined) throw corrupt()
  return newest
}

function readHead(unit: Uint8Array, key: VaultKey, lineage: string): OpenedHead | 'bad' | 'blank' {
  if (unit.every((byte) => byte === 0)) return 'blank'
  const bytes = Buffer.from(unit.buffer, unit.byteOffset, unit.byteLength)
  const length = bytes.readUInt32BE(LENGTH_AT)
  if (!bytes.subarray(0, MAGIC.byteLength).equals(MAGIC) || length > UNIT_BYTES - BODY_AT) return 'bad'
  const salt = Uint8Array.from(bytes.subarray(MAGIC.byteLength, CLEAR_BYTES))
  const nonce = bytes.subarray(NONCE_AT, TAG_AT)
  const decipher = createDecipheriv(CIPHER, key.volumeKey(lineage, salt), nonce, {
    authTagLength: TAG_BYTES
  })
  decipher.setAAD(bytes.subarray(0, CLEAR_BYTES))
  decipher.setAuthTag(bytes.subarray(TAG_AT, LENGTH_AT))
  try {
    const body = Buffer.concat([decipher.update(bytes.subarray(BODY_AT, BODY_AT + length)), decipher.final()])
    const head = headOf(decodeCanonical(body, { bytesMax: UNIT_BYTES }))
    return head.lineage === lineage ? { head, salt } : 'bad'
  } catch {
    return 'bad'
  }
}

function headValue(head: Head): unknown {
  const { lineage, generation, nextInode, snapshots } = head
  return {
    version: 1,
    ...{ lineage, generation, nextInode },
    state: stateValue(head),
    snapshots: snapshots.map((snapshot) => ({
      id: Buffer.from(snapshot.id, 'hex'),
      createdAtMs: snapshot.createdAtMs,
      state: stateValue(snapshot)
    }))
  }
}

function stateValue({ tree, bytes, entries }: VaultState): unknown {
  return [encodeRef(tree), bytes, entries]
}

/** What decrypts was written by this device; the form is checked all the same. */
function headOf(value: unknown): Head {
  const { version, lineage, generation, nextInode, state, snapshots } = value as Record<string, unknown>
  if (version !== 1 || typeof lineage !== 'string' || lineage.length > LINEAGE_LENGTH_MAX) throw corrupt()
  if (!Array.isArray(snapshots) || snapshots.length > SNAPSHOTS_MAX) throw corrupt()
  return {
    lineage,
    generation: numberOf(generation),
    nextInode: numberOf(nextInode),
    ...stateOf(state),
    snapshots: snapshots.map(snapshotOf)
  }
}

function snapshotOf(value: unknown): SnapshotState {
  const { id, createdAtMs, state } = value as Record<string, unknown>
  if (!(id instanceof Uint8Array)) throw corrupt()
  return { id: Buffer.from(id).toString('hex'), createdAtMs: numberOf(createdAtMs), ...stateOf(state) }
}

function stateOf(value: unknown): VaultState {
  const [tree, bytes, entries] = Array.isArray(value) ? (value as unknown[]) : []
  if (!(tree instanceof Uint8Array) || tree.byteLength !== REF_BYTES) throw corrupt()
  const ref = readRef(tree, 0)
  if (ref === undefined) throw corrupt()
  return { tree: ref, bytes: numberOf(bytes), entries: numberOf(entries) }
}

function numberOf(value: unknown): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) throw corrupt()
  return value
}

function corrupt(): FileError {
  return new FileError('ERR_FILE_CORRUPT', 'expected the head of a vault file of this device and lineage')
}
