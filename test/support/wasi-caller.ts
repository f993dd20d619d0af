import { ERRNO } from '../../capsule-host/guest/wasi/errno.ts'
import { answer, answerLater, createWasiCalls } from '../../capsule-host/guest/wasi/imports.ts'
import type { WasiName } from '../../capsule-host/guest/wasi/signatures.ts'
import { createWasiWorld, type WasiWorld, type WasiWorldInit } from './wasi-world.ts'

const PAGES = 4
const PAGE_BYTES = 65_536

/** Where calls leave their results. */
export const RESULT = 0
const VECTORS = 64
const PATH = 1024
const PATH_2 = 8192
/** Where bytes that are read or written lie. */
export const BUFFER = 65_536

/** All rights of WASI preview 1. */
export const ALL: bigint = (1n << 28n) - 1n
const WRITE = 1n << 6n
/** To read, seek, tell, stat and poll. */
export const READING: bigint = (1n << 1n) | (1n << 2n) | (1n << 5n) | (1n << 21n) | (1n << 27n)

/** Flags of `path_open`. */
export const OPEN = { create: 1, folder: 2, exclusive: 4, truncate: 8 } as const

/** A program written as a test: it makes the calls of WASI preview 1 itself. */
export interface WasiCaller {
  readonly world: WasiWorld
  readonly view: DataView
  readonly bytes: Uint8Array
  /** Any call; its error number. */
  call(name: WasiName, ...values: (number | bigint)[]): Promise<number>
  /** A call on paths: the text of each is laid down and given as address and length. */
  path(name: WasiName, ...values: (number | bigint | string)[]): Promise<number>
  /** Opens a path below the preopened folder; its descriptor, or the error number made negative. */
  open(
    path: string,
    o?: { flags?: number; rights?: bigint; inheriting?: bigint; fdflags?: number; at?: number }
  ): Promise<number>
  /** Writes text; how many bytes were taken, or the error number made negative. */
  write(descriptor: number, text: string): Promise<number>
  /** Reads up to `length` bytes; the text, or the error number. */
  read(descriptor: number, length: number): Promise<string | number>
  /** What the program says is at a path. */
  stat(path: string): Promise<{ errno: number; type: number; size: bigint; inode: bigint }>
}

/** The descriptor of the preopened folder, behind the channel. */
export const DATA = 4

/** A program in a world of its own. */
export function createWasiCaller(init: WasiWorldInit = {}): WasiCaller {
  const world = createWasiWorld(init)
  const buffer = new ArrayBuffer(PAGES * PAGE_BYTES)
  world.host.memory.attach({ buffer })
  const view = new DataView(buffer)
  const bytes = new Uint8Array(buffer)
  const calls = createWasiCalls(world.host)
  const call: WasiCaller['call'] = async (name, ...values) => {
    const immediate = calls.immediate[name]
    if (immediate !== undefined) return answer(immediate)(...(values as never[]))
    const suspending = calls.suspending[name]
    if (suspending === undefined) throw new Error(`there is no ${name}`)
    return await answerLater(suspending)(...(values as never[]))
  }
  const vector = (length: number): [number, number] => {
    view.setUint32(VECTORS, BUFFER, true)
    view.setUint32(VECTORS + 4, length, true)
    return [VECTORS, 1]
  }
  const path: WasiCaller['path'] = async (name, ...values) => {
    let at = PATH
    const laid = values.flatMap((value) => {
      if (typeof value !== 'string') return [value]
      const start = at
      at = PATH_2
      const text = Buffer.from(value)
      bytes.set(text, start)
      return [start, text.byteLength]
    })
    return await call(name, ...laid)
  }
  return {
    world,
    view,
    bytes,
    call,
    path,
    open: async (text, { flags = 0, rights, inheriting = 0n, fdflags = 0, at = DATA } = {}) => {
      const asked = rights ?? ((flags & OPEN.folder) === 0 ? ALL : ALL & ~WRITE)
      const errno = await path('path_open', at, 1, text, flags, asked, inheriting, fdflags, RESULT)
      return errno === ERRNO.success ? view.getUint32(RESULT, true) : -errno
    },
    write: async (descriptor, text) => {
      const content = Buffer.from(text)
      bytes.set(content, BUFFER)
      const errno = await call('fd_write', descriptor, ...vector(content.byteLength), RESULT)
      return errno === ERRNO.success ? view.getUint32(RESULT, true) : -errno
    },
    read: async (descriptor, length) => {
      const errno = await call('fd_read', descriptor, ...vector(length), RESULT)
      if (errno !== ERRNO.success) return errno
      return Buffer.from(bytes.subarray(BUFFER, BUFFER + view.getUint32(RESULT, true))).toString()
    },
    stat: async (text) => {
      const errno = await path('path_filestat_get', DATA, 1, text, RESULT)
      return {
        errno,
        type: view.getUint8(16),
        size: view.getBigUint64(32, true),
        inode: view.getBigUint64(8, true)
      }
    }
  }
}
