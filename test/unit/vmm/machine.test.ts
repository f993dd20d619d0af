import assert from 'node:assert/strict'
import { systemRandom } from '#contracts'
import {
  encodeVmFrame,
  startMachine,
  VM_FRAME,
  type Machine,
  type MonitorLayout,
  type MonitorSpawn
} from '#vmm'
import { VmFrameDecoder } from '../../../vmm/channel/frames.ts'
import { createVirtualClock, type VirtualClock } from '../../support/virtual-clock.ts'
import { createFakeMonitor, type FakeMonitor } from './fake-monitor.ts'

const HELLO = encodeVmFrame(VM_FRAME.hello, 0, Uint8Array.of(1))
const RUNNING = encodeVmFrame(VM_FRAME.running, 0)
const EXIT = encodeVmFrame(VM_FRAME.exit, 0, Uint8Array.of(0, 3))
const LAYOUT = { bubblewrap: '/bwrap', prlimit: '/prlimit', monitor: '/qemu', reads: [] }

interface Trial {
  readonly machine: Machine
  readonly monitor: FakeMonitor
  readonly clock: VirtualClock
}

function start(
  signal = new AbortController().signal,
  layout: MonitorLayout = LAYOUT,
  onSpawn: () => void = () => undefined
): Trial {
  const clock = createVirtualClock()
  const monitor = createFakeMonitor()
  const spawnMonitor: typeof monitor.powers.spawnMonitor = (init) => {
    onSpawn()
    return monitor.powers.spawnMonitor(init)
  }
  const machine = startMachine(
    { powers: { ...monitor.powers, spawnMonitor }, clock, random: systemRandom },
    {
      ...{ layout, arch: 'x86_64', tier: 'emulated', cpus: 1, signal },
      limits: { memoryMib: 128, cpuSecondsMax: 10 },
      guest: { kernel: '/k', initrd: '/i' },
      disks: [{ path: '/r', isReadOnly: true }],
      program: { args: ['/bin/program'], environment: { TOKEN: 'secret' } },
      wallMsMax: 60_000
    }
  )
  return { machine, monitor, clock }
}

describe('a machine that starts', () => {
  it('is told its seed, its time and its program only over the channel, and ends with its program', async () => {
    const seeds: string[] = []
    for (let count = 0; count < 2; count += 1) {
      const { machine, monitor } = start()
      monitor.say(HELLO)
      await monitor.until(() => monitor.heard.length > 0)
      const decoder = new VmFrameDecoder()
      decoder.push(Buffer.concat(monitor.heard), ({ type, payload }) => {
        assert.equal(type, VM_FRAME.start)
        assert.ok(Buffer.from(payload).includes('TOKEN=secret'))
        seeds.push(Buffer.from(payload.subarray(3, 67)).toString('hex'))
      })
      assert.equal(JSON.stringify(monitor.spawned satisfies MonitorSpawn[]).includes('secret'), false)
      monitor.say(RUNNING)
      await machine.started
      monitor.say(EXIT)
      assert.deepEqual(await machine.finished, { kind: 'exit', exit: { kind: 'code', code: 3 } })
      assert.equal(monitor.isKilled, true)
    }
    assert.equal(new Set(seeds).size, 2, 'another seed for every machine')
  })

  it('is ended in time when its guest never says a word, with what it said on its console', async () => {
    const { machine, monitor, clock } = start()
    monitor.console('Kernel panic - not syncing: \u001b[31mno init\n')
    await monitor.until(() => true)
    await clock.advance(30_000)
    const outcome = await machine.finished
    assert.ok(outcome.kind === 'error')
    assert.equal(outcome.error.code, 'ERR_VM_START')
    assert.deepEqual(outcome.error.detail, ['Kernel panic - not syncing: [31mno init'])
    await assert.rejects(machine.started, { code: 'ERR_VM_START' })
  })

  it('yields to the node where programs can', async () => {
    const { machine, monitor } = start(undefined, { ...LAYOUT, nice: '/nice' })
    await machine[Symbol.asyncDispose]()
    const [spawned] = monitor.spawned
    assert.equal(spawned?.command, '/nice')
    assert.deepEqual(spawned.args.slice(0, 3), ['-n', '5', '/bwrap'])
  })

  it('is ended when it runs too long', async () => {
    const { machine, monitor, clock } = start()
    monitor.say(HELLO)
    monitor.say(RUNNING)
    await machine.started
    await clock.advance(60_000)
    const outcome = await machine.finished
    assert.equal(outcome.kind === 'error' && outcome.error.code, 'ERR_VM_TIME_LIMIT')
  })

  it('is ended by its signal, and by disposing it', async () => {
    const ending = new AbortController()
    const { machine } = start(ending.signal)
    ending.abort()
    const outcome = await machine.finished
    assert.equal(outcome.kind === 'error' && outcome.error.code, 'ERR_VM_STOPPED')
    const other = start()
    await other.machine[Symbol.asyncDispose]()
    assert.equal(other.monitor.isKilled, true)
  })

  it('is ended by a signal that came before anybody listened', async () => {
    const ending = new AbortController()
    const { machine, monitor } = start(ending.signal, LAYOUT, () => ending.abort())
    const outcome = await machine.finished
    assert.equal(outcome.kind === 'error' && outcome.error.code, 'ERR_VM_STOPPED')
    assert.equal(monitor.isKilled, true)
  })

  it('has crashed when its monitor ends first', async () => {
    const { machine, monitor } = start()
    monitor.say(HELLO)
    monitor.say(RUNNING)
    await machine.started
    monitor.end({ code: null, signal: 'SIGKILL' })
    const outcome = await machine.finished
    assert.equal(outcome.kind === 'error' && outcome.error.code, 'ERR_VM_CRASHED')
    assert.equal(monitor.isKilled, false, 'its number may be of another process now')
  })

  it('ends when its guest takes nothing of what it is sent', async () => {
    const { machine, monitor } = start()
    monitor.say(HELLO)
    monitor.say(RUNNING)
    await machine.started
    monitor.leave(2 ** 20)
    machine.signal(1)
    await monitor.until(() => monitor.heard.length > 1)
    assert.equal(monitor.isKilled, false)
    monitor.leave(2 ** 20 + 1)
    machine.signal(1)
    const outcome = await machine.finished
    assert.equal(outcome.kind === 'error' && outcome.error.code, 'ERR_VM_CHANNEL')
  })

  it('has used up its time when it is killed once it can have used that', async () => {
    const { machine, monitor, clock } = start()
    monitor.say(HELLO)
    monitor.say(RUNNING)
    await machine.started
    await clock.advance(10_000)
    monitor.end({ code: 137, signal: null })
    const outcome = await machine.finished
    assert.equal(outcome.kind === 'error' && outcome.error.code, 'ERR_VM_TIME_LIMIT')
  })

  const hostile: Readonly<Record<string, readonly Uint8Array[]>> = {
    'says hello twice': [HELLO, HELLO],
    'runs before it is told to': [RUNNING],
    'ends before it runs': [HELLO, EXIT],
    'speaks another version': [encodeVmFrame(VM_FRAME.hello, 0, Uint8Array.of(2))],
    'gives the host orders': [HELLO, encodeVmFrame(VM_FRAME.start, 0)],
    'announces a frame of 4 GiB': [Buffer.from('10000000ffffffff', 'hex')],
    'writes more than it may': [
      HELLO,
      RUNNING,
      ...Array.from({ length: 5 }, () => encodeVmFrame(VM_FRAME.data, 2, new Uint8Array(65_536)))
    ]
  }
  for (const [name, frames] of Object.entries(hostile)) {
    it(`ends alone when its guest ${name}`, async () => {
      const { machine, monitor } = start()
      for (const frame of frames) monitor.say(frame)
      const outcome = await machine.finished
      assert.equal(outcome.kind === 'error' && outcome.error.code, 'ERR_VM_CHANNEL')
      assert.equal(monitor.isKilled, true)
    })
  }

  it('says what the guest could not do', async () => {
    const { machine, monitor } = start()
    monitor.say(HELLO)
    monitor.say(encodeVmFrame(VM_FRAME.failed, 0, Uint8Array.of(4, 2, 0, 0, 0)))
    const outcome = await machine.finished
    assert.equal(outcome.kind === 'error' && outcome.error.code, 'ERR_VM_PROGRAM')
  })
})
