import { IO_BYTES_MAX } from '../wasi/constants.ts'
import type { DescriptorTable } from '../wasi/descriptors.ts'
import { ERRNO } from '../wasi/errno.ts'
import type { SuspendingWasiCall, WasiCall, WasiHost } from '../wasi/host.ts'
import { errnoOf, type WasiCalls } from '../wasi/imports.ts'
import type { GuestMemory } from '../wasi/memory.ts'
import type { WasiName } from '../wasi/signatures.ts'
import { checksum } from './checksum.ts'
import { ENTRY_KIND_OF } from './entries.ts'
import type { EntryWriter } from './entry-writer.ts'
import type { FileAnswers } from './file-answers.ts'
import { checkOfFour, checkOfTwo, checkOn } from './regions.ts'

/** No address, stream or checksum. */
const NOWHERE = -1

const KIND = {
  clock: ENTRY_KIND_OF.clock_time_get,
  random: ENTRY_KIND_OF.random_get,
  read: ENTRY_KIND_OF.fd_read,
  write: ENTRY_KIND_OF.fd_write
} as const

/** What the calls that programs make again and again are recorded with. */
export interface FrequentWorld {
  readonly host: Pick<WasiHost, 'memory' | 'descriptors'>
  readonly entries: EntryWriter
  readonly answers: FileAnswers
  /** The calls themselves. */
  readonly calls: Pick<WasiCalls, 'immediate' | 'suspending'>
}

type Call<R> = (number: number, vectors: number, count: number, result: number) => R
type Recorded<C> = Readonly<Partial<Record<WasiName, C>>>

/**
 * The calls that programs make most, each recorded by itself with nothing looked up that it does not need, and little called:
 * most programs end before the engine has compiled any of this well. Entries are those of the general way, `recorded`, which
 * also takes what is out of the ordinary: several buffers, addresses that are none.
 */
export function frequentCalls(world: FrequentWorld, recorded: Recorded<WasiCall>): Recorded<WasiCall> {
  const { clock_time_get, random_get, fd_write } = world.calls.immediate
  const made: Partial<Record<WasiName, WasiCall>> = {}
  if (clock_time_get !== undefined) made.clock_time_get = clockCall(world, clock_time_get as never)
  if (random_get !== undefined) made.random_get = randomCall(world, random_get as never)
  if (fd_write !== undefined && recorded.fd_write !== undefined)
    made.fd_write = writeNow(world, fd_write as Call<number>, recorded.fd_write as Call<number>)
  return made
}

/** {@link frequentCalls} that may suspend the program. */
export function frequentLater(
  world: FrequentWorld,
  recorded: Recorded<SuspendingWasiCall>
): Recorded<SuspendingWasiCall> {
  const { fd_read, fd_write } = world.calls.suspending
  const made: Partial<Record<WasiName, SuspendingWasiCall>> = {}
  if (fd_read !== undefined && recorded.fd_read !== undefined)
    made.fd_read = readLater(
      world,
      fd_read as Call<Promise<number>>,
      recorded.fd_read as Call<Promise<number>>
    )
  if (fd_write !== undefined && recorded.fd_write !== undefined)
    made.fd_write = writeLater(
      world,
      fd_write as Call<Promise<number>>,
      recorded.fd_write as Call<Promise<number>>
    )
  return made
}

function clockCall(
  { host: { memory }, entries }: FrequentWorld,
  plain: (clock: number, precision: bigint, result: number) => number
): WasiCall {
  return (clock: number, precision: bigint, result: number) => {
    let errno
    try {
      errno = plain(clock, precision, result)
    } catch (thrown) {
      errno = errnoOf(thrown)
    }
    const low = precision === 0n ? 0 : Number(BigInt.asIntN(32, precision))
    const check = checkOn(checkOfTwo(clock, low), result)
    if (errno !== ERRNO.success) entries.head(KIND.clock, { errno, check, length: 0 })
    else {
      entries.begin(KIND.clock, check, 8)
      entries.u32(memory.u32(result))
      entries.u32(memory.u32(result + 4))
    }
    return errno
  }
}

function randomCall(
  { host: { memory }, entries }: FrequentWorld,
  plain: (address: number, length: number) => number
): WasiCall {
  return (address: number, length: number) => {
    let errno
    try {
      errno = plain(address, length)
    } catch (thrown) {
      errno = errnoOf(thrown)
    }
    const check = checkOfTwo(address, length)
    if (errno !== ERRNO.success) entries.head(KIND.random, { errno, check, length: 0 })
    else {
      entries.begin(KIND.random, check, length)
      entries.putFrom(memory.around(address, length), address >>> 0, length >>> 0)
    }
    return errno
  }
}

/** Reads of files into one buffer; whoever reads a stream waits, and is never in a hurry. */
function readLater(
  { host: { memory, descriptors }, entries, answers }: FrequentWorld,
  plain: Call<Promise<number>>,
  other: Call<Promise<number>>
): Call<Promise<number>> {
  return async (number, vectors, count, result) => {
    const isFile = count === 1 && descriptors.look(number)?.kind === 'file'
    // Before the call: a program may read over the list of its buffers.
    const address = isFile ? pointerAt(memory, vectors) : NOWHERE
    if (address === NOWHERE) return await other(number, vectors, count, result)
    let errno
    try {
      errno = await plain(number, vectors, count, result)
    } catch (thrown) {
      errno = errnoOf(thrown)
    }
    const check = checkOfFour(number, vectors, count, result)
    if (errno !== ERRNO.success) entries.head(KIND.read, { errno, check, length: 0 })
    else if (!answers.writeRead(entries, check)) {
      const filled = memory.u32(result)
      entries.begin(KIND.read, check, filled + 4)
      entries.put(memory.bytes(address, filled))
      entries.u32(filled)
    }
    return errno
  }
}

/** Writes of one buffer to a stream. */
function writeNow(world: FrequentWorld, plain: Call<number>, other: Call<number>): Call<number> {
  const { memory, descriptors } = world.host
  return (number, vectors, count, result) => {
    const stream = count === 1 ? streamAt(descriptors, number) : NOWHERE
    const crc = stream === NOWHERE ? NOWHERE : checksumAt(memory, vectors)
    if (crc === NOWHERE) return other(number, vectors, count, result)
    let errno
    try {
      errno = plain(number, vectors, count, result)
    } catch (thrown) {
      errno = errnoOf(thrown)
    }
    noteWrite(world, errno, checkOfFour(number, vectors, count, result), stream, crc, result)
    return errno
  }
}

/** {@link writeNow} where a write suspends the program. */
function writeLater(
  world: FrequentWorld,
  plain: Call<Promise<number>>,
  other: Call<Promise<number>>
): Call<Promise<number>> {
  const { memory, descriptors } = world.host
  return async (number, vectors, count, result) => {
    const stream = count === 1 ? streamAt(descriptors, number) : NOWHERE
    const crc = stream === NOWHERE ? NOWHERE : checksumAt(memory, vectors)
    if (crc === NOWHERE) return await other(number, vectors, count, result)
    let errno
    try {
      errno = await plain(number, vectors, count, result)
    } catch (thrown) {
      errno = errnoOf(thrown)
    }
    noteWrite(world, errno, checkOfFour(number, vectors, count, result), stream, crc, result)
    return errno
  }
}

function noteWrite(
  { host: { memory }, entries }: FrequentWorld,
  errno: number,
  check: number,
  stream: number,
  crc: number,
  result: number
): void {
  if (errno !== ERRNO.success) {
    entries.head(KIND.write, { errno, check, length: 0 })
    return
  }
  entries.output(check, stream, crc, memory.u32(result))
}

function streamAt(descriptors: DescriptorTable, number: number): number {
  const descriptor = descriptors.look(number)
  return descriptor?.kind === 'stream' ? descriptor.stream : NOWHERE
}

/** The checksum of the buffer that is named at `vectors`; {@link NOWHERE} where there is none, or one that is not taken whole. */
function checksumAt(memory: GuestMemory, vectors: number): number {
  try {
    const length = memory.u32(vectors + 4)
    if (length > IO_BYTES_MAX) return NOWHERE
    const address = memory.u32(vectors)
    return checksum(memory.around(address, length), address, address + length)
  } catch {
    // The call will say what is wrong with its addresses.
    return NOWHERE
  }
}

/** The address at `address`, {@link NOWHERE} where there is no memory. */
function pointerAt(memory: GuestMemory, address: number): number {
  try {
    return memory.u32(address)
  } catch {
    return NOWHERE
  }
}
