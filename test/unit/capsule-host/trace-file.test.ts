import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { CapsuleError, createRecording, decodeTrace, type TraceHead } from '#capsule-host'
import { TRACE_ENTRIES_BYTES_MAX } from '../../../capsule-host/guest/trace/entries.ts'
import { TRACE_GATHERED_BYTES } from '../../../capsule-host/trace/constants.ts'
import { EMPTY_MODULE } from '../../support/empty-module.ts'

interface Vector {
  readonly comment: string
  readonly base64: string
}

const read = (name: string): unknown =>
  JSON.parse(readFileSync(new URL(`../../vectors/capsule-trace/${name}.json`, import.meta.url), 'utf8'))

const soon = (_durationMs: number, task: () => void): Disposable => {
  queueMicrotask(task)
  return { [Symbol.dispose]: () => undefined }
}

describe('the file of a trace', () => {
  for (const { comment, base64, head } of read('valid') as (Vector & { head: Partial<TraceHead> })[]) {
    it(`is read: ${comment}`, () => {
      const trace = decodeTrace(Buffer.from(base64, 'base64'))
      assert.partialDeepStrictEqual(trace.head, head)
      assert.deepEqual(Buffer.from(trace.module), Buffer.from(EMPTY_MODULE))
    })
  }

  for (const { comment, base64 } of read('invalid') as Vector[]) {
    it(`is refused: ${comment}`, () => {
      assert.throws(
        () => decodeTrace(Buffer.from(base64, 'base64')),
        (thrown) => thrown instanceof CapsuleError && thrown.code === 'ERR_TRACE_INVALID'
      )
    })
  }

  it('ends at its bound, and says so, while the run goes on', async () => {
    let bytes = 0
    const recording = createRecording({
      ...{ name: 'a', version: '1.0.0', args: [], hasFiles: false, memoryBytesMax: 65_536, keepsInput: true },
      module: EMPTY_MODULE,
      clock: { after: soon },
      write: async (parts) => {
        await Promise.resolve()
        for (const { byteLength } of parts) bytes += byteLength
      }
    })
    assert.equal(recording.trace.kind, 'record')
    const piece = new Uint8Array(60 * 1024)
    for (
      let written = 0;
      written < TRACE_ENTRIES_BYTES_MAX + 10 * piece.byteLength;
      written += piece.byteLength
    ) {
      if (recording.trace.kind === 'record') await recording.trace.write(piece)
    }
    await recording.end({ kind: 'exit', exitCode: 0 })
    assert(recording.isCut)
    assert(bytes <= TRACE_ENTRIES_BYTES_MAX + 1024)
  })

  it('is written in few calls, one at a time, after a moment at the latest', async () => {
    const written: number[] = []
    const due: (() => void)[] = []
    const isWritten = Promise.withResolvers<void>()
    const recording = createRecording({
      ...{ name: 'a', version: '1.0.0', args: [], hasFiles: false, memoryBytesMax: 65_536, keepsInput: true },
      module: EMPTY_MODULE,
      clock: {
        after: (_durationMs, task) => {
          due.push(task)
          return { [Symbol.dispose]: () => due.splice(due.indexOf(task), 1) }
        }
      },
      write: async (parts) => {
        written.push(Buffer.concat(parts).byteLength)
        if (written.length === 2) await isWritten.promise
      }
    })
    const { trace } = recording
    assert(trace.kind === 'record')
    const first = Promise.all([
      Promise.resolve(trace.write(new Uint8Array(100))),
      Promise.resolve(trace.writeAnswer(new Uint8Array(1000)))
    ])
    await Promise.resolve()
    assert.deepEqual([written.length, due.length], [0, 1])
    due[0]?.()
    await first
    assert.equal(written.length, 1)
    // So much that it is not waited for more.
    const large = trace.writeAnswer(new Uint8Array(TRACE_GATHERED_BYTES))
    const last = trace.write(new Uint8Array(10))
    const ended = recording.end({ kind: 'exit', exitCode: 0 })
    assert.equal(due.length, 0)
    for (let turn = 0; turn < 100; turn++) await Promise.resolve()
    assert.equal(written.length, 2, 'the second is on its way')
    isWritten.resolve()
    await Promise.all([large, last, ended])
    assert.deepEqual(written.slice(1), [TRACE_GATHERED_BYTES + 5, 10 + 5 + 10 + 5])
  })

  it('tells everybody whose bytes could not be written', async () => {
    const recording = createRecording({
      ...{ name: 'a', version: '1.0.0', args: [], hasFiles: false, memoryBytesMax: 65_536, keepsInput: true },
      ...{ module: EMPTY_MODULE, clock: { after: soon } },
      write: async () => await Promise.reject(new Error('the disk is full'))
    })
    assert(recording.trace.kind === 'record')
    for (const written of [
      recording.trace.write(new Uint8Array(1)),
      recording.trace.writeAnswer(new Uint8Array(1000)),
      recording.end({ kind: 'exit', exitCode: 0 })
    ]) {
      await assert.rejects(async () => await written, /the disk is full/)
    }
  })
  it('tells whoever ends it that a trace which was cut could not be written', async () => {
    const recording = createRecording({
      ...{ name: 'a', version: '1.0.0', args: [], hasFiles: false, memoryBytesMax: 65_536, keepsInput: true },
      module: EMPTY_MODULE,
      clock: { after: () => ({ [Symbol.dispose]: () => undefined }) },
      write: async () => await Promise.reject(new Error('the disk is full'))
    })
    assert(recording.trace.kind === 'record')
    const written = Promise.resolve(recording.trace.write(new Uint8Array(1)))
    await recording.trace.write(new Uint8Array(TRACE_ENTRIES_BYTES_MAX))
    assert(recording.isCut)
    await Promise.all([
      assert.rejects(written, /the disk is full/),
      assert.rejects(recording.end({ kind: 'exit', exitCode: 0 }), /the disk is full/)
    ])
  })
})
