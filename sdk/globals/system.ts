import type { RawSystem } from './raw.ts'

/** Where the SDK finds the {@link System} of a running capsule. */
export const SYSTEM_SYMBOL: unique symbol = Symbol.for('elastos.system') as never

/** Error numbers of WASI preview 1 that are told apart. */
export const ERRNO = { success: 0, again: 6, badf: 8 } as const

/** A call of the system failed, with its number of WASI preview 1. */
export class SystemError extends Error {
  readonly errno: number

  constructor(call: string, errno: number) {
    super(`${call} failed with errno ${errno}`)
    this.name = 'SystemError'
    this.errno = errno
  }
}

/** Bytes one read or write moves at most. */
export const CHUNK_BYTES = 65_536
/** The start of the shared buffer is for records; bytes that move follow. */
const DATA_OFFSET = 8192
/** Bytes of the buffer that the toolchain hands over. */
const RAW_BUFFER_BYTES: number = DATA_OFFSET + CHUNK_BYTES

const CLOCK = { realtime: 0, monotonic: 1 } as const
const NONBLOCK = 4
const SUBSCRIPTION_BYTES = 48
const EVENT_BYTES = 32
const EVENTS_OFFSET = 4096
const KIND = { clock: 0, read: 1 } as const
/** Subscriptions of one wait: what fits before the events. */
const SUBSCRIPTIONS_MAX = 64

/** The system of a capsule, as scripts may use it: descriptors, clocks, chance, arguments. Reads never wait. */
export interface System {
  readonly args: readonly string[]
  /** Up to `bytesMax` bytes; none when it has ended, `undefined` when there is nothing yet. */
  read(descriptor: number, bytesMax?: number): Uint8Array | undefined
  write(descriptor: number, bytes: Uint8Array): void
  /** Waits until a descriptor can be read or the time is over; which can be read now. */
  wait(descriptors: readonly number[], timeoutMs: number | undefined): number[]
  /** Milliseconds since 1970. */
  nowMs(): number
  /** Milliseconds that never go back. */
  monotonicMs(): number
  fillRandom(bytes: Uint8Array): void
  exit(code: number): never
}

/** Wraps {@link RawSystem} so that no address can be wrong. */
export function createSystem(raw: RawSystem): System {
  const { buffer, address } = raw
  if (buffer.byteLength !== RAW_BUFFER_BYTES)
    throw new Error(`expected a buffer of ${RAW_BUFFER_BYTES} bytes`)
  const view = new DataView(buffer)
  const data = new Uint8Array(buffer, DATA_OFFSET)
  let args: readonly string[] | undefined
  const check = (call: string, errno: number): void => {
    if (errno !== ERRNO.success) throw new SystemError(call, errno)
  }
  const clockMs = (clock: number): number => {
    check('clock_time_get', raw.clock_time_get(clock, 1, address))
    return Number(view.getBigUint64(0, true)) / 1e6
  }
  const pointAt = (length: number): void => {
    view.setUint32(0, address + DATA_OFFSET, true)
    view.setUint32(4, length, true)
  }
  return {
    get args() {
      args ??= readArguments(raw, view)
      return args
    },
    read: (descriptor, bytesMax = CHUNK_BYTES) => {
      pointAt(Math.min(bytesMax, CHUNK_BYTES))
      const errno = raw.fd_read(descriptor, address, 1, address + 8)
      if (errno === ERRNO.again) return undefined
      check('fd_read', errno)
      return data.slice(0, view.getUint32(8, true))
    },
    write: (descriptor, bytes) => {
      for (let offset = 0; offset < bytes.byteLength;) {
        const chunk = bytes.subarray(offset, offset + CHUNK_BYTES)
        data.set(chunk)
        pointAt(chunk.byteLength)
        check('fd_write', raw.fd_write(descriptor, address, 1, address + 8))
        offset += view.getUint32(8, true)
      }
    },
    wait: (descriptors, timeoutMs) => {
      for (const descriptor of descriptors) raw.fd_fdstat_set_flags(descriptor, NONBLOCK)
      const count = writeSubscriptions(view, descriptors, timeoutMs)
      check('poll_oneoff', raw.poll_oneoff(address, address + EVENTS_OFFSET, count, address + DATA_OFFSET))
      return readEvents(view, descriptors)
    },
    nowMs: () => clockMs(CLOCK.realtime),
    monotonicMs: () => clockMs(CLOCK.monotonic),
    fillRandom: (bytes) => {
      for (let offset = 0; offset < bytes.byteLength; offset += CHUNK_BYTES) {
        const length = Math.min(CHUNK_BYTES, bytes.byteLength - offset)
        check('random_get', raw.random_get(address + DATA_OFFSET, length))
        bytes.set(data.subarray(0, length), offset)
      }
    },
    exit: (code) => raw.proc_exit(code)
  }
}

function readArguments(raw: RawSystem, view: DataView): readonly string[] {
  const { buffer, address } = raw
  if (raw.args_sizes_get(address, address + 4) !== ERRNO.success) return []
  const count = view.getUint32(0, true)
  // A capsule is given at most 256 arguments in 64 KiB: the pointers fit before the data, the text in it.
  if (raw.args_get(address, address + DATA_OFFSET) !== ERRNO.success) return []
  const bytes = new Uint8Array(buffer)
  return Array.from({ length: count }, (_, index) => {
    const start = view.getUint32(index * 4, true) - address
    return raw.text_decode(buffer, start, bytes.indexOf(0, start) - start)
  })
}

function writeSubscriptions(
  view: DataView,
  descriptors: readonly number[],
  timeoutMs: number | undefined
): number {
  const polled = descriptors.slice(0, SUBSCRIPTIONS_MAX)
  polled.forEach((descriptor, index) => {
    const at = writeSubscription(view, index, KIND.read)
    view.setUint32(at + 16, descriptor, true)
  })
  if (timeoutMs === undefined) return polled.length
  const at = writeSubscription(view, polled.length, KIND.clock)
  view.setUint32(at + 16, CLOCK.monotonic, true)
  view.setBigUint64(at + 24, BigInt(Math.ceil(Math.max(0, timeoutMs))) * 1_000_000n, true)
  return polled.length + 1
}

function writeSubscription(view: DataView, index: number, kind: number): number {
  const at = index * SUBSCRIPTION_BYTES
  for (let offset = 0; offset < SUBSCRIPTION_BYTES; offset += 8) view.setBigUint64(at + offset, 0n, true)
  view.setUint32(at, index, true)
  view.setUint8(at + 8, kind)
  return at
}

function readEvents(view: DataView, descriptors: readonly number[]): number[] {
  const count = view.getUint32(DATA_OFFSET, true)
  const ready: number[] = []
  for (let index = 0; index < count; index++) {
    const at = EVENTS_OFFSET + index * EVENT_BYTES
    const descriptor = descriptors[view.getUint32(at, true)]
    if (view.getUint8(at + 10) === KIND.read && descriptor !== undefined) ready.push(descriptor)
  }
  return ready
}
