import assert from 'node:assert/strict'
import { PassThrough } from 'node:stream'
import { silentLogger, systemClock } from '#contracts'
import {
  DEFAULT_CAPSULE_LIMITS,
  findModuleRuntime,
  startMachineModule,
  systemPowers,
  type CapsuleMachine,
  type CapsuleProcess
} from '#capsule-host'
import { encodeFrame, encodeNumberFrame, FRAME, FrameDecoder } from '../../../capsule-host/guest/frames.ts'
import { EMPTY_MODULE } from '../../support/empty-module.ts'
import { SANDBOX } from './machine.ts'

type Outcome = Awaited<CapsuleMachine['finished']>

/** A machine in which a script runs that says what a test says. */
interface ScriptedMachine {
  readonly machine: CapsuleMachine
  /** Types of the frames it was told, in order. */
  readonly told: readonly number[]
  readonly module: Uint8Array
  readonly isDisposed: boolean
  say(...frames: readonly Uint8Array[]): void
  complain(text: string): void
  end(outcome: Outcome): void
}

function createScriptedMachine(): ScriptedMachine {
  const [stdout, stderr, channel] = [new PassThrough(), new PassThrough(), new PassThrough()]
  const finished = Promise.withResolvers<Outcome>()
  const decoder = new FrameDecoder()
  const told: number[] = []
  let module = new Uint8Array(0)
  let isDisposed = false
  const end = (outcome: Outcome): void => {
    for (const stream of [stdout, stderr, channel]) stream.end()
    finished.resolve(outcome)
  }
  const machine: CapsuleMachine = {
    pid: 42,
    finished: finished.promise,
    stdin: {
      write: async (bytes) => {
        for (const { type, payload } of decoder.push(bytes)) {
          told.push(type)
          if (type === FRAME.module) module = Uint8Array.from(Buffer.concat([module, payload]))
        }
        await Promise.resolve()
      },
      end: () => undefined
    },
    stdout: { incoming: stdout },
    stderr: { incoming: stderr },
    channel: { incoming: channel, write: async () => await Promise.resolve() },
    [Symbol.asyncDispose]: async () => {
      isDisposed = true
      end({ kind: 'error', error: new Error('ended by its owner') })
      await Promise.resolve()
    }
  }
  return {
    machine,
    told,
    get module() {
      return module
    },
    get isDisposed() {
      return isDisposed
    },
    say: (...frames) => frames.forEach((frame) => stdout.write(frame)),
    complain: (text) => stderr.write(text),
    end
  }
}

function start(
  scripted: ScriptedMachine,
  module: Uint8Array = EMPTY_MODULE
): { readonly capsule: CapsuleProcess; readonly written: string[] } {
  const written: string[] = []
  const capsule = startMachineModule(
    { powers: systemPowers, clock: systemClock, logger: silentLogger },
    {
      ...{ name: 'hello', module, limits: DEFAULT_CAPSULE_LIMITS },
      stdin: nothing(),
      stdout: { write: (bytes) => void written.push(Buffer.from(bytes).toString()) },
      stderr: { write: () => undefined },
      signal: new AbortController().signal
    },
    scripted.machine
  )
  return { capsule, written }
}

const READY = encodeFrame(FRAME.ready, new Uint8Array(0))

describe('a module in a machine', () => {
  it('is handed over as to a process, and ends the machine with it', async () => {
    const scripted = createScriptedMachine()
    const { capsule, written } = start(scripted)
    scripted.say(READY, encodeFrame(FRAME.stdout, Buffer.from('hello')), encodeNumberFrame(FRAME.exit, 3))
    assert.deepEqual(await capsule.finished, { kind: 'exit', exitCode: 3 })
    assert.deepEqual(written, ['hello'])
    assert.deepEqual(scripted.told.slice(0, 3), [FRAME.start, FRAME.module, FRAME.run])
    assert.ok(WebAssembly.validate(Uint8Array.from(scripted.module)))
    assert.equal(scripted.isDisposed, true)
    assert.equal(capsule.pid, 42)
  })

  it('is not handed over when it is none', () => {
    const scripted = createScriptedMachine()
    assert.throws(() => start(scripted, Uint8Array.of(1, 2, 3)), { code: 'ERR_MODULE_INVALID' })
    assert.deepEqual(scripted.told, [])
  })

  const coded = (code: string): Outcome => ({
    kind: 'error',
    error: Object.assign(new Error('gone'), { code })
  })
  const ends: readonly (readonly [string, (scripted: ScriptedMachine) => void, string])[] = [
    ['never starts', (scripted) => scripted.end(coded('ERR_VM_START')), 'ERR_SANDBOX_UNAVAILABLE'],
    [
      'has used up its time',
      (scripted) => scripted.end(coded('ERR_VM_TIME_LIMIT')),
      'ERR_CAPSULE_TIME_LIMIT'
    ],
    [
      'runs out of memory',
      (scripted) => {
        scripted.say(READY)
        scripted.complain('FATAL ERROR: JavaScript heap out of memory')
        scripted.end({ kind: 'exit', exit: { kind: 'signal', signal: 6 } })
      },
      'ERR_CAPSULE_MEMORY_LIMIT'
    ],
    ['says no frames', (scripted) => scripted.say(READY, new Uint8Array(8).fill(0xff)), 'ERR_CAPSULE_CRASHED']
  ]
  for (const [name, act, code] of ends) {
    it(`ends alone when its machine ${name}`, async () => {
      const scripted = createScriptedMachine()
      const { capsule } = start(scripted)
      act(scripted)
      const outcome = await capsule.finished
      assert.equal(outcome.kind === 'error' && outcome.error.code, code)
      assert.equal(scripted.isDisposed, true)
    })
  }

  it('runs with the Node, the flags and the script of a process', async () => {
    const runtime = await findModuleRuntime(SANDBOX, async () => await Promise.resolve('a script'))
    const [node, ...flags] = runtime.program(DEFAULT_CAPSULE_LIMITS)
    assert.equal(runtime.files[0]?.target, node)
    assert.equal(runtime.script.text, 'a script')
    assert.equal(flags.at(-1), runtime.script.target)
    assert.ok(flags.includes('--permission') && flags.includes(`--allow-fs-read=${runtime.script.target}`))
    const { layout: _none, ...without } = SANDBOX
    await assert.rejects(
      findModuleRuntime(without, async () => await Promise.resolve('')),
      { code: 'ERR_SANDBOX_UNAVAILABLE' }
    )
  })
})

async function* nothing(): AsyncGenerator<Uint8Array> {
  // Nobody types.
}
