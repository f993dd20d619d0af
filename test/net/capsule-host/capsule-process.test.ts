import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { silentLogger, systemClock } from '#contracts'
import {
  CapsuleError,
  DEFAULT_CAPSULE_LIMITS,
  probeSandbox,
  startCapsuleProcess,
  systemPowers,
  type CapsuleLimits,
  type CapsuleOutcome,
  type CapsuleProcess,
  type SandboxReport
} from '#capsule-host'
import { descendantsOf, stillRunning } from '../../support/descendants.ts'
import { startProcess } from '../../support/process.ts'
import { needs } from '../../support/requirements.ts'
import * as programs from './programs.ts'

const GUEST_ENTRY = fileURLToPath(new URL('../../../capsule-host/guest/main.ts', import.meta.url))
const components = { powers: systemPowers, clock: systemClock, logger: silentLogger }

interface Run {
  readonly module: Uint8Array
  readonly args?: readonly string[]
  readonly limits?: Partial<CapsuleLimits>
  readonly stdin?: AsyncIterable<Uint8Array>
  readonly signal?: AbortSignal
  readonly onOutput?: (text: string) => void
  readonly isOwn?: boolean
}

interface Started {
  readonly capsule: CapsuleProcess
  readonly output: () => Buffer
}

async function* chunks(...parts: (string | Uint8Array)[]): AsyncGenerator<Uint8Array> {
  for (const part of parts) yield Buffer.from(part as string)
}

/** Input that never comes and never ends. */
const silence: AsyncIterable<Uint8Array> = {
  [Symbol.asyncIterator]: () => ({ next: () => new Promise(() => undefined) })
}

function start(sandbox: SandboxReport, run: Run): Started {
  const output: Uint8Array[] = []
  const capsule = startCapsuleProcess(
    { ...components, sandbox },
    {
      name: 'test',
      module: run.module,
      args: run.args ?? [],
      limits: { ...DEFAULT_CAPSULE_LIMITS, ...run.limits },
      stdin: run.stdin ?? chunks(),
      stdout: {
        write: (bytes) => {
          output.push(bytes)
          run.onOutput?.(Buffer.concat(output).toString())
        }
      },
      stderr: { write: () => undefined },
      signal: run.signal ?? new AbortController().signal,
      isOwn: run.isOwn ?? false
    }
  )
  return { capsule, output: () => Buffer.concat(output) }
}

function codeOf(outcome: CapsuleOutcome): string | number {
  return outcome.kind === 'exit' ? outcome.exitCode : outcome.error.code
}

describe('a capsule in its sandboxed process', () => {
  let sandbox: SandboxReport
  const run = async (
    init: Run
  ): Promise<{ code: string | number; output: Buffer; outcome: CapsuleOutcome }> => {
    const { capsule, output } = start(sandbox, init)
    const outcome = await capsule.finished
    return { code: codeOf(outcome), output: output(), outcome }
  }

  before(async function () {
    await needs(this, 'bubblewrap', 'prlimit')
    sandbox = await probeSandbox(components, { guestEntry: GUEST_ENTRY })
    assert.equal(sandbox.level, 'namespaces+seccomp', JSON.stringify(sandbox.checks))
  })

  // A compiler that a test before started stays for the next one.
  const known = new Set<number>()

  beforeEach(async () => {
    for (const { pid } of await descendantsOf(process.pid)) known.add(pid)
  })

  afterEach(async () => {
    assert.deepEqual(
      await descendantsOf(process.pid, known),
      [],
      'nothing of a capsule is left, no zombie either'
    )
  })

  it('gives back its input and ends with it', async () => {
    const { code, output } = await run({ module: programs.ECHO, stdin: chunks('one\n', 'two\n', 'ünï\n') })
    assert.equal(output.toString(), 'one\ntwo\nünï\n')
    assert.equal(code, 0)
  })

  it('gives back 16 MiB unharmed, more than any window or pipe holds', async () => {
    const block = Uint8Array.from({ length: 1024 * 1024 }, (_, index) => (index * 31) & 0xff)
    const { code, output } = await run({
      module: programs.ECHO,
      stdin: chunks(...Array<Uint8Array>(16).fill(block))
    })
    assert.equal(code, 0)
    assert.equal(Buffer.compare(output, Buffer.concat(Array<Uint8Array>(16).fill(block))), 0)
  })

  for (const [how, module] of [
    ['reads again and again without waiting', programs.LOOKS_FOR_INPUT],
    ['polls again and again without waiting', programs.POLLS_FOR_INPUT]
  ] as const) {
    it(`gets its input when it ${how}`, async () => {
      assert.equal((await run({ module, stdin: chunks('come') })).code, 3)
    })
  }

  it('gets its name and arguments', async () => {
    const { output } = await run({ module: programs.ARGUMENTS, args: ['-x', 'ä b', ''] })
    assert.equal(output.toString(), 'test\0-x\0ä b\0\0')
  })

  it('ends with its own exit code', async () => {
    assert.equal((await run({ module: programs.EXIT_7 })).code, 7)
  })

  it('has ended when it says so, whatever it catches', async () => {
    const { code, output } = await run({ module: programs.WILL_NOT_END })
    assert.equal(code, 5)
    assert.equal(output.byteLength, 0)
  })

  it('waits on a clock', async () => {
    assert.equal((await run({ module: programs.SLEEPS })).code, 0)
  })

  it('cannot open a file', async () => {
    const ENOTDIR = 54
    assert.equal((await run({ module: programs.OPENS_A_FILE })).code, ENOTDIR)
  })

  it('is refused every request on its channel, with a code', async () => {
    const { output } = await run({ module: programs.ASKS })
    const answer = JSON.parse(output.toString()) as { id: unknown; error: { code: number; data: unknown } }
    assert.equal(answer.id, 1)
    assert.equal(answer.error.code, -32001)
    assert.deepEqual(answer.error.data, { code: 'ERR_CAPABILITY_MISSING' })
  })

  it('takes nothing from its user when it does not read', async () => {
    let asked = 0
    const stdin = {
      [Symbol.asyncIterator]: () => ({ next: () => (asked++, new Promise<never>(() => undefined)) })
    }
    assert.equal((await run({ module: programs.EXIT_7, stdin })).code, 7)
    assert.equal(asked, 0)
  })

  for (const [what, module, code] of [
    ['traps', programs.TRAP, 'ERR_CAPSULE_TRAP'],
    ['leaves its memory', programs.OUT_OF_BOUNDS, 'ERR_CAPSULE_TRAP'],
    ['calls itself without end', programs.ENDLESS_RECURSION, 'ERR_CAPSULE_TRAP'],
    ['has code the engine refuses', programs.BROKEN_CODE, 'ERR_MODULE_INVALID'],
    ['takes all memory', programs.MEMORY_BOMB, 'ERR_CAPSULE_MEMORY_LIMIT'],
    ['grows a table without end', programs.TABLE_BOMB, 9],
    ['leaves its answers unread', programs.FLOODS_CHANNEL, 'ERR_CAPSULE_CHANNEL'],
    ['writes a line without end', programs.ENDLESS_LINE, 'ERR_CAPSULE_CHANNEL']
  ] as const) {
    it(`${what}, and is ended with ${code}`, async () => {
      const { outcome } = await run({ module })
      assert.equal(codeOf(outcome), code, JSON.stringify(outcome))
    })
  }

  it('that computes without end is ended when its processor time is used up', async () => {
    const { outcome } = await run({ module: programs.SPINS, limits: { cpuSecondsMax: 1 } })
    assert.equal(codeOf(outcome), 'ERR_CAPSULE_TIME_LIMIT', JSON.stringify(outcome))
  })

  it('that waits without end is ended when its time is up', async () => {
    const { code } = await run({ module: programs.WAITS, stdin: silence, limits: { wallMsMax: 1000 } })
    assert.equal(code, 'ERR_CAPSULE_TIME_LIMIT')
  })

  it('that writes without end is ended at its bound, and nobody got more', async () => {
    const outputBytesMax = 8 * 1024 * 1024
    const { code, output } = await run({ module: programs.FLOODS, limits: { outputBytesMax } })
    assert.equal(code, 'ERR_CAPSULE_OUTPUT_LIMIT')
    assert(output.byteLength <= outputBytesMax)
  })

  it('has a function of more than a megabyte, and runs', async () => {
    assert.equal((await run({ module: programs.bigFunction() })).code, 0)
  })

  for (const [what, module] of [
    ['waits', programs.WAITS],
    ['computes', programs.SPINS]
  ] as const) {
    it(`that ${what} ends at once when it is told to`, async () => {
      const stop = new AbortController()
      const { capsule } = start(sandbox, { module, stdin: silence, signal: stop.signal })
      setImmediate(() => stop.abort())
      assert.equal(codeOf(await capsule.finished), 'ERR_CAPSULE_STOPPED')
    })
  }

  it('ends when it is disposed of in the middle of its work', async () => {
    let running: Started | undefined
    await new Promise<void>((resolve) => {
      running = start(sandbox, { module: programs.WAITS, stdin: silence, onOutput: () => resolve() })
    })
    await running!.capsule[Symbol.asyncDispose]()
    assert.equal(codeOf(await running!.capsule.finished), 'ERR_CAPSULE_STOPPED')
  })

  it('ends alone: another one beside it goes on', async () => {
    const first = start(sandbox, { module: programs.SPINS })
    const second = start(sandbox, { module: programs.ECHO, stdin: chunks('still here') })
    await first.capsule[Symbol.asyncDispose]()
    assert.equal(codeOf(await second.capsule.finished), 0)
    assert.equal(second.output().toString(), 'still here')
  })

  it('is held back by a reader that is slow, and ended by one that is gone', async () => {
    const capsule = startCapsuleProcess(
      { ...components, sandbox },
      {
        name: 'test',
        module: programs.FLOODS,
        limits: DEFAULT_CAPSULE_LIMITS,
        stdin: chunks(),
        stdout: { write: () => Promise.reject(new Error('the pipe is closed')) },
        stderr: { write: () => undefined },
        signal: new AbortController().signal
      }
    )
    assert.equal(codeOf(await capsule.finished), 'ERR_CAPSULE_OUTPUT_CLOSED')
  })

  it('ends though its reader never takes what it wrote', async () => {
    const stop = new AbortController()
    const capsule = startCapsuleProcess(
      { ...components, sandbox },
      {
        name: 'test',
        module: programs.FLOODS,
        limits: DEFAULT_CAPSULE_LIMITS,
        stdin: chunks(),
        stdout: { write: () => (setImmediate(() => stop.abort()), new Promise(() => undefined)) },
        stderr: { write: () => undefined },
        signal: stop.signal
      }
    )
    assert.equal(codeOf(await capsule.finished), 'ERR_CAPSULE_STOPPED')
  })

  it('ends with its node, though that was killed without warning', async () => {
    await using host = await startProcess({
      command: process.execPath,
      args: [fileURLToPath(new URL('./host-main.ts', import.meta.url))]
    })
    await host.stdout.match(/the capsule is up/)
    const pids = (await descendantsOf(host.pid)).map(({ pid }) => pid)
    assert(pids.length >= 2, 'bubblewrap outside and inside')
    host.signal('SIGKILL')
    await host.ended
    const isOver = Date.now() + 10_000
    while ((await stillRunning(pids)).length > 0 && Date.now() < isOver) await sleep(20)
    assert.deepEqual(await stillRunning(pids), [])
  })

  it('is not started with arguments it cannot be given', () => {
    for (const args of [['a\0b'], Array<string>(300).fill('a'), ['a'.repeat(70_000)]]) {
      assert.throws(() => start(sandbox, { module: programs.ECHO, args }), { code: 'ERR_CAPSULE_ARGUMENTS' })
    }
  })

  it('is not started when the sandbox is gone since it was looked for', async () => {
    const gone = { ...sandbox, layout: { ...sandbox.layout!, bubblewrap: '/usr/bin/no-such-program' } }
    const { capsule } = start(gone, { module: programs.ECHO })
    assert.equal(codeOf(await capsule.finished), 'ERR_SANDBOX_UNAVAILABLE')
    const broken = { ...sandbox, layout: { ...sandbox.layout!, libraries: ['/lib/no-such-library.so'] } }
    const outcome = await start(broken, { module: programs.ECHO }).capsule.finished
    assert.equal(codeOf(outcome), 'ERR_SANDBOX_UNAVAILABLE')
    assert(outcome.kind === 'error')
    assert.match(outcome.error instanceof CapsuleError ? outcome.error.detail.join() : '', /no-such-library/)
  })

  it('of a stranger is not started without a sandbox, one of my own is', async () => {
    const weak: SandboxReport = { level: 'process', checks: [], process: sandbox.process }
    assert.throws(() => start(weak, { module: programs.ECHO }), { code: 'ERR_SANDBOX_UNAVAILABLE' })
    const own = start(weak, { module: programs.ECHO, stdin: chunks('mine'), isOwn: true })
    assert.equal(codeOf(await own.capsule.finished), 0)
    assert.equal(own.output().toString(), 'mine')
  })
})
