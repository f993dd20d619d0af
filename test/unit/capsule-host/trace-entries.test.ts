import assert from 'node:assert/strict'
import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import type { RunTrace } from '#capsule-host'
import {
  CHUNK,
  CHUNK_HEAD_BYTES,
  encodeChunkHead,
  ENTRY_KIND,
  KEPT_ANSWER_BYTES_MIN,
  TraceFormatError,
  TraceReader
} from '../../../capsule-host/guest/trace/entries.ts'
import { EntryWriter } from '../../../capsule-host/guest/trace/entry-writer.ts'
import { checkOf } from '../../../capsule-host/guest/trace/regions.ts'
import { replayCalls, ReplayError } from '../../../capsule-host/guest/trace/replayer.ts'
import { TRACE_WAITING_BYTES_MAX } from '../../../capsule-host/constants.ts'
import { TraceIntake } from '../../../capsule-host/process/trace-intake.ts'
import { createWasiWorld } from '../../support/wasi-world.ts'

const ENTRIES_URL = import.meta.resolve('../../../capsule-host/guest/trace/entries.ts')

const chunk = (type: number, bytes: Uint8Array): Buffer =>
  Buffer.concat([encodeChunkHead(type, bytes.byteLength), bytes])

/** The entries that `write` writes, as one piece. */
function entriesOf(write: (entries: EntryWriter) => void): Buffer {
  const parts: Uint8Array[] = []
  const entries = new EntryWriter((bytes) => parts.push(bytes.slice()))
  write(entries)
  entries.flush()
  return Buffer.concat(parts)
}

describe('the chunks of a trace', () => {
  const entries = entriesOf((writer) => {
    for (const check of [1, 2, 3]) writer.head(0, { errno: 0, check, length: 0 })
  })
  const answer = Buffer.alloc(KEPT_ANSWER_BYTES_MIN, 'answer')

  it('may cut entries anywhere, with answers between', () => {
    for (let at = 0; at <= entries.byteLength; at++) {
      const reader = new TraceReader(
        Buffer.concat([
          chunk(CHUNK.entries, entries.subarray(0, at)),
          chunk(CHUNK.answer, answer),
          chunk(CHUNK.entries, entries.subarray(at))
        ])
      )
      assert.deepEqual(
        [1, 2, 3, 4].map(() => reader.next()?.check),
        [1, 2, 3, undefined]
      )
      assert.equal(Buffer.from(reader.answered(0, 3, 3) ?? []).toString(), 'wer')
      for (const [number, offset, length] of [
        [1, 0, 1],
        [0, KEPT_ANSWER_BYTES_MIN - 2, 3],
        [0, 0xffff_ffff, 0xffff_ffff]
      ] as const) {
        assert.equal(reader.answered(number, offset, length), undefined)
      }
    }
  })

  it('may end with one that was cut off, and are of no other type', () => {
    const whole = chunk(CHUNK.entries, entries)
    assert.equal(new TraceReader(whole.subarray(0, -1)).next()?.check, 1)
    assert.equal(new TraceReader(whole.subarray(0, 3)).next(), undefined)
    assert.throws(() => new TraceReader(chunk(2, entries)), TraceFormatError)
  })

  it('are no answers shorter than any that is written, of which a trace would hold millions', () => {
    const trace = chunk(CHUNK.answer, answer.subarray(1))
    assert.throws(() => new TraceReader(trace), TraceFormatError)
  })

  it('cost little more than their entries to read, however small they are', async () => {
    const reading = `
      const { TraceReader } = await import(${JSON.stringify(ENTRIES_URL)})
      const trace = Buffer.alloc(1_000_000 * ${CHUNK_HEAD_BYTES + 1})
      for (let at = 0; at < trace.byteLength; at += ${CHUNK_HEAD_BYTES + 1}) trace.writeUInt32LE(1, at + 1)
      if (new TraceReader(trace).next()?.kind !== 0) throw new Error('expected an entry')`
    // A view of each chunk would take more than a hundred bytes.
    const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(reading)}`), {
      resourceLimits: { maxOldGenerationSizeMb: 48 }
    })
    const [exitCode] = (await once(worker, 'exit')) as [number]
    assert.equal(exitCode, 0)
  })
})

describe('a trace that names answers', () => {
  const call = [4, 64, 1, 8] as const
  const replayed = async (places: readonly number[], filled: number): Promise<number> => {
    const { host } = createWasiWorld()
    host.memory.attach({ buffer: new ArrayBuffer(65_536) })
    host.memory.setU32(64, 1024)
    host.memory.setU32(68, 2048)
    const entries = entriesOf((writer) => {
      writer.begin(ENTRY_KIND.fileRead, checkOf(call), 4 + places.length * 4)
      for (const value of [filled, ...places]) writer.u32(value)
    })
    const answer = Buffer.alloc(KEPT_ANSWER_BYTES_MIN, 'ab')
    const trace = Buffer.concat([chunk(CHUNK.answer, answer), chunk(CHUNK.entries, entries)])
    const read = replayCalls(host, trace).suspending.fd_read as (...values: number[]) => Promise<number>
    assert.equal(await read(...call), 0)
    assert.equal(host.memory.u32(8), filled)
    return host.memory.bytes(1024, filled).reduce((sum, byte) => sum + byte, 0)
  }

  it('is replayed from them', async () => {
    assert.equal(await replayed([0, 1, 3, 0, 100, 2], 5), 'babab'.length * 97 + 3)
  })

  for (const [what, places, filled] of [
    ['an answer that is not there', [1, 0, 5], 5],
    ['more than an answer has', [0, KEPT_ANSWER_BYTES_MIN - 1, 5], 5],
    ['less than it read', [0, 0, 4], 5],
    ['more than it read', [0, 0, 5, 0, 0, 5], 5],
    ['half a place', [0, 0], 5],
    ['gigabytes', [0, 0, 5], 0xffff_fff0]
  ] as const) {
    it(`ends its replay when it names ${what}`, async () => {
      await assert.rejects(replayed(places, filled), ReplayError)
    })
  }
})

describe('a trace on its way from a process', () => {
  const pieces: PromiseWithResolvers<void>[] = []
  const write = async (): Promise<void> => {
    const piece = Promise.withResolvers<void>()
    pieces.push(piece)
    await piece.promise
  }
  const trace: Extract<RunTrace, { kind: 'record' }> = {
    ...{ kind: 'record', keepsInput: true },
    ...{ write, writeAnswer: write }
  }

  it('is never nothing, and waits for the disk however small its pieces are', async () => {
    const intake = new TraceIntake({ trace, onFailure: assert.fail })
    await assert.rejects(intake.take(new Uint8Array(0)))
    let taken = 0
    const flood = (async () => {
      for (; taken < TRACE_WAITING_BYTES_MAX; taken++) await intake.take(new Uint8Array(1))
    })()
    for (let turn = 0; turn < 10_000; turn++) await Promise.resolve()
    assert(taken > 0 && taken < 1000, String(taken))
    const stopped = taken
    for (const piece of pieces) piece.resolve()
    for (let turn = 0; turn < 100; turn++) await Promise.resolve()
    assert(taken > stopped)
    const ended = flood.catch(() => undefined)
    taken = TRACE_WAITING_BYTES_MAX
    for (const piece of pieces) piece.resolve()
    await ended
  })

  it('keeps the long answers of the host, since short ones are in entries', () => {
    pieces.length = 0
    const intake = new TraceIntake({ trace, onFailure: assert.fail })
    intake.answer(new Uint8Array(KEPT_ANSWER_BYTES_MIN - 1))
    assert.equal(pieces.length, 0)
    intake.answer(new Uint8Array(KEPT_ANSWER_BYTES_MIN))
    assert.equal(pieces.length, 1)
  })
})
