import { capsuleLimits, CapsuleError, type ModuleRuntime } from '#capsule-host'
import type { Machine } from '#vmm'
import type { CapsuleStreams, VerifiedPackage } from './capsules.ts'
import type { MachineRequest, Machines } from './machines.ts'
import { SHIPPED_PREFIX } from './shipped-capsules.ts'

/** What modules run with in a machine, and where its root image lies. */
export interface ModulesInMachines {
  readonly runtime: ModuleRuntime
  readonly image: string
}

/** What machines of capsules are started with. */
export interface CapsuleMachineParts {
  /** Absent on a node that has none. */
  readonly machines: Machines | undefined
  /** Found when it is needed. */
  readonly moduleRuntime: () => Promise<ModulesInMachines>
}

/** The machine of a capsule, and what runs in it: the capsule's own program, or the guest script with its module. */
export interface CapsuleInMachine {
  readonly machine: Machine
  readonly runs: 'program' | 'module'
}

const SECOND_WALL = 'a second wall around its sandbox'

/**
 * Starts the machine of a capsule that runs in one, because it is made for one or its user wants so; `undefined` for one in a process.
 *
 * @throws CapsuleError `ERR_SUBSTRATE_UNSUPPORTED`; VmmError why there is no machine for it
 */
export async function machineOf(
  parts: CapsuleMachineParts,
  capsule: VerifiedPackage,
  streams: CapsuleStreams
): Promise<CapsuleInMachine | undefined> {
  const made = capsule.opened.manifest.substrate
  const wanted = streams.substrate ?? made
  if (made === 'microvm' && wanted === 'wasm')
    throw unsupported('that is a module, got a program for a microVM')
  if (wanted === 'wasm') return undefined
  const { machines } = parts
  if (machines === undefined) throw unsupported('made for wasm, this node has no microVMs')
  const machine = await (made === 'microvm'
    ? startProgram(machines, capsule, streams)
    : startModule({ ...parts, machines }, capsule, streams))
  return { machine, runs: made === 'microvm' ? 'program' : 'module' }
}

async function startProgram(
  machines: Machines,
  capsule: VerifiedPackage,
  streams: CapsuleStreams
): Promise<Machine> {
  const { manifest, entry } = capsule.opened
  if (streams.trace !== undefined) throw unsupported('made for wasm: only those are recorded')
  const { args = [], onNotice, terminal } = streams
  const machine = await machines.start({
    ...requestOf(capsule, streams),
    image: entry,
    program: [...(manifest.program ?? []), ...args],
    onHeld: onNotice,
    terminal: terminal?.status()
  })
  // Keys go to the machine's own terminal, which echoes them and knows Ctrl-C.
  if (terminal !== undefined) void machine.started.then(() => terminal.setRaw(true)).catch(() => undefined)
  return machine
}

async function startModule(
  { machines, moduleRuntime }: CapsuleMachineParts & { readonly machines: Machines },
  capsule: VerifiedPackage,
  streams: CapsuleStreams
): Promise<Machine> {
  const { runtime, image } = await moduleRuntime()
  const request = requestOf(capsule, streams)
  return await machines.start({
    ...request,
    image: { path: image },
    program: runtime.program(capsuleLimits(capsule.opened.manifest)),
    environment: runtime.environment,
    memoryBytesMax: request.memoryBytesMax + runtime.memoryBytes,
    onHeld: (text, tier) => streams.onNotice?.(tier === 'kvm' ? `${text}: ${SECOND_WALL}` : text)
  })
}

function requestOf(
  { opened, isOwn, lineage }: VerifiedPackage,
  { signal, allowsEmulated = false }: CapsuleStreams
): Omit<MachineRequest, 'image' | 'program'> {
  const { memoryBytesMax, cpuSecondsMax, wallMsMax } = capsuleLimits(opened.manifest)
  // A wall is for strangers: what came with this release is as much this program as the node is.
  const isStranger = !isOwn && !lineage.startsWith(SHIPPED_PREFIX)
  return { memoryBytesMax, cpuSecondsMax, wallMsMax, signal, mayBeEmulated: !isStranger || allowsEmulated }
}

function unsupported(what: string): CapsuleError {
  return new CapsuleError('ERR_SUBSTRATE_UNSUPPORTED', `expected a capsule ${what}`)
}
