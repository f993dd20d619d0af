import assert from 'node:assert/strict'
import { encodeVmFrame, probeMachines, VM_FRAME, type MachineReport, type VmmPowers } from '#vmm'
import { timestampKhz } from '../../../vmm/probe/decide.ts'
import { memoryCache } from '../../support/machine.ts'
import { createVirtualClock, type VirtualClock } from '../../support/virtual-clock.ts'
import { createFakeMonitor, type FakeMonitor } from './fake-monitor.ts'

const GUEST = { kernel: '/guest/kernel', initrd: '/guest/initrd' }
const WITH_KVM = 'flags\t\t: fpu vme vmx sse\nbogomips\t: 5192.00\n'
const WITHOUT_KVM = 'flags\t\t: fpu vme sse vmxnet\nbogomips\t: 5192.00\n'

interface MachineFacts {
  readonly platform?: string
  readonly arch?: string
  readonly programs?: readonly string[]
  readonly cpuInfo?: string
  readonly opensKvm?: boolean
  readonly bootId?: string
  readonly kernelRelease?: string
  readonly help?: string
}

/** A machine as a probe sees it; what a monitor does on it is up to `monitor`. */
function machineOf(facts: MachineFacts, monitor: FakeMonitor): VmmPowers {
  const programs = facts.programs ?? ['qemu-system-x86_64', 'bwrap', 'prlimit']
  return {
    ...monitor.powers,
    platform: facts.platform ?? 'linux',
    arch: facts.arch ?? 'x64',
    findProgram: async (name) => (programs.includes(name) ? `/usr/bin/${name}` : undefined),
    resolvePath: async (path) => path,
    opens: async (path) => path === '/dev/kvm' && facts.opensKvm === true,
    readText: async (path) =>
      path === '/proc/cpuinfo' ? (facts.cpuInfo ?? WITH_KVM) : (facts.bootId ?? 'boot 1'),
    hashFile: async (path) => `hash of ${path}`,
    linkedFiles: async () => '\tlibc.so.6 => /lib/libc.so.6 (0x00007f0000000000)\n',
    kernelRelease: facts.kernelRelease ?? '6.1.0-18-amd64',
    helpOf: async () => facts.help ?? '    --unshare-user\n    --disable-userns\n'
  }
}

describe('the probe of machines', () => {
  const jails: readonly (readonly [
    MachineFacts,
    { forbidsNamespaces: boolean; hasOwnThreadCount: boolean }
  ])[] = [
    [{}, { forbidsNamespaces: true, hasOwnThreadCount: true }],
    [{ help: '    --unshare-user\n' }, { forbidsNamespaces: false, hasOwnThreadCount: true }],
    [{ kernelRelease: '5.10.0-28-amd64' }, { forbidsNamespaces: true, hasOwnThreadCount: false }],
    [{ kernelRelease: '5.14.0' }, { forbidsNamespaces: true, hasOwnThreadCount: true }]
  ]
  for (const [facts, expected] of jails) {
    it(`plans a jail for what is here: ${JSON.stringify(facts)}`, async () => {
      const powers = machineOf(facts, createFakeMonitor())
      const report = await probeMachines({ powers, clock: createVirtualClock(), cache: memoryCache() }, GUEST)
      assert.ok(report.tier !== 'none')
      const { forbidsNamespaces, hasOwnThreadCount } = report.layout
      assert.deepEqual({ forbidsNamespaces, hasOwnThreadCount }, expected)
    })
  }

  const elsewhere: readonly (readonly [MachineFacts, MachineReport['tier'], RegExp])[] = [
    [{ platform: 'darwin' }, 'none', /WASM only here/],
    [{ arch: 'riscv64' }, 'none', /WASM only here/],
    [{ programs: ['bwrap', 'prlimit'] }, 'none', /qemu-system-x86_64 not found/],
    [{ programs: ['qemu-system-x86_64'] }, 'none', /bwrap and prlimit not found/],
    [{ opensKvm: false }, 'emulated', /does not open/],
    [{ opensKvm: true, cpuInfo: WITHOUT_KVM }, 'emulated', /shows no virtualisation/]
  ]
  for (const [facts, tier, reason] of elsewhere) {
    it(`finds ${tier} and starts nothing where ${JSON.stringify(facts)}`, async () => {
      const monitor = createFakeMonitor()
      const components = {
        powers: machineOf(facts, monitor),
        clock: createVirtualClock(),
        cache: memoryCache()
      }
      const report = await probeMachines(components, GUEST)
      assert.equal(report.tier, tier)
      assert.match(report.reason, reason)
      assert.deepEqual(monitor.spawned, [])
      if ('packages' in report && facts.programs?.length === 2)
        assert.deepEqual(report.packages, ['qemu-system-x86'])
    })
  }

  it('finds kvm when a guest said hello, and remembers that for this boot and these files', async () => {
    const cache = memoryCache()
    const probe = async (facts: MachineFacts): Promise<{ report: MachineReport; monitor: FakeMonitor }> => {
      const monitor = createFakeMonitor()
      monitor.say(encodeVmFrame(VM_FRAME.hello, 0, Uint8Array.of(1)))
      const powers = machineOf({ opensKvm: true, ...facts }, monitor)
      return { report: await probeMachines({ powers, clock: createVirtualClock(), cache }, GUEST), monitor }
    }
    const first = await probe({})
    assert.equal(first.report.tier, 'kvm')
    assert.equal(first.monitor.isKilled, true)
    assert.ok(first.monitor.spawned[0]?.args.includes('/dev/kvm'))
    const again = await probe({})
    assert.equal(again.report.tier, 'kvm')
    assert.deepEqual(again.monitor.spawned, [])
    const afterBoot = await probe({ bootId: 'boot 2' })
    assert.equal(afterBoot.monitor.spawned.length, 1)
  })

  const failures: Readonly<
    Record<string, (monitor: FakeMonitor, clock: VirtualClock) => Promise<void> | void>
  > = {
    'is silent for 3 s': (_, clock) => clock.advance(3000),
    'ends early': (monitor) => monitor.end({ code: 1, signal: null }),
    'talks nonsense': (monitor) => monitor.say(Buffer.from('KVM internal error. Suberror: 1'))
  }
  for (const [name, fail] of Object.entries(failures)) {
    it(`finds only emulation when the guest under KVM ${name}`, async () => {
      const monitor = createFakeMonitor()
      const clock = createVirtualClock()
      const powers = machineOf({ opensKvm: true }, monitor)
      const cache = memoryCache()
      const probing = probeMachines({ powers, clock, cache }, GUEST)
      await monitor.until(() => monitor.spawned.length > 0)
      await monitor.until(() => true)
      await fail(monitor, clock)
      const report = await probing
      assert.equal(report.tier, 'emulated')
      assert.match(report.reason, /no guest starts under KVM/)
      assert.equal('timestampKhz' in report && report.timestampKhz, 2_596_000)
      assert.equal(monitor.isKilled || name === 'ends early', true)
      assert.equal(cache.answers.size, name === 'is silent for 3 s' ? 0 : 1, 'a busy machine is asked again')
    })
  }

  it('finds kvm where nothing can be remembered', async () => {
    const monitor = createFakeMonitor()
    monitor.say(encodeVmFrame(VM_FRAME.hello, 0, Uint8Array.of(1)))
    const fail = (): Promise<never> => Promise.reject(new Error('the disk is full'))
    const components = {
      powers: machineOf({ opensKvm: true }, monitor),
      clock: createVirtualClock(),
      cache: { get: fail, set: fail }
    }
    assert.equal((await probeMachines(components, GUEST)).tier, 'kvm')
  })

  it('does not guess how fast a time stamp counter is', () => {
    assert.equal(timestampKhz('processor : 0\n'), undefined)
    assert.equal(timestampKhz('bogomips\t: 0\n'), undefined)
  })
})
