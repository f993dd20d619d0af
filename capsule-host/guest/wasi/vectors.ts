import { IO_BYTES_MAX, IO_VECTORS_MAX } from './constants.ts'
import { ERRNO, WasiError } from './errno.ts'
import type { GuestMemory } from './memory.ts'

const VECTOR_BYTES = 8

/** Views of the buffers a program names, {@link IO_BYTES_MAX} bytes in all at most. */
export function readVectors(memory: GuestMemory, vectors: number, count: number): Uint8Array[] {
  const vectorCount = count >>> 0
  if (vectorCount > IO_VECTORS_MAX) throw new WasiError(ERRNO.inval)
  const parts: Uint8Array[] = []
  let left = IO_BYTES_MAX
  for (let index = 0; index < vectorCount && left > 0; index++) {
    const at = (vectors >>> 0) + index * VECTOR_BYTES
    const part = memory.bytes(memory.u32(at), memory.u32(at + 4)).subarray(0, left)
    parts.push(part)
    left -= part.byteLength
  }
  return parts
}

/** How many bytes `parts` have together. */
export function bytesOf(parts: readonly Uint8Array[]): number {
  return parts.reduce((total, part) => total + part.byteLength, 0)
}

/** All of `parts` as one array: a view when there is one, else a copy. */
export function gather(parts: readonly Uint8Array[]): Uint8Array {
  if (parts.length === 1 && parts[0] !== undefined) return parts[0]
  const whole = new Uint8Array(bytesOf(parts))
  let offset = 0
  for (const part of parts) {
    whole.set(part, offset)
    offset += part.byteLength
  }
  return whole
}

/** Fills `parts` with `bytes`, in order. */
export function scatter(parts: readonly Uint8Array[], bytes: Uint8Array): void {
  let offset = 0
  for (const part of parts) {
    if (offset >= bytes.byteLength) return
    const piece = bytes.subarray(offset, offset + part.byteLength)
    part.set(piece)
    offset += piece.byteLength
  }
}
