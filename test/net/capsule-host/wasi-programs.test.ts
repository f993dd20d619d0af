import assert from 'node:assert/strict'
import { fileURLToPath } from 'node:url'
import { silentLogger, systemClock } from '#contracts'
import {
  DEFAULT_CAPSULE_LIMITS,
  probeSandbox,
  serveFiles,
  startCapsuleProcess,
  systemPowers,
  type CapsuleFiles,
  type CapsuleOutcome,
  type SandboxReport
} from '#capsule-host'
import { needs } from '../../support/requirements.ts'
import { compileC } from '../../support/wasi-clang.ts'
import { createWasiWorld, memoryFiles, readWhole } from '../../support/wasi-world.ts'
import { assembleProgram } from '../../support/wat.ts'

const GUEST_ENTRY = fileURLToPath(new URL('../../../capsule-host/guest/main.ts', import.meta.url))
const components = { powers: systemPowers, clock: systemClock, logger: silentLogger }
const fixture = (name: string): string =>
  fileURLToPath(new URL(`../../fixtures/wasi/${name}`, import.meta.url))

/** Input that comes as parts. */
async function* chunks(...parts: string[]): AsyncGenerator<Uint8Array> {
  for (const part of parts) yield Buffer.from(part)
}

/** Makes the file `made` below the preopened folder, writes `hi` into it and exits with what that answered. */
const WRITES_A_FILE = assembleProgram({
  imports: ['path_open', 'fd_write', 'proc_exit'],
  fields:
    '(data (i32.const 64) "made") (data (i32.const 80) "hi") (data (i32.const 96) "\\50\\00\\00\\00\\02\\00\\00\\00")',
  body: `(drop (call $path_open (i32.const 4) (i32.const 0) (i32.const 64) (i32.const 4) (i32.const 1)
      (i64.const 64) (i64.const 0) (i32.const 0) (i32.const 0)))
    (call $proc_exit (call $fd_write (i32.load (i32.const 0)) (i32.const 96) (i32.const 1) (i32.const 8)))`
})

describe('a program with files', () => {
  it('compiled by clang finds what a C library promises', async function () {
    await needs(this, 'clang for WASI')
    this.timeout(120_000)
    const files = await memoryFiles({ 'greeting.txt': 'hello from outside\n' })
    const world = createWasiWorld({ files })
    const end = await world.run(await compileC(fixture('files.c')))
    assert.deepEqual(end, { kind: 'exit', exitCode: 0 }, world.output(2))
    assert.equal(world.output(1), 'all as expected\n')
    assert.match(await readWhole(files, 'notes/one.txt'), /^line 0\n[^]*line 999\n$/)
    assert(world.questions() < 60, `${world.questions()} questions to the host`)
  })

  describe('in its sandboxed process', () => {
    let sandbox: SandboxReport

    const run = async (
      module: Uint8Array,
      o: { files?: CapsuleFiles; stdin?: string[] } = {}
    ): Promise<{ outcome: CapsuleOutcome; output: string }> => {
      let output = ''
      const sink = { write: (bytes: Uint8Array) => void (output += Buffer.from(bytes).toString()) }
      const capsule = startCapsuleProcess(
        { ...components, sandbox },
        {
          name: 'test',
          module,
          limits: DEFAULT_CAPSULE_LIMITS,
          stdin: chunks(...(o.stdin ?? [])),
          stdout: sink,
          stderr: sink,
          ...(o.files === undefined ? {} : { files: serveFiles(o.files, { openFilesMax: 16 }) }),
          signal: new AbortController().signal
        }
      )
      return { outcome: await capsule.finished, output }
    }

    before(async function () {
      await needs(this, 'bubblewrap', 'prlimit')
      sandbox = await probeSandbox(components, { guestEntry: GUEST_ENTRY })
    })

    it('writes and leaves what it was told is written', async () => {
      const files = await memoryFiles()
      const { outcome } = await run(WRITES_A_FILE, { files })
      assert.deepEqual(outcome, { kind: 'exit', exitCode: 0 })
      assert.equal(await readWhole(files, 'made'), 'hi')
    })

    it('has none unless it is given some', async () => {
      const { outcome } = await run(WRITES_A_FILE)
      assert.deepEqual(outcome, { kind: 'exit', exitCode: 8 })
    })

    it('compiled by clang finds what a C library promises', async function () {
      await needs(this, 'clang for WASI')
      this.timeout(120_000)
      const files = await memoryFiles({ 'greeting.txt': 'hello from outside\n' })
      const { outcome, output } = await run(await compileC(fixture('files.c')), { files })
      assert.equal(output, 'all as expected\n')
      assert.deepEqual(outcome, { kind: 'exit', exitCode: 0 })
    })

    it('waits for its input, its channel and a clock at once', async function () {
      await needs(this, 'clang for WASI')
      this.timeout(120_000)
      const program = await compileC(fixture('poll.c'))
      for (const files of [undefined, await memoryFiles()]) {
        const { outcome, output } = await run(program, {
          stdin: ['typed'],
          ...(files === undefined ? {} : { files })
        })
        assert.deepEqual(outcome, { kind: 'exit', exitCode: 0 }, output)
        assert(output.includes('input\n') && output.includes('channel\n'), output)
      }
    })
  })
})
