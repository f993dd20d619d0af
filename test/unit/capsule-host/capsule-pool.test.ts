import assert from 'node:assert/strict'
import { silentLogger } from '#contracts'
import {
  createCapsulePool,
  DEFAULT_CAPSULE_LIMITS,
  type CapsulePool,
  type SandboxReport
} from '#capsule-host'
import { encodeFrame, FRAME } from '../../../capsule-host/guest/frames.ts'
import { createVirtualClock, type VirtualClock } from '../../support/virtual-clock.ts'
import { createMachine, type FakeProgram, type Machine, SANDBOX } from './machine.ts'

const UP = Buffer.from(encodeFrame(FRAME.ready, new Uint8Array(0))).toString('latin1')
interface Scene {
  readonly pool: CapsulePool
  readonly machine: Machine
  readonly clock: VirtualClock
}

function scene(program: FakeProgram, init: { warmMax?: number; sandbox?: SandboxReport } = {}): Scene {
  const clock = createVirtualClock()
  const machine = createMachine({ run: ({ command }) => (command.endsWith('prlimit') ? {} : program) })
  const sandbox = init.sandbox ?? SANDBOX
  const pool = createCapsulePool({ powers: machine, clock, logger: silentLogger, sandbox }, init)
  return { pool, machine, clock }
}

const waiting: FakeProgram = { stdout: UP, status: '{ "child-pid": 77 }\n', isWaiting: true }

describe('the pool of capsule processes', () => {
  it('starts nothing before the first capsule', async () => {
    const { pool, machine, clock } = scene(waiting)
    await clock.advance(60_000)
    assert.equal(machine.started.length, 0)
    await pool[Symbol.asyncDispose]()
  })

  it('has one ready after the first capsule, at a low priority, and gives it away once', async () => {
    const { pool, machine, clock } = scene(waiting)
    assert.equal(pool.take(DEFAULT_CAPSULE_LIMITS), undefined)
    await clock.advance(1000)
    assert.equal(pool.warmCount, 1)
    assert.equal(machine.started.length, 1)
    assert.equal(machine.started[0]!.command, '/usr/bin/nice')
    assert.deepEqual(machine.started[0]!.args.slice(0, 3), ['-n', '15', '/usr/bin/bwrap'])
    const taken = pool.take(DEFAULT_CAPSULE_LIMITS)
    assert.notEqual(taken, undefined)
    assert.equal(pool.warmCount, 0)
    assert.equal(pool.take(DEFAULT_CAPSULE_LIMITS), undefined)
    await clock.advance(1000)
    const second = pool.take(DEFAULT_CAPSULE_LIMITS)
    assert.notEqual(second, undefined)
    assert.notEqual(second!.process, taken!.process, 'never the same one again')
    await Promise.all([taken, second].map((one) => one!.supervisor.end()))
    await pool[Symbol.asyncDispose]()
    assert.equal(clock.pendingCount(), 0, 'no timer is left')
  })

  it('tells the kernel of the processor time of a capsule that stays', async () => {
    const { pool, machine, clock } = scene(waiting)
    pool.take(DEFAULT_CAPSULE_LIMITS)
    await clock.advance(1000)
    const taken = pool.take({ ...DEFAULT_CAPSULE_LIMITS, cpuSecondsMax: 5 })!
    await clock.advance(2000)
    const told = machine.started.find(({ command }) => command === '/usr/bin/prlimit')
    assert.deepEqual(told?.args, ['--pid=77', '--cpu=7:8'])
    await taken.supervisor.end()
    await pool[Symbol.asyncDispose]()
  })

  it('gives a capsule that wants more memory than a ready process may have one of its own', async () => {
    const { pool, clock } = scene(waiting)
    pool.take(DEFAULT_CAPSULE_LIMITS)
    await clock.advance(1000)
    assert.equal(pool.take({ ...DEFAULT_CAPSULE_LIMITS, memoryBytesMax: 2 ** 30 }), undefined)
    assert.equal(pool.warmCount, 1)
    await pool[Symbol.asyncDispose]()
  })

  it('keeps as many as it is told, and ends those that wait with itself', async () => {
    const { pool, machine, clock } = scene(waiting, { warmMax: 3 })
    pool.take(DEFAULT_CAPSULE_LIMITS)
    await clock.advance(1000)
    assert.equal(pool.warmCount, 3)
    await pool[Symbol.asyncDispose]()
    assert.equal(pool.warmCount, 0)
    assert.equal(machine.runningCount(), 0)
    assert.equal(pool.take(DEFAULT_CAPSULE_LIMITS), undefined)
    await clock.advance(1000)
    assert.equal(machine.started.length, 3, 'a pool that was closed starts nothing')
  })

  it('forgets a process that ended while it waited', async () => {
    const { pool, machine, clock } = scene(waiting)
    pool.take(DEFAULT_CAPSULE_LIMITS)
    await clock.advance(1000)
    machine.endAll()
    await clock.advance(1)
    assert.equal(pool.warmCount, 0)
    await pool[Symbol.asyncDispose]()
  })

  for (const [what, program] of [
    ['do not come up', { code: 1 }],
    ['say something else first', { stdout: 'hello', code: 0 }],
    ['come up only to end', { stdout: UP, code: 1 }]
  ] as const) {
    it(`stops trying when processes ${what}, until the next capsule`, async () => {
      const { pool, machine, clock } = scene(program)
      pool.take(DEFAULT_CAPSULE_LIMITS)
      await clock.advance(60_000)
      const tried = machine.started.length
      assert(tried >= 1 && tried <= 3, String(tried))
      await clock.advance(60_000)
      assert.equal(machine.started.length, tried)
      assert.equal(pool.take(DEFAULT_CAPSULE_LIMITS), undefined)
      await clock.advance(60_000)
      assert.equal(machine.started.length, 2 * tried)
      await pool[Symbol.asyncDispose]()
      assert.equal(clock.pendingCount(), 0, 'no timer is left')
    })
  }

  it('keeps nothing where there is no sandbox', async () => {
    const { layout: _none, ...weak } = SANDBOX
    const { pool, machine, clock } = scene(waiting, { sandbox: { ...weak, level: 'process' } })
    assert.equal(pool.take(DEFAULT_CAPSULE_LIMITS), undefined)
    await clock.advance(1000)
    assert.equal(machine.started.length, 0)
    await pool[Symbol.asyncDispose]()
  })
})
