import { CHANNEL_DESCRIPTOR, IO_BYTES_MAX } from '../wasi/constants.ts'
import { ERRNO, WasiError } from '../wasi/errno.ts'
import type { SuspendingWasiCall, WasiCall, WasiHost } from '../wasi/host.ts'
import type { WasiCalls } from '../wasi/imports.ts'
import { processCalls } from '../wasi/process-calls.ts'
import { WASI_PARAMETERS, type WasiName } from '../wasi/signatures.ts'
import { gather, readVectors, scatter } from '../wasi/vectors.ts'
import { checksum } from './checksum.ts'
import { ENTRY_KIND, ENTRY_KIND_OF, TraceReader, UNRECORDED, type TraceEntry } from './entries.ts'
import { checkOf, resultRegions } from './regions.ts'

/** The program did something else than when it was recorded, or the trace is at its end. */
export class ReplayError extends Error {}

/** The program goes on where its trace ends. */
export class TraceEndError extends ReplayError {}

type Values = (number | bigint)[]
const OUTPUT_HEAD_BYTES = 5

/**
 * Calls that are answered from a trace, in the order it has them. Nothing is read from the world but standard input
 * that was left out of the trace; what the program writes is written again.
 */
export function replayCalls(host: WasiHost, trace: Uint8Array): WasiCalls {
  const replayer = new Replayer(host, new TraceReader(trace))
  const exit = (exitCode: number): void => {
    replayer.checkEnd()
    host.exit(exitCode)
  }
  const local: Readonly<Partial<Record<WasiName, WasiCall>>> = processCalls({ ...host, exit })
  const immediate: Partial<Record<WasiName, WasiCall>> = {}
  const suspending: Partial<Record<WasiName, SuspendingWasiCall>> = {
    fd_read: async (...values: Values) => {
      try {
        return await replayer.read(values)
      } catch (thrown) {
        replayer.note(thrown)
        throw thrown
      }
    }
  }
  const answered =
    (name: WasiName) =>
    (...values: Values): number => {
      try {
        return replayer.answer(name, values)
      } catch (thrown) {
        replayer.note(thrown)
        throw thrown
      }
    }
  for (const name of Object.keys(WASI_PARAMETERS) as WasiName[]) {
    if (name === 'fd_read') continue
    const call = UNRECORDED.has(name) ? local[name] : undefined
    immediate[name] = call ?? answered(name)
  }
  return { immediate, suspending, finish: () => undefined, checkEnd: () => replayer.checkEnd() }
}

class Replayer {
  readonly #host: WasiHost
  readonly #trace: TraceReader
  #calls = 0
  #failure: Error | undefined

  constructor(host: WasiHost, trace: TraceReader) {
    this.#host = host
    this.#trace = trace
  }

  /** Remembers what ended the replay: a program can catch it, and go on. */
  note(thrown: unknown): void {
    if (thrown instanceof Error && !(thrown instanceof WasiError)) this.#failure ??= thrown
  }

  /**
   * Comes when the program ends.
   *
   * @throws ReplayError when it is not where its trace ends too; what ended the replay before
   */
  checkEnd(): void {
    if (this.#failure !== undefined) throw this.#failure
    const entry = this.#trace.next()
    if (entry === undefined || entry.kind === ENTRY_KIND.end) return
    this.#failure = new ReplayError(`the program ends after call ${this.#calls}, before its trace does`)
    throw this.#failure
  }

  /** Answers any call as it was answered. */
  answer(name: WasiName, values: Values): number {
    const entry = this.#next(name, values)
    if (entry.errno !== ERRNO.success) return entry.errno
    if (entry.kind === ENTRY_KIND.output) this.#write(entry, values)
    else this.#fill(name, { values, payload: entry.payload })
    return entry.errno
  }

  /** Answers `fd_read`, with input given anew where it was left out. */
  async read(values: Values): Promise<number> {
    const entry = this.#next('fd_read', values)
    if (entry.errno !== ERRNO.success) return entry.errno
    if (entry.kind === ENTRY_KIND.fileRead) {
      this.#fill('fd_read', { values, payload: this.#fileBytes(entry.payload) })
      return entry.errno
    }
    if (entry.kind !== ENTRY_KIND.withheldRead) {
      this.#fill('fd_read', { values, payload: entry.payload })
      return entry.errno
    }
    const length = numberOf(entry.payload, 0)
    const payload = new Uint8Array(length + 4)
    payload.set(entry.payload, length)
    for (let filled = 0; filled < length;) {
      const { stdin } = this.#host
      await stdin.ready()
      const count = stdin.readInto(payload.subarray(filled, length))
      if (count === 0)
        throw new ReplayError('expected the input that was left out of the trace on standard input')
      filled += count
    }
    this.#fill('fd_read', { values, payload })
    return entry.errno
  }

  #next(name: WasiName, values: Values): TraceEntry {
    if (this.#failure !== undefined) throw this.#failure
    const entry = this.#trace.next()
    this.#calls++
    if (entry === undefined || entry.kind === ENTRY_KIND.end) {
      throw new TraceEndError(`the trace ends before call ${this.#calls}, ${name}`)
    }
    const isRight =
      entry.kind === ENTRY_KIND_OF[name] ||
      (entry.kind === ENTRY_KIND.output && name === 'fd_write') ||
      ((entry.kind === ENTRY_KIND.withheldRead || entry.kind === ENTRY_KIND.fileRead) && name === 'fd_read')
    if (!isRight || entry.check !== checkOf(values)) {
      throw new ReplayError(`call ${this.#calls}, ${name}, is another than was recorded`)
    }
    return entry
  }

  /** What a read of a file got, as its entry would hold it by itself. */
  #fileBytes(payload: Uint8Array): Uint8Array {
    const filled = numberOf(payload, 0)
    if (filled > IO_BYTES_MAX) throw new ReplayError('expected a shorter read in the trace')
    const bytes = new Uint8Array(filled + 4)
    let done = 0
    for (let at = 4; at < payload.byteLength; at += 12) {
      const length = numberOf(payload, at + 8)
      const piece = this.#trace.answered(numberOf(payload, at), numberOf(payload, at + 4), length)
      if (piece === undefined || done + length > filled)
        throw new ReplayError('expected an answer of the host in the trace')
      bytes.set(piece, done)
      done += length
    }
    if (done !== filled) throw new ReplayError('expected all of an answer of the host in the trace')
    bytes.set(payload.subarray(0, 4), filled)
    return bytes
  }

  #fill(name: WasiName, { values, payload }: { values: Values; payload: Uint8Array }): void {
    const { filled, fixed } = resultRegions(this.#host.memory, name, values)
    const fixedBytes = fixed.reduce((total, part) => total + part.byteLength, 0)
    if (payload.byteLength < fixedBytes) throw new ReplayError('expected a longer entry in the trace')
    const split = payload.byteLength - fixedBytes
    scatter(filled, payload.subarray(0, split))
    scatter(fixed, payload.subarray(split))
  }

  #write({ payload }: TraceEntry, values: Values): void {
    const [, vectors, count] = values
    const parts = readVectors(this.#host.memory, Number(vectors), Number(count))
    if (payload.byteLength < OUTPUT_HEAD_BYTES || checksum(gather(parts)) !== numberOf(payload, 1)) {
      throw new ReplayError(`the output of call ${this.#calls} is another than was recorded`)
    }
    const stream = payload[0] ?? CHANNEL_DESCRIPTOR
    // Nobody answers on the channel of a replay: what came there is in the trace.
    if (stream !== CHANNEL_DESCRIPTOR) {
      for (const part of parts) if (part.byteLength > 0) this.#host.write(stream, part)
    }
    this.#fill('fd_write', { values, payload: payload.subarray(OUTPUT_HEAD_BYTES) })
  }
}

function numberOf(bytes: Uint8Array, offset: number): number {
  if (bytes.byteLength < offset + 4) throw new ReplayError('expected a longer entry in the trace')
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(offset, true)
}
