import assert from 'node:assert/strict'
import { PassThrough } from 'node:stream'
import { silentLogger, systemClock } from '#contracts'
import {
  DEFAULT_CAPSULE_LIMITS,
  startMachineCapsule,
  systemPowers,
  type CapsuleLimits,
  type CapsuleMachine,
  type CapsuleProcess
} from '#capsule-host'
import { refusal } from '../../../capsule-host/broker/refusal.ts'

/** A machine that does what a test says. */
interface FakeMachine extends CapsuleMachine {
  readonly [part: string]: unknown
  readonly heard: { stdin: string; channel: string; hasEnd: boolean }
  readonly isDisposed: boolean
  say(stream: 'stdout' | 'stderr' | 'channel', bytes: Uint8Array | string): void
  end(outcome: Awaited<CapsuleMachine['finished']>): void
}

function createFakeMachine(): FakeMachine {
  const outputs = { stdout: new PassThrough(), stderr: new PassThrough(), channel: new PassThrough() }
  const heard = { stdin: '', channel: '', hasEnd: false }
  const finished = Promise.withResolvers<Awaited<CapsuleMachine['finished']>>()
  let isDisposed = false
  const end: FakeMachine['end'] = (outcome) => {
    for (const output of Object.values(outputs)) output.end()
    finished.resolve(outcome)
  }
  return {
    pid: 42,
    heard,
    end,
    finished: finished.promise,
    get isDisposed() {
      return isDisposed
    },
    stdin: {
      write: async (bytes) => {
        heard.stdin += Buffer.from(bytes).toString()
      },
      end: () => {
        heard.hasEnd = true
      }
    },
    stdout: { incoming: outputs.stdout },
    stderr: { incoming: outputs.stderr },
    channel: {
      incoming: outputs.channel,
      write: async (bytes) => {
        heard.channel += Buffer.from(bytes).toString()
      }
    },
    say: (stream, bytes) => outputs[stream].write(bytes),
    [Symbol.asyncDispose]: async () => {
      isDisposed = true
      end({ kind: 'error', error: new Error('ended by its owner') })
    }
  }
}

interface Trial {
  readonly machine: FakeMachine
  readonly capsule: CapsuleProcess
  readonly written: { stdout: string; stderr: string }
}

function start(
  limits: Partial<CapsuleLimits> = {},
  stdin: readonly string[] = [],
  pool?: Parameters<typeof startMachineCapsule>[0]['pool']
): Trial {
  const machine = createFakeMachine()
  const written = { stdout: '', stderr: '' }
  const sink = (name: 'stdout' | 'stderr'): { write(bytes: Uint8Array): void } => ({
    write: (bytes) => {
      written[name] += Buffer.from(bytes).toString()
    }
  })
  const capsule = startMachineCapsule(
    { powers: systemPowers, clock: systemClock, logger: silentLogger, pool },
    {
      name: 'hello',
      limits: { ...DEFAULT_CAPSULE_LIMITS, ...limits },
      stdin: inputOf(stdin),
      stdout: sink('stdout'),
      stderr: sink('stderr'),
      signal: new AbortController().signal
    },
    machine
  )
  return { machine, capsule, written }
}

function coded(code: string): Error {
  return Object.assign(new Error('gone'), { code })
}

async function* inputOf(texts: readonly string[]): AsyncGenerator<Uint8Array> {
  for (const text of texts) yield Buffer.from(text)
}

describe('a capsule in a machine', () => {
  it('has its input, its output in order, and ends with its program', async () => {
    const { machine, capsule, written } = start({}, ['one ', 'x'.repeat(100_000), ' two'])
    while (!machine.heard.hasEnd) await new Promise((resolve) => setImmediate(resolve))
    assert.equal(machine.heard.stdin, `one ${'x'.repeat(100_000)} two`)
    machine.say('stdout', 'a'.repeat(200_000))
    machine.say('stderr', 'err')
    machine.say('stdout', 'last')
    machine.end({ kind: 'exit', exit: { kind: 'code', code: 3 } })
    assert.deepEqual(await capsule.finished, { kind: 'exit', exitCode: 3 })
    assert.deepEqual(written, { stdout: `${'a'.repeat(200_000)}last`, stderr: 'err' })
    assert.equal(machine.isDisposed, true)
    assert.equal(capsule.pid, 42)
  })

  it('tells a signal that ended its program as a shell does', async () => {
    const { machine, capsule } = start()
    machine.end({ kind: 'exit', exit: { kind: 'signal', signal: 9 } })
    assert.deepEqual(await capsule.finished, { kind: 'exit', exitCode: 137 })
  })

  it('is stopped by a signal that came before it ran', async () => {
    const machine = createFakeMachine()
    const sink = { write: () => undefined }
    const capsule = startMachineCapsule(
      { powers: systemPowers, clock: systemClock, logger: silentLogger },
      {
        ...{ name: 'hello', limits: DEFAULT_CAPSULE_LIMITS, stdin: inputOf([]), stdout: sink, stderr: sink },
        signal: AbortSignal.abort()
      },
      machine
    )
    const outcome = await capsule.finished
    assert.equal(outcome.kind === 'error' && outcome.error.code, 'ERR_CAPSULE_STOPPED')
    assert.equal(machine.isDisposed, true)
  })

  it('is refused on its channel as any capsule behind which nobody stands', async () => {
    const { machine, capsule } = start()
    machine.say('channel', '{"jsonrpc":"2.0","id":7,"method":"capability.list"}\n')
    while (!machine.heard.channel.endsWith('\n')) await new Promise((resolve) => setImmediate(resolve))
    const answer = JSON.parse(machine.heard.channel) as { id: number; error: unknown }
    assert.equal(answer.id, 7)
    assert.equal(JSON.stringify(answer.error).includes(refusal('ERR_CAPABILITY_MISSING').code), true)
    await capsule[Symbol.asyncDispose]()
  })

  it('shares with all others what they may write in a second', async () => {
    const taken: number[] = []
    const output = { take: async (bytes: number) => void taken.push(bytes) }
    const { machine, capsule } = start({}, [], { output, take: () => undefined })
    machine.say('stdout', 'x'.repeat(1000))
    machine.end({ kind: 'exit', exit: { kind: 'code', code: 0 } })
    await capsule.finished
    assert.ok(taken.reduce((sum, bytes) => sum + bytes, 0) >= 1000)
  })

  const ends: readonly (readonly [string, (trial: Trial) => void, string])[] = [
    [
      'writes more than it may',
      ({ machine }) => machine.say('stdout', 'x'.repeat(70_000)),
      'ERR_CAPSULE_OUTPUT_LIMIT'
    ],
    [
      'floods its channel with one line',
      ({ machine }) => machine.say('channel', '"'.padEnd(65_600, 'x')),
      'ERR_CAPSULE_CHANNEL'
    ],
    ['talks no JSON', ({ machine }) => machine.say('channel', 'no\n'), 'ERR_CAPSULE_CHANNEL'],
    ['is stopped', ({ capsule }) => void capsule[Symbol.asyncDispose](), 'ERR_CAPSULE_STOPPED'],
    [
      'loses its machine',
      ({ machine }) => machine.end({ kind: 'error', error: new Error('gone') }),
      'ERR_CAPSULE_CRASHED'
    ],
    [
      'never gets a machine',
      ({ machine }) => machine.end({ kind: 'error', error: coded('ERR_VM_START') }),
      'ERR_SANDBOX_UNAVAILABLE'
    ],
    [
      'has used up its time',
      ({ machine }) => machine.end({ kind: 'error', error: coded('ERR_VM_TIME_LIMIT') }),
      'ERR_CAPSULE_TIME_LIMIT'
    ]
  ]
  for (const [name, act, code] of ends) {
    it(`ends alone, and its machine with it, when it ${name}`, async () => {
      const trial = start({ outputBytesMax: 66_000 })
      act(trial)
      const outcome = await trial.capsule.finished
      assert.equal(outcome.kind === 'error' && outcome.error.code, code)
      assert.equal(trial.machine.isDisposed, true)
    })
  }
})
