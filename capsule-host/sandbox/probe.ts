import { silentLogger, type Clock } from '#contracts'
import { PROBE_MS_MAX } from '../constants.ts'
import { CapsuleError } from '../errors.ts'
import { DEFAULT_CAPSULE_LIMITS } from '../limits.ts'
import type { HostPowers, Identity } from '../powers.ts'
import { startCapsuleProcess } from '../process/capsule-process.ts'
import {
  guestScript,
  guestScriptInPlace,
  parseLinkedFiles,
  type ProcessLayout,
  type SandboxLayout
} from './layout.ts'
import { installCommand, namespaceMending, type NeededPackage } from './mend.ts'
import type { SandboxCheck, SandboxReport } from './report.ts'
import { runProgram } from './run-program.ts'
import { sandboxArch } from './seccomp.ts'

/** What {@link probeSandbox} looks at the machine with. */
export interface ProbeComponents {
  powers: HostPowers
  clock: Clock
}

/** What {@link probeSandbox} tries. */
export interface ProbeInit {
  /** Absolute path of the guest script: `capsule-host/guest/main.ts`, or its bundle. */
  guestEntry: string
  signal?: AbortSignal
}

/** The user nobody, whom nothing belongs to. */
const NOBODY: Identity = { uid: 65_534, gid: 65_534 }
/** The first kernel that counts processes by user namespace (ucounts of RLIMIT_NPROC). */
const THREAD_COUNT_KERNEL = [5, 14] as const
const LINUX_ONLY = 'capsules of others run on Linux only for now: use a Linux machine, or a virtual one'

// (module (memory (export "memory") 0) (func (export "_start")))
const EMPTY_PROGRAM = Uint8Array.from([
  ...[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
  ...[0x01, 0x04, 0x01, 0x60, 0x00, 0x00],
  ...[0x03, 0x02, 0x01, 0x00],
  ...[0x05, 0x03, 0x01, 0x00, 0x00],
  ...[
    0x07,
    0x13,
    0x02,
    0x06,
    ...Buffer.from('memory'),
    0x02,
    0x00,
    0x06,
    ...Buffer.from('_start'),
    0x00,
    0x00
  ],
  ...[0x0a, 0x04, 0x01, 0x02, 0x00, 0x0b]
])

/**
 * Finds out how strongly this machine can hold a capsule, by running an empty one in the very sandbox that capsules
 * get. As root it first tries as the user nobody, so that even an escaped process is nobody.
 */
export async function probeSandbox(components: ProbeComponents, init: ProbeInit): Promise<SandboxReport> {
  const { powers } = components
  const arch = powers.platform === 'linux' ? sandboxArch(powers.arch) : undefined
  const inPlace = { node: powers.nodePath, guest: guestScriptInPlace(init.guestEntry) }
  if (arch === undefined) {
    const check = {
      name: 'platform',
      isOk: false,
      found: `${powers.platform} on ${powers.arch}`,
      mend: [LINUX_ONLY]
    }
    return { level: 'process', checks: [check], process: { ...inPlace, prlimit: undefined } }
  }
  const bubblewrap = await findNeeded(powers, 'bwrap', 'bubblewrap')
  const prlimit = await findNeeded(powers, 'prlimit', 'util-linux')
  const ldd = await findNeeded(powers, 'ldd', 'libc-bin')
  const nice = await powers.findProgram('nice')
  const checks = [bubblewrap.check, prlimit.check, ldd.check]
  const process = { ...inPlace, prlimit: prlimit.path, nice }
  if (bubblewrap.path === undefined || prlimit.path === undefined || ldd.path === undefined) {
    return { level: 'process', checks, process }
  }
  const layout: SandboxLayout = {
    bubblewrap: bubblewrap.path,
    prlimit: prlimit.path,
    nice,
    node: powers.nodePath,
    libraries: await linkedFiles(components, ldd.path, [powers.nodePath, prlimit.path]),
    guest: guestScript(init.guestEntry),
    arch,
    identity: undefined,
    hasOwnThreadCount: isKernelFrom(powers.kernelRelease, THREAD_COUNT_KERNEL)
  }
  return tryLayout(components, { layout, checks, process, signal: init.signal })
}

async function findNeeded(
  powers: HostPowers,
  program: string,
  packageName: NeededPackage
): Promise<{ path: string | undefined; check: SandboxCheck }> {
  const path = await powers.findProgram(program)
  const mend = path === undefined ? [await installCommand(powers, packageName)] : []
  const found = path ?? `the program ${program} is not installed`
  return { path, check: { name: packageName, isOk: path !== undefined, found, mend } }
}

async function linkedFiles(
  components: ProbeComponents,
  ldd: string,
  programs: readonly string[]
): Promise<string[]> {
  const files: string[] = []
  for (const program of programs) {
    const { stdout } = await runProgram(components, {
      command: ldd,
      args: [program],
      deadlineMs: PROBE_MS_MAX
    })
    files.push(...parseLinkedFiles(stdout))
  }
  return [...new Set(files)]
}

async function tryLayout(
  components: ProbeComponents,
  attempt: {
    layout: SandboxLayout
    checks: readonly SandboxCheck[]
    process: ProcessLayout
    signal: AbortSignal | undefined
  }
): Promise<SandboxReport> {
  const { layout, checks, process } = attempt
  const identities = components.powers.userId === 0 ? [NOBODY, undefined] : [undefined]
  let refusal = new CapsuleError('ERR_SANDBOX_UNAVAILABLE', 'expected the sandbox to start')
  for (const identity of identities) {
    const report: SandboxReport = {
      level: 'namespaces+seccomp',
      checks,
      layout: { ...layout, identity },
      process
    }
    const error = await runEmptyProgram(components, report, attempt.signal)
    if (error === undefined) {
      const found = identity === undefined ? 'an empty capsule ran' : 'an empty capsule ran as nobody'
      return { ...report, checks: [...checks, { name: 'sandbox', isOk: true, found, mend: [] }] }
    }
    refusal = error
  }
  const mend = await namespaceMending(components.powers, layout.bubblewrap)
  const found = refusal.detail[0] ?? refusal.message
  return { level: 'process', checks: [...checks, { name: 'sandbox', isOk: false, found, mend }], process }
}

async function runEmptyProgram(
  { powers, clock }: ProbeComponents,
  sandbox: SandboxReport,
  signal: AbortSignal | undefined
): Promise<CapsuleError | undefined> {
  const nothing = { write: () => undefined }
  await using capsule = startCapsuleProcess(
    { powers, clock, logger: silentLogger, sandbox },
    {
      name: 'probe',
      module: EMPTY_PROGRAM,
      limits: { ...DEFAULT_CAPSULE_LIMITS, wallMsMax: PROBE_MS_MAX },
      stdin: noInput(),
      stdout: nothing,
      stderr: nothing,
      signal: signal ?? new AbortController().signal
    }
  )
  const outcome = await capsule.finished
  signal?.throwIfAborted()
  if (outcome.kind === 'error') return outcome.error
  if (outcome.exitCode === 0) return undefined
  return new CapsuleError(
    'ERR_SANDBOX_UNAVAILABLE',
    `expected an empty capsule to end well, got ${outcome.exitCode}`
  )
}

async function* noInput(): AsyncGenerator<Uint8Array> {
  // The program reads nothing.
}

function isKernelFrom(release: string, [major, minor]: readonly [number, number]): boolean {
  const [, thisMajor = '0', thisMinor = '0'] = /^(\d+)\.(\d+)/.exec(release) ?? []
  return Number(thisMajor) > major || (Number(thisMajor) === major && Number(thisMinor) >= minor)
}
