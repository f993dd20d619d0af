import assert from 'node:assert/strict'
import { fileURLToPath } from 'node:url'
import { silentLogger, systemClock } from '#contracts'
import {
  CapsuleError,
  createRecording,
  decodeTrace,
  DEFAULT_CAPSULE_LIMITS,
  probeSandbox,
  replayTrace,
  serveFiles,
  startCapsuleProcess,
  systemPowers,
  type CapsuleFiles,
  type CapsuleOutcome,
  type ReplayResult,
  type SandboxReport
} from '#capsule-host'
import { CHUNK_HEAD_BYTES } from '../../../capsule-host/guest/trace/entries.ts'
import { needs } from '../../support/requirements.ts'
import { compileC } from '../../support/wasi-clang.ts'
import { memoryFiles, readWhole } from '../../support/wasi-world.ts'
import { assembleProgram } from '../../support/wat.ts'
import { ENDLESS_LOOP_AFTER_OUTPUT, READER } from './trace-programs.ts'

const GUEST_ENTRY = fileURLToPath(new URL('../../../capsule-host/guest/main.ts', import.meta.url))
const components = { powers: systemPowers, clock: systemClock, logger: silentLogger }

/** Prints the time, eight random bytes, sixteen bytes of a file and what it is given, and exits with the last byte. */
const CURIOUS = assembleProgram({
  imports: ['clock_time_get', 'random_get', 'path_open', 'fd_read', 'fd_write', 'poll_oneoff', 'proc_exit'],
  fields: `(data (i32.const 64) "note")
    (data (i32.const 80) "\\10\\10\\00\\00\\10\\00\\00\\00")
    (data (i32.const 96) "\\20\\10\\00\\00\\10\\00\\00\\00")
    (data (i32.const 112) "\\00\\10\\00\\00\\30\\00\\00\\00")`,
  body: `(drop (call $clock_time_get (i32.const 0) (i64.const 0) (i32.const 4096)))
    (drop (call $random_get (i32.const 4104) (i32.const 8)))
    (drop (call $path_open (i32.const 4) (i32.const 0) (i32.const 64) (i32.const 4) (i32.const 0)
      (i64.const 2) (i64.const 0) (i32.const 0) (i32.const 0)))
    (drop (call $fd_read (i32.load (i32.const 0)) (i32.const 80) (i32.const 1) (i32.const 8)))
    (drop (call $fd_read (i32.const 0) (i32.const 96) (i32.const 1) (i32.const 8)))
    (drop (call $fd_write (i32.const 1) (i32.const 112) (i32.const 1) (i32.const 8)))
    (call $proc_exit (i32.load8_u (i32.const 4111)))`
})

async function* chunks(...parts: string[]): AsyncGenerator<Uint8Array> {
  for (const part of parts) yield Buffer.from(part)
}

/** What the chunks of a trace hold, one after the other. */
function entriesIn(chunks: Uint8Array): Buffer {
  const buffer = Buffer.from(chunks)
  const parts: Buffer[] = []
  for (let at = 0; at < buffer.byteLength;) {
    const end = at + CHUNK_HEAD_BYTES + buffer.readUInt32LE(at + 1)
    parts.push(buffer.subarray(at + CHUNK_HEAD_BYTES, end))
    at = end
  }
  return Buffer.concat(parts)
}

interface Recorded {
  readonly outcome: CapsuleOutcome
  readonly output: Buffer
  readonly trace: Buffer
}

describe('a recorded run', () => {
  let sandbox: SandboxReport

  before(async function () {
    await needs(this, 'bubblewrap', 'prlimit')
    sandbox = await probeSandbox(components, { guestEntry: GUEST_ENTRY })
  })

  const record = async (
    module: Uint8Array,
    o: { files?: CapsuleFiles; stdin?: string; keepsInput?: boolean; stop?: AbortController } = {}
  ): Promise<Recorded> => {
    const trace: Uint8Array[] = []
    const output: Uint8Array[] = []
    const recording = createRecording({
      ...{ name: 'test', version: '1.0.0', args: ['one'], hasFiles: o.files !== undefined, module },
      memoryBytesMax: DEFAULT_CAPSULE_LIMITS.memoryBytesMax,
      keepsInput: o.keepsInput ?? true,
      write: async (parts) => {
        await Promise.resolve(trace.push(...parts))
        // The beginning comes with the first entries.
        o.stop?.abort()
      }
    })
    const capsule = startCapsuleProcess(
      { ...components, sandbox },
      {
        ...{ name: 'test', args: ['one'], module, limits: DEFAULT_CAPSULE_LIMITS },
        stdin: chunks(o.stdin ?? ''),
        stdout: { write: (bytes) => void output.push(bytes) },
        stderr: { write: () => undefined },
        ...(o.files === undefined ? {} : { files: serveFiles(o.files, { openFilesMax: 16 }) }),
        trace: recording.trace,
        signal: (o.stop ?? new AbortController()).signal
      }
    )
    const outcome = await capsule.finished
    await recording.end(outcome)
    return { outcome, output: Buffer.concat(output), trace: Buffer.concat(trace) }
  }

  const replay = async (
    trace: Uint8Array,
    o: { stdin?: string; stop?: AbortController } = {}
  ): Promise<ReplayResult & { output: Buffer }> => {
    const output: Uint8Array[] = []
    const result = await replayTrace({ ...components, sandbox }, decodeTrace(trace), {
      stdin: chunks(o.stdin ?? ''),
      stdout: {
        write: (bytes) => {
          output.push(bytes)
          o.stop?.abort()
        }
      },
      stderr: { write: () => undefined },
      signal: (o.stop ?? new AbortController()).signal
    })
    return { ...result, output: Buffer.concat(output) }
  }

  it('is replayed bit for bit, with nothing around it', async () => {
    const files = await memoryFiles({ note: 'sixteen bytes ok' })
    const first = await record(CURIOUS, { files, stdin: 'typed by someone' })
    const second = await record(CURIOUS, { files, stdin: 'typed by someone' })
    assert.notDeepEqual(first.output, second.output, 'the world has moved on')
    assert(first.output.includes('sixteen bytes oktyped by someone'))
    for (const recorded of [first, second, first]) {
      const again = await replay(recorded.trace)
      assert.deepEqual(again.output, recorded.output)
      assert.deepEqual(again.outcome, recorded.outcome)
    }
  })

  it('needs its input again when that was left out, and does not hold it', async () => {
    const files = await memoryFiles({ note: 'sixteen bytes ok' })
    const { trace, output } = await record(CURIOUS, { files, stdin: 'a secret phrase!', keepsInput: false })
    assert(!trace.includes('secret'))
    assert.deepEqual((await replay(trace, { stdin: 'a secret phrase!' })).output, output)
    const another = replay(trace, { stdin: 'not what was said' })
    await assert.rejects(another, { code: 'ERR_REPLAY_DIVERGED' })
    await assert.rejects(replay(trace), { code: 'ERR_REPLAY_DIVERGED', message: /standard input/ })
  })

  it('of another program, or changed by a bit, is not replayed as if nothing was', async () => {
    const files = await memoryFiles({ note: 'sixteen bytes ok' })
    const { trace } = await record(CURIOUS, { files, stdin: 'typed by someone' })
    const { head, module, entries } = decodeTrace(trace)
    const at = trace.indexOf('sixteen bytes', trace.byteLength - entries.byteLength)
    const changed = Buffer.from(trace)
    changed.writeUInt8((changed[at] ?? 0) ^ 1, at)
    await assert.rejects(replay(changed), { code: 'ERR_REPLAY_DIVERGED', message: /output/ })
    const other = Buffer.from(trace)
    other.writeUInt8((other[trace.indexOf(module) + 100] ?? 0) ^ 1, trace.indexOf(module) + 100)
    await assert.rejects(replay(other), { code: 'ERR_TRACE_INVALID' })
    assert.equal(head.name, 'test')
    const cut = trace.subarray(0, trace.byteLength - entries.byteLength + 40)
    const { recorded, outcome } = await replay(cut)
    assert.equal(recorded, undefined)
    assert(outcome.kind === 'error' && outcome.error.code === 'ERR_REPLAY_DIVERGED')
  })

  it('holds what was read of a file once, and its replay sees when a bit of that is another', async () => {
    const bytes = Uint8Array.from({ length: 300_001 }, (_none, at) => Math.imul(at, 2_654_435_761) >>> 24)
    const { trace, output, outcome } = await record(READER, { files: await memoryFiles({ data: bytes }) })
    assert.deepEqual(output, Buffer.from(bytes))
    assert(trace.byteLength < 1.1 * bytes.byteLength, String(trace.byteLength))
    const again = await replay(trace)
    assert.deepEqual([again.output, again.outcome], [output, outcome])
    const changed = Buffer.from(trace)
    const at = trace.indexOf(bytes.subarray(200_000, 200_100))
    changed.writeUInt8((changed[at] ?? 0) ^ 128, at)
    await assert.rejects(replay(changed), { code: 'ERR_REPLAY_DIVERGED', message: /output/ })
  })

  it('of the first version, which had no chunks, is replayed too', async () => {
    const files = await memoryFiles({ note: 'sixteen bytes ok' })
    const { trace, output } = await record(CURIOUS, { files, stdin: 'typed by someone' })
    const { entries } = decodeTrace(trace)
    const first = Buffer.concat([
      trace.subarray(0, trace.byteLength - entries.byteLength),
      entriesIn(entries)
    ])
    first.writeUInt8(1, first.indexOf('\n') + 1)
    assert.deepEqual((await replay(first)).output, output)
  })

  it('that was ended from outside is replayed up to there', async () => {
    const { trace, output, outcome } = await record(ENDLESS_LOOP_AFTER_OUTPUT, {
      stop: new AbortController()
    })
    assert(outcome.kind === 'error' && outcome.error.code === 'ERR_CAPSULE_STOPPED')
    const again = await replay(trace, { stop: new AbortController() })
    assert.deepEqual(again.output, output)
  })

  it('of a program of a C library is replayed without its files', async function () {
    await needs(this, 'clang for WASI')
    this.timeout(120_000)
    const files = await memoryFiles({ 'greeting.txt': 'hello from outside\n' })
    const source = fileURLToPath(new URL('../../fixtures/wasi/files.c', import.meta.url))
    const { trace, output, outcome } = await record(await compileC(source), { files })
    assert.equal(output.toString(), 'all as expected\n')
    assert.match(await readWhole(files, 'notes/one.txt'), /^line 0\n/)
    const again = await replay(trace)
    assert.deepEqual([again.output, again.outcome], [output, outcome])
  })

  it('is refused when it is no trace', () => {
    for (const bytes of [
      new Uint8Array(0),
      Buffer.from('elastos-trace\n'),
      Buffer.alloc(1000, 'elastos-trace\n')
    ]) {
      assert.throws(
        () => decodeTrace(bytes),
        (thrown) => thrown instanceof CapsuleError && thrown.code === 'ERR_TRACE_INVALID'
      )
    }
  })
})
