import { crc32 } from 'node:zlib'
import { ERRNO } from '../wasi/errno.ts'
import type { SuspendingWasiCall, WasiCall, WasiHost } from '../wasi/host.ts'
import { errnoOf, type WasiCalls } from '../wasi/imports.ts'
import type { WasiName } from '../wasi/signatures.ts'
import { gather, readVectors } from '../wasi/vectors.ts'
import {
  ENTRY_HEAD_BYTES,
  ENTRY_KIND,
  ENTRY_KIND_OF,
  TRACE_ENTRIES_BYTES_MAX,
  UNRECORDED
} from './entries.ts'
import { checkOf, filledBytes, resultRegions, type Regions } from './regions.ts'

const BUFFER_BYTES = 60 * 1024
const OUTPUT_BYTES = 9

/** Options of {@link recordCalls}. */
export interface RecorderInit {
  /** Takes the next bytes of the trace, which are a view. */
  write(bytes: Uint8Array): void
  /** Whether bytes of standard input are kept. */
  readonly keepsInput: boolean
}

type Values = (number | bigint)[]

/** The same calls, each with an entry in a trace of what the program got from it. */
export function recordCalls(calls: WasiCalls, host: WasiHost, init: RecorderInit): WasiCalls {
  const recorder = new Recorder(host, init)
  const immediate = Object.entries(calls.immediate).map(([key, call]): [string, WasiCall] => {
    const name = key as WasiName
    if (UNRECORDED.has(name)) return [name, call]
    const plain = call as unknown as (...values: Values) => number
    return [name, (...values: Values) => recorder.now(name, values, plain)] as [string, WasiCall]
  })
  const suspending = Object.entries(calls.suspending).map(([key, call]): [string, SuspendingWasiCall] => {
    const name = key as WasiName
    const plain = call as unknown as (...values: Values) => Promise<number>
    return [name, (...values: Values) => recorder.later(name, values, plain)] as [string, SuspendingWasiCall]
  })
  return {
    immediate: Object.fromEntries(immediate),
    suspending: Object.fromEntries(suspending),
    finish: () => {
      calls.finish()
      recorder.flush()
    }
  }
}

class Recorder {
  readonly #host: WasiHost
  readonly #init: RecorderInit
  readonly #buffer = new Uint8Array(BUFFER_BYTES)
  readonly #view = new DataView(this.#buffer.buffer)
  #length = 0
  #writtenBytes = 0

  constructor(host: WasiHost, init: RecorderInit) {
    this.#host = host
    this.#init = init
  }

  now(name: WasiName, values: Values, call: (...values: Values) => number): number {
    const before = this.#before(name, values)
    let errno
    try {
      errno = call(...values)
    } catch (thrown) {
      errno = errnoOf(thrown)
    }
    this.#after(name, { values, errno, before })
    return errno
  }

  /** As {@link now}. What was gathered is handed over before the program waits for the world outside. */
  async later(name: WasiName, values: Values, call: (...values: Values) => Promise<number>): Promise<number> {
    const before = this.#before(name, values)
    // A read of a file waits for the host alone.
    if (name === 'poll_oneoff' || (name === 'fd_read' && before.stream !== undefined)) this.flush()
    let errno
    try {
      errno = await call(...values)
    } catch (thrown) {
      errno = errnoOf(thrown)
    }
    this.#after(name, { values, errno, before })
    return errno
  }

  flush(): void {
    if (this.#length === 0) return
    // What goes beyond the bound tells the host that there was more, once.
    if (this.#writtenBytes <= TRACE_ENTRIES_BYTES_MAX)
      this.#init.write(this.#buffer.subarray(0, this.#length))
    this.#writtenBytes += this.#length
    this.#length = 0
  }

  /** What must be looked up before the call: it may overwrite it. */
  #before(name: WasiName, values: Values): Before {
    const stream = name === 'fd_write' || name === 'fd_read' ? this.#streamOf(values) : undefined
    try {
      const regions = resultRegions(this.#host.memory, name, values)
      if (name !== 'fd_write' || stream === undefined) return { stream, regions, crc: 0 }
      const [, vectors, count] = values
      return {
        stream,
        regions,
        crc: crc32(gather(readVectors(this.#host.memory, Number(vectors), Number(count))))
      }
    } catch {
      // The call will say what is wrong with its addresses.
      return { stream, regions: undefined, crc: 0 }
    }
  }

  #after(name: WasiName, o: { values: Values; errno: number; before: Before }): void {
    const { errno, before } = o
    const { regions, stream } = before
    const check = checkOf(o.values)
    if (errno !== ERRNO.success || regions === undefined) {
      this.#entry({ kind: ENTRY_KIND_OF[name], errno, check, length: 0 })
      return
    }
    if (name === 'fd_write' && stream !== undefined) {
      this.#entry({ kind: ENTRY_KIND.output, errno, check, length: OUTPUT_BYTES })
      this.#view.setUint8(this.#length, stream)
      this.#view.setUint32(this.#length + 1, before.crc, true)
      this.#length += 5
      for (const part of regions.fixed) this.#put(part)
      return
    }
    const isWithheld = name === 'fd_read' && stream === 0 && !this.#init.keepsInput
    const filled = isWithheld ? 0 : filledBytes(name, regions)
    const kind = isWithheld ? ENTRY_KIND.withheldRead : ENTRY_KIND_OF[name]
    const length = filled + regions.fixed.reduce((total, part) => total + part.byteLength, 0)
    this.#entry({ kind, errno, check, length })
    this.#putFilled(regions, filled)
    for (const part of regions.fixed) this.#put(part)
  }

  #streamOf(values: Values): number | undefined {
    try {
      const descriptor = this.#host.descriptors.get(Number(values[0]))
      return descriptor.kind === 'stream' ? descriptor.stream : undefined
    } catch {
      return undefined
    }
  }

  #entry(head: { kind: number; errno: number; check: number; length: number }): void {
    if (this.#length + ENTRY_HEAD_BYTES + OUTPUT_BYTES > BUFFER_BYTES) this.flush()
    this.#view.setUint8(this.#length, head.kind)
    this.#view.setUint8(this.#length + 1, head.errno)
    this.#view.setUint32(this.#length + 2, head.check, true)
    this.#view.setUint32(this.#length + 6, head.length, true)
    this.#length += ENTRY_HEAD_BYTES
  }

  #putFilled({ filled }: Regions, bytes: number): void {
    let left = bytes
    for (const part of filled) {
      if (left === 0) return
      const piece = part.byteLength > left ? part.subarray(0, left) : part
      this.#put(piece)
      left -= piece.byteLength
    }
  }

  #put(bytes: Uint8Array): void {
    if (this.#length + bytes.byteLength <= BUFFER_BYTES) {
      this.#buffer.set(bytes, this.#length)
      this.#length += bytes.byteLength
      return
    }
    for (let done = 0; done < bytes.byteLength;) {
      if (this.#length === BUFFER_BYTES) this.flush()
      const piece = bytes.subarray(done, done + BUFFER_BYTES - this.#length)
      this.#buffer.set(piece, this.#length)
      this.#length += piece.byteLength
      done += piece.byteLength
    }
  }
}

interface Before {
  /** Which stream a read or write is of; `undefined` for files and for all other calls. */
  readonly stream: number | undefined
  readonly regions: Regions | undefined
  readonly crc: number
}
