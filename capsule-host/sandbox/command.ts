import {
  PAGE_BYTES,
  PROCESS_CPU_SECONDS,
  PROCESS_DATA_BYTES,
  PROCESS_FILES_MAX,
  PROCESS_HEAP_MIB_MAX,
  PROCESS_NICENESS,
  PROCESS_THREADS_MAX,
  TABLE_ELEMENTS_MAX
} from '../constants.ts'
import type { CapsuleLimits } from '../limits.ts'
import type { HostPowers, SpawnedProcess } from '../powers.ts'
import { INSIDE, type GuestScript, type ProcessLayout, type SandboxLayout } from './layout.ts'
import { seccompFilter } from './seccomp.ts'

const SECCOMP_DESCRIPTOR = 3
const STATUS_DESCRIPTOR = 4
/** Node's own parts in WebAssembly (type stripping) need some pages, whatever the capsule's limit. */
const NODE_PAGES_MIN = 1024
/**
 * Bytes of code a function runs before the optimising compiler takes it up, eight times as many as the engine's own: for the
 * heart of QuickJS it needs 75 ms and 25 MB, which a capsule that starts, answers and waits again never gets back.
 */
const TIERING_BUDGET_BYTES = 104_000_000
const NOBODY = '65534'
/**
 * Makes the C library give back what the engine's compiler took: it is most of what a capsule would keep for itself. The
 * only environment of a process, and nothing that its program sees.
 */
export const ALLOCATOR: Readonly<Record<string, string>> = { MALLOC_MMAP_THRESHOLD_: '16384' }

/** Limits that the process itself is held to. */
export type ProcessLimits = Pick<CapsuleLimits, 'memoryBytesMax' | 'cpuSecondsMax'>

/**
 * Arguments of bubblewrap: every namespace new, no capability, no environment, a root folder that holds Node, the
 * libraries it is linked with and the guest script, all read-only, and nothing else: no `/proc`, no `/dev`.
 *
 * @see https://github.com/containers/bubblewrap
 */
export function sandboxArguments(layout: SandboxLayout, limits: ProcessLimits): string[] {
  const shown = [
    ...layout.libraries.map((path) => [path, path] as const),
    [layout.prlimit, INSIDE.prlimit] as const,
    [layout.node, INSIDE.node] as const,
    [layout.guest.source, layout.guest.target] as const
  ]
  return [
    '--unshare-all',
    ...['--uid', NOBODY, '--gid', NOBODY],
    ...['--cap-drop', 'ALL'],
    '--die-with-parent',
    // No second process inside that only buries: the program's own has no children.
    '--as-pid-1',
    '--new-session',
    '--clearenv',
    ...Object.entries(ALLOCATOR).flatMap(([name, value]) => ['--setenv', name, value]),
    ...shown.flatMap(([source, target]) => ['--ro-bind', source, target]),
    ...['--remount-ro', '/'],
    ...['--chdir', '/'],
    ...['--seccomp', String(SECCOMP_DESCRIPTOR)],
    ...['--json-status-fd', String(STATUS_DESCRIPTOR)],
    '--',
    INSIDE.prlimit,
    ...resourceArguments(layout.hasOwnThreadCount, limits),
    INSIDE.node,
    ...nodeArguments(layout.guest, limits)
  ]
}

/** Arguments of prlimit: what the kernel itself holds the process to. */
export function resourceArguments(hasOwnThreadCount: boolean, limits: ProcessLimits): string[] {
  return [
    ...(hasOwnThreadCount ? [`--nproc=${PROCESS_THREADS_MAX}`] : []),
    `--nofile=${PROCESS_FILES_MAX}`,
    '--fsize=0',
    '--core=0',
    cpuArgument(limits),
    `--data=${PROCESS_DATA_BYTES + limits.memoryBytesMax}`
  ]
}

/** Arguments of Node: its permission model, engine limits, and the script. A seat belt, not the wall. */
export function nodeArguments(guest: GuestScript, limits: ProcessLimits): string[] {
  const pages = Math.max(NODE_PAGES_MIN, Math.ceil(limits.memoryBytesMax / PAGE_BYTES))
  return [
    '--permission',
    `--allow-fs-read=${guest.target}`,
    '--no-warnings',
    '--no-addons',
    '--no-experimental-sqlite',
    '--no-experimental-ffi',
    '--no-global-search-paths',
    '--disable-sigusr1',
    '--disallow-code-generation-from-strings',
    `--max-old-space-size=${PROCESS_HEAP_MIB_MAX}`,
    `--wasm-max-mem-pages=${pages}`,
    `--wasm-max-table-size=${TABLE_ELEMENTS_MAX}`,
    '--v8-pool-size=1',
    `--wasm-tiering-budget=${TIERING_BUDGET_BYTES}`,
    guest.entry
  ]
}

/** Starts the guest script with no sandbox but Node's own permissions, for a capsule one wrote oneself. */
export function spawnConfined(
  powers: Pick<HostPowers, 'spawn'>,
  { node, prlimit, nice, guest }: ProcessLayout,
  limits: ProcessLimits
): SpawnedProcess {
  const args = nodeArguments(guest, limits)
  const init = { environment: ALLOCATOR, toldDescriptors: true }
  if (prlimit === undefined) return powers.spawn({ ...withNice(nice, { command: node, args }), ...init })
  // Threads are counted by user here, and the user has others.
  const limited = [...resourceArguments(false, limits), node, ...args]
  return powers.spawn({ ...withNice(nice, { command: prlimit, args: limited }), ...init })
}

/** Starts the layout's guest script in the sandbox. */
export function spawnSandboxed(
  powers: Pick<HostPowers, 'spawn'>,
  layout: SandboxLayout,
  limits: ProcessLimits
): SpawnedProcess {
  return powers.spawn({
    ...withNice(layout.nice, { command: layout.bubblewrap, args: sandboxArguments(layout, limits) }),
    identity: layout.identity,
    descriptor3: seccompFilter(layout.arch),
    hasStatus: true,
    toldDescriptors: true
  })
}

/**
 * Arguments of prlimit that lower the processor time of a process that runs already. What else it is held to it has from
 * its start. A stranger cannot raise it again: that takes a capability nobody in the sandbox has.
 */
export function assignmentArguments(pid: number, limits: Pick<ProcessLimits, 'cpuSecondsMax'>): string[] {
  return [`--pid=${pid}`, cpuArgument(limits)]
}

function cpuArgument({ cpuSecondsMax }: Pick<ProcessLimits, 'cpuSecondsMax'>): string {
  const cpuSeconds = cpuSecondsMax + PROCESS_CPU_SECONDS
  // The soft limit is SIGXCPU, which the first process of a namespace does not get; the hard one is SIGKILL.
  return `--cpu=${cpuSeconds}:${cpuSeconds + 1}`
}

/** The same program at a lower priority, which it and all it starts keep: none of them may raise it. */
function withNice(
  nice: string | undefined,
  { command, args }: { command: string; args: readonly string[] }
): { command: string; args: readonly string[] } {
  if (nice === undefined) return { command, args }
  return { command: nice, args: ['-n', String(PROCESS_NICENESS), command, ...args] }
}
