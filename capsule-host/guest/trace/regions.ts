import type { GuestMemory } from '../wasi/memory.ts'
import type { WasiName } from '../wasi/signatures.ts'
import { readVectors } from '../wasi/vectors.ts'

/** Where a call leaves its result. */
export interface Regions {
  /** What it fills, as far as it says how much it filled. */
  readonly filled: readonly Uint8Array[]
  /** What it always writes when it succeeds, the last field of its parameters mostly. */
  readonly fixed: readonly Uint8Array[]
}

type Values = readonly (number | bigint)[]
type Place = readonly [parameter: number, bytes: number]

/** Results of a known size: which parameter is their address, and how long they are. */
const FIXED: Readonly<Partial<Record<WasiName, Place>>> = {
  clock_time_get: [2, 8],
  fd_fdstat_get: [1, 24],
  fd_filestat_get: [1, 64],
  fd_prestat_get: [1, 8],
  fd_pread: [4, 4],
  fd_pwrite: [4, 4],
  fd_read: [3, 4],
  fd_readdir: [4, 4],
  fd_seek: [3, 8],
  fd_tell: [1, 8],
  fd_write: [3, 4],
  path_filestat_get: [4, 64],
  path_open: [8, 4],
  path_readlink: [5, 4],
  poll_oneoff: [3, 4]
}

/** Results of a size that the call itself chooses, within what the program offers. */
const FILLED: Readonly<Partial<Record<WasiName, (memory: GuestMemory, values: Values) => Uint8Array[]>>> = {
  fd_pread: (memory, values) => readVectors(memory, at(values, 1), at(values, 2)),
  fd_read: (memory, values) => readVectors(memory, at(values, 1), at(values, 2)),
  fd_prestat_dir_name: (memory, values) => [memory.bytes(at(values, 1), at(values, 2))],
  fd_readdir: (memory, values) => [memory.bytes(at(values, 1), at(values, 2))],
  path_readlink: (memory, values) => [memory.bytes(at(values, 3), at(values, 4))],
  poll_oneoff: (memory, values) => [memory.bytes(at(values, 1), (at(values, 2) >>> 0) * EVENT_BYTES)],
  random_get: (memory, values) => [memory.bytes(at(values, 0), at(values, 1))]
}

const EVENT_BYTES = 32
const NONE: readonly Uint8Array[] = []

/**
 * Where a call with `values` leaves its result. Looked up before the call: a program may have its buffers where the list
 * of its buffers is.
 *
 * @throws WasiError as the call itself does for an address outside
 */
export function resultRegions(memory: GuestMemory, name: WasiName, values: Values): Regions {
  const place = FIXED[name]
  const filled = FILLED[name]
  return {
    filled: filled === undefined ? NONE : filled(memory, values),
    fixed: place === undefined ? NONE : [memory.bytes(at(values, place[0]), place[1])]
  }
}

/** How many bytes of {@link Regions.filled} a call that succeeded filled. */
export function filledBytes(name: WasiName, { filled, fixed }: Regions): number {
  const [first] = filled
  if (first === undefined) return 0
  if (name === 'random_get' || name === 'fd_prestat_dir_name') return first.byteLength
  const [result] = fixed
  const count = result === undefined ? 0 : readU32(result)
  return name === 'poll_oneoff' ? count * EVENT_BYTES : count
}

function readU32(bytes: Uint8Array): number {
  const low = (bytes[0] ?? 0) | ((bytes[1] ?? 0) << 8)
  return (low | ((bytes[2] ?? 0) << 16) | ((bytes[3] ?? 0) << 24)) >>> 0
}

/** What a check begins with, and what each value is multiplied by (FNV-1a). */
const CHECK = { start: 0x811c_9dc5, prime: 0x0100_0193 } as const

/** A number that differs, most likely, when a program calls with other values. */
export function checkOf(values: Values): number {
  let check: number = CHECK.start
  for (const value of values) {
    check = checkOn(check, typeof value === 'number' ? value : Number(BigInt.asIntN(32, value)))
  }
  return check >>> 0
}

/** {@link checkOf} two numbers. */
export function checkOfTwo(first: number, second: number): number {
  return checkOn(checkOn(CHECK.start, first), second) >>> 0
}

/** {@link checkOf} four numbers. */
export function checkOfFour(first: number, second: number, third: number, fourth: number): number {
  return checkOn(checkOn(checkOfTwo(first, second), third), fourth)
}

/** What {@link checkOf} gives with one more value behind those of `check`. */
export function checkOn(check: number, value: number): number {
  return Math.imul(check ^ value, CHECK.prime) >>> 0
}

function at(values: Values, index: number): number {
  return Number(values[index] ?? 0)
}
