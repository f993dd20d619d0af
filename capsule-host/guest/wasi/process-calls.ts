import { CLOCK_RESOLUTION_NS, RANDOM_BYTES_MAX, RANDOM_CHUNK_BYTES } from './constants.ts'
import { ERRNO, ProcessExit, WasiError } from './errno.ts'
import type { WasiHost } from './host.ts'
import type { GuestMemory } from './memory.ts'
import type { WasiName } from './signatures.ts'

const CLOCK = { realtime: 0, monotonic: 1 } as const
const NS_PER_MS = 1_000_000n
/** Signals of WASI preview 1 by what they do to a program that cannot handle any; the rest end it, as a shell says it. */
const SIGNAL = {
  count: 31,
  /** None, a child's, to go on, urgent data, a window's size. */
  ignored: new Set([0, 16, 17, 22, 27]),
  stopping: new Set([18, 19, 20, 21]),
  exitCode: 128
} as const

type ProcessCallName = Extract<
  WasiName,
  `args_${string}` | `environ_${string}` | `clock_${string}` | `proc_${string}`
>

/** Calls about the program itself: arguments, an environment, coarse clocks, randomness, its end. */
export function processCalls(
  host: WasiHost
): Record<ProcessCallName | 'random_get' | 'sched_yield', (...values: never[]) => number> {
  const { memory, environment = [] } = host
  const exit = (exitCode: number): never => {
    host.exit(exitCode)
    throw new ProcessExit(exitCode)
  }
  return {
    args_get: (pointers: number, text: number) => writeStrings(memory, host.args, { pointers, text }),
    args_sizes_get: (count: number, bytes: number) => writeSizes(memory, host.args, { count, bytes }),
    environ_get: (pointers: number, text: number) => writeStrings(memory, environment, { pointers, text }),
    environ_sizes_get: (count: number, bytes: number) => writeSizes(memory, environment, { count, bytes }),
    clock_res_get: (clock: number, result: number) => {
      readClockNs(host, clock)
      memory.setU64(result, CLOCK_RESOLUTION_NS)
      return ERRNO.success
    },
    clock_time_get: (clock: number, _precision: bigint, result: number) => {
      memory.setU64(result, readClockNs(host, clock))
      return ERRNO.success
    },
    random_get: (address: number, length: number) => {
      if (length >>> 0 > RANDOM_BYTES_MAX) return ERRNO.inval
      const target = memory.bytes(address, length)
      for (let offset = 0; offset < target.byteLength; offset += RANDOM_CHUNK_BYTES) {
        host.fillRandom(target.subarray(offset, offset + RANDOM_CHUNK_BYTES))
      }
      return ERRNO.success
    },
    sched_yield: () => ERRNO.success,
    proc_exit: (exitCode: number) => exit(exitCode >>> 0),
    proc_raise: (signal: number) => {
      const number = signal >>> 0
      if (number >= SIGNAL.count) return ERRNO.inval
      if (SIGNAL.ignored.has(number)) return ERRNO.success
      if (SIGNAL.stopping.has(number)) return ERRNO.notsup
      return exit(SIGNAL.exitCode + number)
    }
  }
}

/**
 * Nanoseconds of clock `clock`, in steps of a millisecond. The CPU-time clocks are not offered: they would tell
 * a program about its host.
 *
 * @throws WasiError `INVAL`
 */
export function readClockNs(host: Pick<WasiHost, 'nowMs' | 'monotonicMs'>, clock: number): bigint {
  if (clock === CLOCK.realtime) return BigInt(Math.floor(host.nowMs())) * NS_PER_MS
  if (clock === CLOCK.monotonic) return BigInt(Math.floor(host.monotonicMs())) * NS_PER_MS
  throw new WasiError(ERRNO.inval)
}

function writeStrings(
  memory: GuestMemory,
  strings: readonly Uint8Array[],
  at: { pointers: number; text: number }
): number {
  let text = at.text >>> 0
  strings.forEach((string, index) => {
    memory.setU32((at.pointers >>> 0) + index * 4, text)
    memory.bytes(text, string.byteLength).set(string)
    text += string.byteLength
  })
  return ERRNO.success
}

function writeSizes(
  memory: GuestMemory,
  strings: readonly Uint8Array[],
  at: { count: number; bytes: number }
): number {
  memory.setU32(at.count, strings.length)
  memory.setU32(
    at.bytes,
    strings.reduce((total, string) => total + string.byteLength, 0)
  )
  return ERRNO.success
}
