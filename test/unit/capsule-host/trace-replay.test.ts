import assert from 'node:assert/strict'
import { DEFAULT_CAPSULE_LIMITS, type CapsuleError, type TraceEnd } from '#capsule-host'
import { CHUNK, encodeChunkHead } from '../../../capsule-host/guest/trace/entries.ts'
import { runProgram, type ProgramEnd } from '../../../capsule-host/guest/program.ts'
import { failureError, silentEndError } from '../../../capsule-host/process/outcome.ts'
import { checkReplayEnd } from '../../../capsule-host/trace/replay.ts'
import { encodeTraceChunk, encodeTraceEnd, findTraceEnd } from '../../../capsule-host/trace/trace-file.ts'
import { createWasiWorld } from '../../support/wasi-world.ts'
import { assembleProgram } from '../../support/wat.ts'

const IMPORTS = ['fd_read', 'fd_write', 'proc_exit'] as const
const BUFFER = '(data (i32.const 80) "\\00\\10\\00\\00\\01\\00\\00\\00")'
const READ = '(drop (call $fd_read (i32.const 0) (i32.const 80) (i32.const 1) (i32.const 8)))'
const WRITE = '(drop (call $fd_write (i32.const 1) (i32.const 80) (i32.const 1) (i32.const 8)))'
const IF_X = `(if (i32.eq (i32.load8_u (i32.const 4096)) (i32.const 120)) (then ${WRITE}))`

const program = (body: string): Uint8Array =>
  assembleProgram({ imports: [...IMPORTS], fields: BUFFER, body: `${READ} ${body}` })

/** Records a run that reads an x, whose input is left out, and replays it with a byte of that input. */
async function replayWith(byte: string, module: Uint8Array): Promise<ProgramEnd> {
  const parts: Uint8Array[] = []
  const write = (bytes: Uint8Array): void => void parts.push(bytes.slice())
  const init = { write, keepsInput: false }
  const { host } = createWasiWorld({ stdin: 'x' })
  const recorded = await runProgram(Uint8Array.from(module), host, { kind: 'record', init })
  assert.deepEqual(recorded, { kind: 'exit', exitCode: 0 })
  const entries = Buffer.concat(parts)
  const trace = Buffer.concat([encodeChunkHead(CHUNK.entries, entries.byteLength), entries])
  const world = createWasiWorld({ stdin: byte })
  const end = await runProgram(Uint8Array.from(module), world.host, { kind: 'replay', entries: trace })
  // What its host hears is what counts.
  assert.equal(world.exitCode(), end.kind === 'exit' && EXITS.has(module) ? 0 : undefined)
  return end
}

const returning = program(IF_X)
const exiting = program(`${IF_X} (call $proc_exit (i32.const 0))`)
const catching = program(
  `(block $caught (try_table (catch_all $caught) ${WRITE})) (call $proc_exit (i32.const 0))`
)
const trapping = program(`(block $caught (try_table (catch_all $caught) ${WRITE}))
  (if (i32.ne (i32.load8_u (i32.const 4096)) (i32.const 120)) (then unreachable))`)
/** How a run that this ended has ended, as its trace says. */
const endOf = (error: CapsuleError): TraceEnd | undefined =>
  findTraceEnd(encodeTraceChunk('entries', encodeTraceEnd({ kind: 'error', error })))

const EXITS = new Set([exiting, catching])

describe('a replay', () => {
  for (const [what, module] of Object.entries({ returning, exiting, catching, trapping })) {
    it(`is as its trace, or ends with what is not: a program ${what}`, async () => {
      assert.equal((await replayWith('x', module)).kind, 'exit')
      assert.equal((await replayWith('y', module)).kind, 'replay')
    })
  }

  it('of a run that was ended from outside, or of a cut trace, may go on at its end and do nothing else', () => {
    const failure = { message: 'm', memoryBytes: 0, memoryBytesAtStart: 0 }
    const ended = failureError({ ...failure, kind: 'traceEnd' }, DEFAULT_CAPSULE_LIMITS)
    const diverged = failureError({ ...failure, kind: 'replay' }, DEFAULT_CAPSULE_LIMITS)
    const stopped = { exitCode: 0, code: 'ERR_CAPSULE_STOPPED', isCut: false }
    const refused = (error: CapsuleError, recorded: Parameters<typeof checkReplayEnd>[1]): void => {
      const check = (): void => checkReplayEnd({ kind: 'error', error }, recorded)
      assert.throws(check, { code: 'ERR_REPLAY_DIVERGED' })
    }
    const starved = endOf(
      silentEndError(
        { end: { code: 134, signal: null }, wasReady: true, log: 'out of memory' },
        DEFAULT_CAPSULE_LIMITS
      )
    )
    for (const recorded of [undefined, stopped, starved]) {
      checkReplayEnd({ kind: 'error', error: ended }, recorded)
      refused(diverged, recorded)
    }
    refused(ended, { exitCode: 0, code: '', isCut: false })
    // One that trapped had said all before.
    const { memoryBytesMax } = DEFAULT_CAPSULE_LIMITS
    const full = failureError(
      { ...failure, kind: 'trap', memoryBytes: memoryBytesMax },
      DEFAULT_CAPSULE_LIMITS
    )
    assert.deepEqual([starved?.code, endOf(full)?.code], [full.code, full.code])
    refused(ended, endOf(full))
  })
})
