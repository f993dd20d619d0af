import assert from 'node:assert/strict'
import { mendingCommands, probeSandbox, startCapsuleProcess, type SandboxReport } from '#capsule-host'
import { silentLogger } from '#contracts'
import { DEFAULT_CAPSULE_LIMITS } from '#capsule-host'
import { encodeFrame, encodeNumberFrame, FRAME } from '../../../capsule-host/guest/frames.ts'
import { guestScript, parseLinkedFiles } from '../../../capsule-host/sandbox/layout.ts'
import { createVirtualClock } from '../../support/virtual-clock.ts'
import { createMachine, type FakeProgram, type MachineInit } from './machine.ts'

const GUEST_ENTRY = '/opt/app/dist/capsule-guest.mjs'
const EVERYTHING = ['bwrap', 'prlimit', 'ldd']
const DEBIAN = { '/etc/os-release': 'PRETTY_NAME="Debian GNU/Linux 12"\nID=debian\n' }
const LDD =
  '\tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f1)\n\t/lib64/ld-linux-x86-64.so.2 (0x00007f2)\n'
/** What the guest says when an empty program ran well, as bytes of Latin-1. */
const RAN = Buffer.concat([
  encodeFrame(FRAME.ready, new Uint8Array(0)),
  encodeNumberFrame(FRAME.exit, 0)
]).toString('latin1')

async function probe(
  init: MachineInit
): Promise<{ report: SandboxReport; machine: ReturnType<typeof createMachine> }> {
  const machine = createMachine(init)
  const clock = createVirtualClock()
  const report = await probeSandbox({ powers: machine, clock }, { guestEntry: GUEST_ENTRY })
  assert.equal(clock.pendingCount(), 0, 'no timer is left')
  return { report, machine }
}

const program = (result: FakeProgram) => (init: { command: string }) =>
  init.command.endsWith('ldd') ? { stdout: LDD } : result

describe('looking for a sandbox', () => {
  it('finds one where an empty capsule runs', async () => {
    const { report, machine } = await probe({ programs: EVERYTHING, run: program({ stdout: RAN }) })
    assert.equal(report.level, 'namespaces+seccomp')
    assert.deepEqual(mendingCommands(report), [])
    assert.deepEqual(report.layout?.libraries, [
      '/lib/x86_64-linux-gnu/libc.so.6',
      '/lib64/ld-linux-x86-64.so.2'
    ])
    const sandbox = machine.started.at(-1)!
    assert.equal(sandbox.command, '/usr/bin/bwrap')
    assert.equal(sandbox.identity, undefined)
    assert.deepEqual({ ...sandbox.environment }, {})
  })

  it('as root runs it as nobody, and as root only where nobody cannot', async () => {
    const asNobody = await probe({ userId: 0, programs: EVERYTHING, run: program({ stdout: RAN }) })
    assert.deepEqual(asNobody.report.layout?.identity, { uid: 65_534, gid: 65_534 })
    const asRoot = await probe({
      userId: 0,
      programs: EVERYTHING,
      run: (init) =>
        init.identity === undefined
          ? program({ stdout: RAN })(init)
          : { code: 1, stderr: 'bwrap: Permission denied' }
    })
    assert.equal(asRoot.report.level, 'namespaces+seccomp')
    assert.equal(asRoot.report.layout?.identity, undefined)
  })

  for (const [what, release, command] of [
    ['Debian', 'ID=debian\n', 'sudo apt-get install -y bubblewrap'],
    ['Ubuntu', 'ID=ubuntu\nID_LIKE=debian\n', 'sudo apt-get install -y bubblewrap'],
    ['Fedora', 'ID=fedora\n', 'sudo dnf install -y bubblewrap'],
    ['a relative of RHEL', 'ID="rocky"\nID_LIKE="rhel centos fedora"\n', 'sudo dnf install -y bubblewrap'],
    ['Arch', 'ID=arch\n', 'sudo pacman -S --noconfirm bubblewrap'],
    ['Alpine', 'ID=alpine\n', 'sudo apk add bubblewrap'],
    ['openSUSE', 'ID="opensuse-leap"\nID_LIKE="suse opensuse"\n', 'sudo zypper install -y bubblewrap'],
    ['NixOS', 'ID=nixos\n', 'nix-env -iA nixos.bubblewrap'],
    ['another', 'ID=mine\n', "install the package bubblewrap with this system's package manager"]
  ] as const) {
    it(`without bubblewrap says how to install it on ${what}`, async () => {
      const { report } = await probe({ programs: ['prlimit', 'ldd'], files: { '/etc/os-release': release } })
      assert.equal(report.level, 'process')
      assert.deepEqual(mendingCommands(report), [command])
    })
  }

  it('without bubblewrap does not say sudo to root, who may not have it', async () => {
    const { report } = await probe({ userId: 0, programs: ['prlimit', 'ldd'], files: DEBIAN })
    assert.deepEqual(mendingCommands(report), ['apt-get install -y bubblewrap'])
  })

  for (const [what, files, expected] of [
    [
      'Debian forbids it',
      { '/proc/sys/kernel/unprivileged_userns_clone': '0\n' },
      /^sudo sysctl -w kernel\.unprivileged_userns_clone=1$/
    ],
    [
      'there may be none',
      { '/proc/sys/user/max_user_namespaces': '0\n' },
      /^sudo sysctl -w user\.max_user_namespaces=15000$/
    ],
    [
      'AppArmor forbids it',
      { '/proc/sys/kernel/apparmor_restrict_unprivileged_userns': '1\n' },
      /profile bwrap \/usr\/bin\/bwrap .*userns.*apparmor_parser -r/
    ],
    ['a container forbids it', { '/.dockerenv': '' }, /--security-opt seccomp=unconfined/]
  ] as const) {
    it(`where user namespaces are refused because ${what} says what mends it`, async () => {
      const { report } = await probe({
        programs: EVERYTHING,
        files: { ...DEBIAN, ...files },
        run: program({ code: 1, stderr: 'bwrap: No permissions to create new namespace\n' })
      })
      assert.equal(report.level, 'process')
      assert.equal(report.layout, undefined)
      const [command, ...others] = mendingCommands(report)
      assert.match(command ?? '', expected)
      assert.deepEqual(others, [])
      const check = report.checks.find(({ name }) => name === 'sandbox')
      assert.equal(check?.found, 'bwrap: No permissions to create new namespace')
    })
  }

  for (const platform of ['darwin', 'win32']) {
    it(`on ${platform} says that there is none yet, and starts nothing`, async () => {
      const { report, machine } = await probe({ platform, programs: EVERYTHING })
      assert.equal(report.level, 'process')
      assert.match(mendingCommands(report)[0] ?? '', /Linux/)
      assert.deepEqual(machine.started, [])
    })
  }

  it('does not limit threads on a kernel that would count those of the whole user', async () => {
    for (const [kernelRelease, has] of [
      ['5.10.0-28-amd64', false],
      ['5.14.0', true],
      ['6.18.44', true]
    ] as const) {
      const { machine } = await probe({ kernelRelease, programs: EVERYTHING, run: program({ stdout: RAN }) })
      assert.equal(
        machine.started.at(-1)!.args.some((argument) => argument.startsWith('--nproc')),
        has
      )
    }
  })

  it("a stranger's capsule is refused with the command that mends it", async () => {
    const { report, machine } = await probe({ programs: [], files: DEBIAN })
    const start = (): unknown =>
      startCapsuleProcess(
        { powers: machine, clock: createVirtualClock(), logger: silentLogger, sandbox: report },
        {
          name: 'hello',
          module: new Uint8Array(0),
          limits: DEFAULT_CAPSULE_LIMITS,
          stdin: [] as unknown as AsyncIterable<Uint8Array>,
          stdout: { write: () => undefined },
          stderr: { write: () => undefined },
          signal: new AbortController().signal
        }
      )
    assert.throws(start, {
      code: 'ERR_SANDBOX_UNAVAILABLE',
      detail: [
        'sudo apt-get install -y bubblewrap',
        'sudo apt-get install -y util-linux',
        'sudo apt-get install -y libc-bin'
      ]
    })
    assert.deepEqual(machine.started, [])
  })
})

describe('what a sandbox shows', () => {
  it('is the files a program is linked with, by what ldd prints', () => {
    assert.deepEqual(
      parseLinkedFiles(
        '\tlinux-vdso.so.1 (0x00007ffd)\n\tlibm.so.6 => /lib/libm.so.6 (0x00007f00)\n\tlibmissing.so => not found\n' +
          '\t/lib64/ld-linux-x86-64.so.2 (0x00007f01)\n\tlibm.so.6 => /lib/libm.so.6 (0x00007f00)\n'
      ),
      ['/lib/libm.so.6', '/lib64/ld-linux-x86-64.so.2']
    )
    assert.deepEqual(parseLinkedFiles('\t/lib/ld-musl-x86_64.so.1 (0x7f83b5a7f000)\n'), [
      '/lib/ld-musl-x86_64.so.1'
    ])
    assert.deepEqual(parseLinkedFiles('\tnot a dynamic executable\n'), [])
  })

  it('is one file of a bundle, and the folder of sources', () => {
    assert.deepEqual(guestScript('/opt/app/dist/capsule-guest.mjs'), {
      source: '/opt/app/dist/capsule-guest.mjs',
      target: '/elastos/guest/capsule-guest.mjs',
      entry: '/elastos/guest/capsule-guest.mjs'
    })
    assert.deepEqual(guestScript('/src/capsule-host/guest/main.ts'), {
      source: '/src/capsule-host/guest',
      target: '/elastos/guest',
      entry: '/elastos/guest/main.ts'
    })
  })
})
