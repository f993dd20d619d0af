import type { GuestInput } from '../streams.ts'
import { CHANNEL_DESCRIPTOR, IO_BYTES_MAX, IO_VECTORS_MAX } from './constants.ts'
import { isNonblocking, type Descriptor } from './descriptors.ts'
import { ERRNO, WasiError } from './errno.ts'
import type { WasiHost } from './host.ts'
import type { GuestMemory } from './memory.ts'

const VECTOR_BYTES = 8
const FDSTAT_BYTES = 24
const FILESTAT_BYTES = 64

type StreamCallName =
  | 'fd_close'
  | 'fd_fdstat_get'
  | 'fd_fdstat_set_flags'
  | 'fd_fdstat_set_rights'
  | 'fd_filestat_get'
  | 'fd_write'

/** Calls on the open streams that answer at once. */
export function streamCalls(host: WasiHost): Record<StreamCallName, (...values: never[]) => number> {
  const { memory, descriptors } = host
  return {
    fd_close: (number: number) => {
      descriptors.close(number)
      return ERRNO.success
    },
    fd_fdstat_get: (number: number, result: number) => writeFdstat(memory, descriptors.get(number), result),
    fd_fdstat_set_flags: (number: number, flags: number) => {
      descriptors.setFlags(number, flags)
      return ERRNO.success
    },
    fd_fdstat_set_rights: (number: number, rights: bigint, inheriting: bigint) => {
      const held = descriptors.get(number).rights
      const asked = BigInt.asUintN(64, rights) | BigInt.asUintN(64, inheriting)
      return (asked & ~held) === 0n ? ERRNO.success : ERRNO.notcapable
    },
    fd_filestat_get: (number: number, result: number) =>
      writeFilestat(memory, descriptors.get(number), result),
    fd_write: (number: number, vectors: number, count: number, result: number) => {
      const descriptor = descriptors.get(number)
      if (!descriptor.isWritable) return ERRNO.badf
      let written = 0
      for (const part of readVectors(memory, vectors, count)) {
        if (part.byteLength > 0) host.write(descriptor.number, part)
        written += part.byteLength
      }
      memory.setU32(result, written)
      return ERRNO.success
    }
  }
}

/** `fd_read`: waits for at least one byte or the end, unless the descriptor is non-blocking. */
export function readCall(
  host: WasiHost
): (number: number, vectors: number, count: number, result: number) => Promise<number> {
  const { memory, descriptors } = host
  return async (number, vectors, count, result) => {
    const descriptor = descriptors.get(number)
    if (!descriptor.isReadable) return ERRNO.badf
    // Before waiting, so that a bad address is answered at once and costs no input.
    const asked = readVectors(memory, vectors, count).reduce((total, part) => total + part.byteLength, 0)
    memory.bytes(result, 4)
    const input = inputOf(host, descriptor)
    if (asked > 0 && !input.isReady) {
      if (isNonblocking(descriptor)) return ERRNO.again
      await input.ready()
    }
    let filled = 0
    for (const part of readVectors(memory, vectors, count)) filled += input.readInto(part)
    memory.setU32(result, filled)
    return ERRNO.success
  }
}

/** The input behind a readable descriptor. */
export function inputOf(host: WasiHost, descriptor: Descriptor): GuestInput {
  return descriptor.number === CHANNEL_DESCRIPTOR ? host.channel : host.stdin
}

/** Views of the buffers a program names, {@link IO_BYTES_MAX} bytes in all at most. */
function readVectors(memory: GuestMemory, vectors: number, count: number): Uint8Array[] {
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

function writeFdstat(memory: GuestMemory, descriptor: Descriptor, result: number): number {
  const bytes = memory.bytes(result, FDSTAT_BYTES).fill(0)
  const view = new DataView(bytes.buffer, bytes.byteOffset, FDSTAT_BYTES)
  view.setUint8(0, descriptor.fileType)
  view.setUint16(2, descriptor.flags, true)
  view.setBigUint64(8, descriptor.rights, true)
  return ERRNO.success
}

function writeFilestat(memory: GuestMemory, descriptor: Descriptor, result: number): number {
  const bytes = memory.bytes(result, FILESTAT_BYTES).fill(0)
  const view = new DataView(bytes.buffer, bytes.byteOffset, FILESTAT_BYTES)
  view.setBigUint64(8, BigInt(descriptor.number), true)
  view.setUint8(16, descriptor.fileType)
  view.setBigUint64(24, 1n, true)
  return ERRNO.success
}
