import {
  PAGE_BYTES,
  PROCESS_CPU_SECONDS,
  PROCESS_DATA_BYTES,
  PROCESS_FILES_MAX,
  PROCESS_HEAP_MIB_MAX,
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
const NOBODY = '65534'

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
    '--new-session',
    '--clearenv',
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
  const cpuSeconds = limits.cpuSecondsMax + PROCESS_CPU_SECONDS
  return [
    ...(hasOwnThreadCount ? [`--nproc=${PROCESS_THREADS_MAX}`] : []),
    `--nofile=${PROCESS_FILES_MAX}`,
    '--fsize=0',
    '--core=0',
    // The soft limit ends the process with SIGXCPU, which tells this end from others; the hard one backs it.
    `--cpu=${cpuSeconds}:${cpuSeconds + 1}`,
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
    guest.entry
  ]
}

/** Starts the guest script with no sandbox but Node's own permissions, for a capsule one wrote oneself. */
export function spawnConfined(
  powers: Pick<HostPowers, 'spawn'>,
  { node, prlimit, guest }: ProcessLayout,
  limits: ProcessLimits
): SpawnedProcess {
  const args = nodeArguments(guest, limits)
  if (prlimit === undefined) return powers.spawn({ command: node, args })
  // Threads are counted by user here, and the user has others.
  return powers.spawn({ command: prlimit, args: [...resourceArguments(false, limits), node, ...args] })
}

/** Starts the layout's guest script in the sandbox. */
export function spawnSandboxed(
  powers: Pick<HostPowers, 'spawn'>,
  layout: SandboxLayout,
  limits: ProcessLimits
): SpawnedProcess {
  return powers.spawn({
    command: layout.bubblewrap,
    args: sandboxArguments(layout, limits),
    identity: layout.identity,
    descriptor3: seccompFilter(layout.arch),
    hasStatus: true
  })
}
