import type { GuestInput } from '../streams.ts'
import { CHANNEL_DESCRIPTOR } from './constants.ts'
import { fileTypeOf, isNonblocking, may, type Descriptor, type StreamDescriptor } from './descriptors.ts'
import { ERRNO } from './errno.ts'
import type { WasiHost } from './host.ts'
import type { GuestMemory } from './memory.ts'
import { RIGHT } from './rights.ts'
import { bytesOf, readVectors } from './vectors.ts'

const FDSTAT_BYTES = 24
const FILESTAT_BYTES = 64

type DescriptorCallName = 'fd_fdstat_get' | 'fd_fdstat_set_flags' | 'fd_fdstat_set_rights'
type StreamCallName = 'fd_close' | 'fd_filestat_get' | 'fd_renumber' | 'fd_write'

/** Calls on any open descriptor that need nobody's answer. */
export function descriptorCalls(host: WasiHost): Record<DescriptorCallName, (...values: never[]) => number> {
  const { memory, descriptors } = host
  return {
    fd_fdstat_get: (number: number, result: number) => writeFdstat(memory, descriptors.get(number), result),
    fd_fdstat_set_flags: (number: number, flags: number) => {
      descriptors.setFlags(number, flags)
      return ERRNO.success
    },
    fd_fdstat_set_rights: (number: number, rights: bigint, inheriting: bigint) => {
      descriptors.setRights(number, { rights, inheriting })
      return ERRNO.success
    }
  }
}

/** Calls that answer at once when streams are all that is open. */
export function streamCalls(host: WasiHost): Record<StreamCallName, (...values: never[]) => number> {
  const { descriptors } = host
  return {
    fd_close: (number: number) => {
      descriptors.remove(number)
      return ERRNO.success
    },
    fd_filestat_get: (number: number, result: number) => statStream(host, descriptors.get(number), result),
    fd_renumber: (from: number, to: number) => {
      descriptors.renumber(from, to)
      return ERRNO.success
    },
    fd_write: (number: number, vectors: number, count: number, result: number) =>
      writeStream(host, descriptors.get(number), { vectors, count, result })
  }
}

/** Where a call finds its buffers, and where it says how many bytes it moved. */
export interface Buffers {
  readonly vectors: number
  readonly count: number
  readonly result: number
}

/** `fd_write` on a stream. */
export function writeStream(host: WasiHost, descriptor: Descriptor, at: Buffers): number {
  if (descriptor.kind !== 'stream' || !may(descriptor, RIGHT.write)) return ERRNO.badf
  let written = 0
  for (const part of readVectors(host.memory, at.vectors, at.count)) {
    if (part.byteLength > 0) host.write(descriptor.stream, part)
    written += part.byteLength
  }
  host.memory.setU32(at.result, written)
  return ERRNO.success
}

/** `fd_filestat_get` on a stream. */
export function statStream({ memory }: WasiHost, descriptor: Descriptor, result: number): number {
  if (descriptor.kind !== 'stream') return ERRNO.badf
  if (!may(descriptor, RIGHT.stat)) return ERRNO.notcapable
  const bytes = memory.bytes(result, FILESTAT_BYTES).fill(0)
  const view = new DataView(bytes.buffer, bytes.byteOffset, FILESTAT_BYTES)
  view.setBigUint64(8, BigInt(descriptor.stream), true)
  view.setUint8(16, descriptor.fileType)
  view.setBigUint64(24, 1n, true)
  return ERRNO.success
}

/** `fd_read`: waits for at least one byte or the end, unless the descriptor is non-blocking. */
export function readCall(
  host: WasiHost
): (number: number, vectors: number, count: number, result: number) => Promise<number> {
  const { memory, descriptors } = host
  return async (number, vectors, count, result) => {
    const descriptor = descriptors.get(number)
    if (descriptor.kind !== 'stream' || !may(descriptor, RIGHT.read)) return ERRNO.badf
    // Before waiting, so that a bad address is answered at once and costs no input.
    const asked = bytesOf(readVectors(memory, vectors, count))
    memory.bytes(result, 4)
    const input = inputOf(host, descriptor)
    if (asked > 0 && !input.isReady) {
      if (!isNonblocking(descriptor)) await input.ready()
      else if (!(await arrivesNow(host, [input]))) return ERRNO.again
    }
    let filled = 0
    for (const part of readVectors(memory, vectors, count)) filled += input.readInto(part)
    memory.setU32(result, filled)
    return ERRNO.success
  }
}

/**
 * Lets in what is on its way to `inputs`, and asks for more of it; true when one of them is ready. Bytes reach a process only
 * while its program waits: one that looks again and again without waiting would never see any.
 */
export async function arrivesNow(host: WasiHost, inputs: readonly GuestInput[]): Promise<boolean> {
  const turn = Promise.withResolvers<void>()
  const cancels = [...inputs.map((input) => input.onReady(turn.resolve)), host.after(0, turn.resolve)]
  await turn.promise
  for (const cancel of cancels) cancel()
  return inputs.some((input) => input.isReady)
}

/** The input behind a readable stream. */
export function inputOf(host: WasiHost, descriptor: StreamDescriptor): GuestInput {
  return descriptor.stream === CHANNEL_DESCRIPTOR ? host.channel : host.stdin
}

function writeFdstat(memory: GuestMemory, descriptor: Descriptor, result: number): number {
  const bytes = memory.bytes(result, FDSTAT_BYTES).fill(0)
  const view = new DataView(bytes.buffer, bytes.byteOffset, FDSTAT_BYTES)
  view.setUint8(0, fileTypeOf(descriptor))
  view.setUint16(2, descriptor.flags, true)
  view.setBigUint64(8, descriptor.rights, true)
  view.setBigUint64(16, descriptor.inheriting, true)
  return ERRNO.success
}
