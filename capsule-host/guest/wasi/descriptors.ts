import { ERRNO, WasiError } from './errno.ts'
import { CHANNEL_DESCRIPTOR } from './constants.ts'

/** File types of WASI preview 1 that a stream can have. */
const FILE_TYPE = { characterDevice: 2, socketStream: 6 } as const
/** Rights of WASI preview 1, as bits. */
const RIGHT = {
  read: 1n << 1n,
  setFlags: 1n << 3n,
  write: 1n << 6n,
  stat: 1n << 21n,
  poll: 1n << 27n
} as const
/** Descriptor flags of WASI preview 1. */
const FLAG = { append: 1, nonblock: 4 } as const

/** One open stream. */
export interface Descriptor {
  readonly number: number
  readonly isReadable: boolean
  readonly isWritable: boolean
  readonly fileType: number
  readonly rights: bigint
  flags: number
}

/** The four descriptors a program has; it can close them and open none. */
export class DescriptorTable {
  readonly #open = new Map<number, Descriptor>([
    [0, stream(0, { isReadable: true, isWritable: false })],
    [1, stream(1, { isReadable: false, isWritable: true })],
    [2, stream(2, { isReadable: false, isWritable: true })],
    [CHANNEL_DESCRIPTOR, stream(CHANNEL_DESCRIPTOR, { isReadable: true, isWritable: true })]
  ])

  /**
   * The open descriptor `number`.
   *
   * @throws WasiError `BADF`
   */
  get(number: number): Descriptor {
    const descriptor = this.#open.get(number >>> 0)
    if (descriptor === undefined) throw new WasiError(ERRNO.badf)
    return descriptor
  }

  /** Closes descriptor `number`. */
  close(number: number): void {
    this.#open.delete(this.get(number).number)
  }

  /** Sets the flags of descriptor `number`; only `append` (without effect on a stream) and `nonblock` exist. */
  setFlags(number: number, flags: number): void {
    const descriptor = this.get(number)
    if ((flags & ~(FLAG.append | FLAG.nonblock)) !== 0) throw new WasiError(ERRNO.notsup)
    descriptor.flags = flags
  }
}

/** True when a read of `descriptor` must not wait. */
export function isNonblocking(descriptor: Descriptor): boolean {
  return (descriptor.flags & FLAG.nonblock) !== 0
}

function stream(number: number, mode: { isReadable: boolean; isWritable: boolean }): Descriptor {
  return {
    number,
    ...mode,
    fileType: number === CHANNEL_DESCRIPTOR ? FILE_TYPE.socketStream : FILE_TYPE.characterDevice,
    rights:
      (mode.isReadable ? RIGHT.read : 0n) |
      (mode.isWritable ? RIGHT.write : 0n) |
      RIGHT.setFlags |
      RIGHT.stat |
      RIGHT.poll,
    flags: 0
  }
}
