import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { CapsuleError, createRecording, decodeTrace, type TraceHead } from '#capsule-host'
import { TRACE_ENTRIES_BYTES_MAX } from '../../../capsule-host/guest/trace/entries.ts'
import { EMPTY_MODULE } from '../../support/empty-module.ts'

interface Vector {
  readonly comment: string
  readonly base64: string
}

const read = (name: string): unknown =>
  JSON.parse(readFileSync(new URL(`../../vectors/capsule-trace/${name}.json`, import.meta.url), 'utf8'))

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
      write: async (piece) => void (bytes += await Promise.resolve(piece.byteLength))
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
})
