import { ERRNO } from '../wasi/errno.ts'
import type { SuspendingWasiCall, WasiCall, WasiHost } from '../wasi/host.ts'
import { answer, errnoOf, type WasiCalls } from '../wasi/imports.ts'
import type { WasiName } from '../wasi/signatures.ts'
import { gather, readVectors } from '../wasi/vectors.ts'
import { checksum } from './checksum.ts'
import { ENTRY_KIND, ENTRY_KIND_OF, UNRECORDED } from './entries.ts'
import { EntryWriter } from './entry-writer.ts'
import type { FileAnswers } from './file-answers.ts'
import { frequentCalls, frequentLater } from './frequent-calls.ts'
import { checkOf, filledBytes, resultRegions, type Regions } from './regions.ts'

/** Options of {@link recordCalls}. */
export interface RecorderInit {
  /** Takes the next bytes of the trace, which are a view. */
  write(bytes: Uint8Array): void
  /** Whether bytes of standard input are kept. */
  readonly keepsInput: boolean
}

type Values = (number | bigint)[]

/**
 * The same calls, each with an entry in a trace of what the program got from it. `host` tells `answers` of the files it reads.
 */
export function recordCalls(
  calls: WasiCalls,
  host: WasiHost,
  init: RecorderInit & { readonly answers: FileAnswers }
): WasiCalls {
  const entries = new EntryWriter((bytes) => init.write(bytes))
  const recorder = new Recorder(host, { entries, keepsInput: init.keepsInput })
  const immediate: Partial<Record<WasiName, WasiCall>> = {}
  for (const [key, call] of Object.entries(calls.immediate)) {
    const name = key as WasiName
    const plain = call as unknown as (...values: Values) => number
    immediate[name] = UNRECORDED.has(name)
      ? answer(call)
      : (...values: Values) => recorder.now(name, values, plain)
  }
  const suspending: Partial<Record<WasiName, SuspendingWasiCall>> = {}
  for (const [key, call] of Object.entries(calls.suspending)) {
    const name = key as WasiName
    const plain = call as unknown as (...values: Values) => Promise<number>
    suspending[name] = (...values: Values) => recorder.later(name, values, plain)
  }
  const world = { host, entries, calls, answers: init.answers }
  return {
    // What is recorded is what is answered.
    areAnswered: true,
    immediate: { ...immediate, ...frequentCalls(world, immediate) },
    suspending: { ...suspending, ...frequentLater(world, suspending) },
    finish: () => {
      calls.finish()
      entries.flush()
    }
  }
}

/** Records any call. */
class Recorder {
  readonly #host: WasiHost
  readonly #entries: EntryWriter
  readonly #keepsInput: boolean

  constructor(host: WasiHost, { entries, keepsInput }: { entries: EntryWriter; keepsInput: boolean }) {
    this.#host = host
    this.#entries = entries
    this.#keepsInput = keepsInput
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
    if (name === 'poll_oneoff' || (name === 'fd_read' && before.stream !== undefined)) this.#entries.flush()
    let errno
    try {
      errno = await call(...values)
    } catch (thrown) {
      errno = errnoOf(thrown)
    }
    this.#after(name, { values, errno, before })
    return errno
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
        crc: checksum(gather(readVectors(this.#host.memory, Number(vectors), Number(count))))
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
      this.#entries.head(ENTRY_KIND_OF[name], { errno, check, length: 0 })
      return
    }
    if (name === 'fd_write' && stream !== undefined) {
      this.#entries.output(check, stream, before.crc, this.#host.memory.u32(Number(o.values[3])))
      return
    }
    const isWithheld = name === 'fd_read' && stream === 0 && !this.#keepsInput
    const filled = isWithheld ? 0 : filledBytes(name, regions)
    const kind = isWithheld ? ENTRY_KIND.withheldRead : ENTRY_KIND_OF[name]
    const length = filled + regions.fixed.reduce((total, part) => total + part.byteLength, 0)
    this.#entries.begin(kind, check, length)
    this.#putFilled(regions, filled)
    for (const part of regions.fixed) this.#entries.put(part)
  }

  #streamOf(values: Values): number | undefined {
    const descriptor = this.#host.descriptors.look(Number(values[0]))
    return descriptor?.kind === 'stream' ? descriptor.stream : undefined
  }

  #putFilled({ filled }: Regions, bytes: number): void {
    let left = bytes
    for (const part of filled) {
      if (left === 0) return
      const piece = part.byteLength > left ? part.subarray(0, left) : part
      this.#entries.put(piece)
      left -= piece.byteLength
    }
  }
}

interface Before {
  /** Which stream a read or write is of; `undefined` for files and for all other calls. */
  readonly stream: number | undefined
  readonly regions: Regions | undefined
  readonly crc: number
}
