import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import {
  jailArguments,
  planCloudHypervisor,
  planCrosvm,
  planFirecracker,
  planQemu,
  type MachinePlan,
  type MonitorPlan
} from '#vmm'

interface PlanVector {
  readonly name: string
  readonly monitor: 'qemu' | 'firecracker' | 'cloud-hypervisor' | 'crosvm'
  readonly plan: MachinePlan
  readonly expected: MonitorPlan
}

const API = '/run/elastos/api.sock'
const PLANNERS: Readonly<Record<PlanVector['monitor'], (plan: MachinePlan) => MonitorPlan>> = {
  qemu: planQemu,
  firecracker: (plan) => planFirecracker(plan, API),
  'cloud-hypervisor': (plan) => planCloudHypervisor(plan, API),
  crosvm: (plan) => planCrosvm(plan, API)
}
const VECTORS = JSON.parse(
  readFileSync(new URL('../../vectors/vm-plans/plans.json', import.meta.url), 'utf8')
) as readonly PlanVector[]

const PLAN: MachinePlan = {
  arch: 'x86_64',
  tier: 'kvm',
  memoryMib: 128,
  cpus: 1,
  kernel: '/vm/kernel',
  initrd: '/vm/initrd',
  disks: [],
  channel: { socket: '/run/elastos/vm.sock' }
}

describe('plans of machines', () => {
  for (const { name, monitor, plan, expected } of VECTORS) {
    const held = monitor === 'qemu' ? '' : ' (held by its documentation only: this monitor is not run here)'
    it(`tell ${monitor} all it needs: ${name}${held}`, () => {
      assert.deepEqual(PLANNERS[monitor](plan), expected)
    })
  }

  const wrong: Readonly<Record<string, Partial<MachinePlan>>> = {
    'too little memory': { memoryMib: 64 },
    'too much memory': { memoryMib: 1e6 },
    'half a processor': { cpus: 0.5 },
    'too many disks': { disks: Array.from({ length: 5 }, () => ({ path: '/a', isReadOnly: true })) },
    'a path that would begin another option': { disks: [{ path: '/a,readonly=off', isReadOnly: true }] },
    'a path from nowhere': { kernel: 'kernel' },
    'a channel with a space': { channel: { socket: '/run/vm 1.sock' } }
  }
  for (const [name, change] of Object.entries(wrong)) {
    it(`refuse ${name}`, () => {
      for (const plan of Object.values(PLANNERS)) {
        assert.throws(() => plan({ ...PLAN, ...change }), { code: 'ERR_VM_PLAN' })
      }
    })
  }

  it('tell QEMU what belongs to a template, and what starts from it, with a disk that is given later', () => {
    const template = { memory: '/vm/memory', control: 5 } as const
    const become = planQemu(PLAN, { ...template, role: 'become' }).args
    const start = planQemu(PLAN, { ...template, role: 'start' }).args
    const memory = 'memory-backend-file,id=memory,size=128M,mem-path=/vm/memory,share='
    assert.ok(become.includes(`${memory}on`), 'written through')
    assert.ok(start.includes(`${memory}off`), 'its own from the first write on')
    const differs = (args: readonly string[], others: readonly string[]): string[] =>
      args.filter((arg) => !others.includes(arg))
    const { kernel, initrd } = PLAN
    const [option, line] = become.slice(-2)
    assert.deepEqual(differs(become, start), [
      `${memory}on`,
      '-kernel',
      kernel,
      '-initrd',
      initrd,
      option,
      line
    ])
    assert.deepEqual(differs(start, become), [`${memory}off`, '-S', '-incoming', 'defer'])
    assert.ok(start.includes('virtio-blk-device,drive=disk0'))
    const disks = [{ path: '/vm/disk0', isReadOnly: true }]
    assert.throws(() => planQemu({ ...PLAN, disks }, { ...template, role: 'start' }), { code: 'ERR_VM_PLAN' })
  })

  it('ask no monitor without an emulator for one', () => {
    const { qemu, ...others } = PLANNERS
    assert.ok(qemu({ ...PLAN, tier: 'emulated' }).args.includes('tcg,tb-size=64'))
    for (const plan of Object.values(others)) {
      assert.throws(() => plan({ ...PLAN, tier: 'emulated' }), { code: 'ERR_VM_PLAN' })
      assert.throws(() => plan({ ...PLAN, channel: { descriptor: 3 } }), { code: 'ERR_VM_PLAN' })
    }
  })
})

describe('the jail of a monitor', () => {
  const layout = {
    bubblewrap: '/usr/bin/bwrap',
    prlimit: '/usr/bin/prlimit',
    monitor: '/usr/bin/qemu-system-x86_64',
    reads: ['/lib/libc.so.6']
  }
  const limits = { memoryMib: 128, cpuSecondsMax: 60 }
  const files = [{ source: '/home/me/kernel', target: '/vm/kernel', isReadOnly: true }]

  it('shows what it was told to, only for reading, and ends with its owner', () => {
    const args = jailArguments(layout, { files, needsKvm: false, limits }, ['-M', 'microvm'])
    for (const needed of ['--unshare-all', '--die-with-parent', '--clearenv', '--as-pid-1']) {
      assert.ok(args.includes(needed), needed)
    }
    const shown = args.flatMap((arg, index) =>
      arg.includes('bind') ? [[arg, args[index + 1], args[index + 2]]] : []
    )
    assert.deepEqual(shown, [
      ['--ro-bind', '/lib/libc.so.6', '/lib/libc.so.6'],
      ['--ro-bind', '/usr/bin/prlimit', '/vm/prlimit'],
      ['--ro-bind', '/usr/bin/qemu-system-x86_64', '/usr/bin/qemu-system-x86_64'],
      ['--ro-bind', '/home/me/kernel', '/vm/kernel'],
      ['--dev-bind', '/dev/null', '/dev/null']
    ])
    assert.deepEqual(args.slice(args.indexOf('--')), [
      '--',
      '/vm/prlimit',
      `--as=${(128 + 768) * 2 ** 20}`,
      '--cpu=60:61',
      '--nofile=64',
      '--core=0',
      '--fsize=0',
      '/usr/bin/qemu-system-x86_64',
      '-M',
      'microvm'
    ])
  })

  it('forbids further namespaces and counts threads where that can be done', () => {
    const able = { ...layout, forbidsNamespaces: true, hasOwnThreadCount: true }
    const args = jailArguments(able, { files, needsKvm: false, limits }, [])
    assert.deepEqual(args.slice(0, 3), ['--unshare-all', '--unshare-user', '--disable-userns'])
    assert.ok(args.includes('--nproc=128'))
    const unable = jailArguments(layout, { files, needsKvm: false, limits }, []).join(' ')
    assert.equal(
      /userns|unshare-user|nproc/.test(unable),
      false,
      'bubblewrap would refuse what it does not know'
    )
  })

  it('stays in the group of its guard, which is killed with its owner', () => {
    const args = jailArguments(layout, { files, needsKvm: false, limits }, [])
    assert.equal(args.includes('--new-session'), false)
  })

  it('shows the processor’s virtualisation only to who uses it, and lets a disk be written only when told to', () => {
    const disk = { source: '/data/disk', target: '/vm/disk1', isReadOnly: false }
    const args = jailArguments(layout, { files: [...files, disk], needsKvm: true, limits }, [])
    assert.ok(args.join(' ').includes('--dev-bind /dev/kvm /dev/kvm'))
    assert.ok(args.join(' ').includes('--bind /data/disk /vm/disk1'))
    assert.equal(args.includes('--fsize=0'), false)
  })
})
