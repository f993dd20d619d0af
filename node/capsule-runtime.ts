import {
  CAPSULE_LIMIT_CEILINGS,
  CapsuleError,
  capsuleLimits,
  createBroker,
  createCapsulePool,
  createLevelAuthorityStore,
  createVaultAnchors,
  DEFAULT_CAPSULE_LIMITS,
  findModuleRuntime,
  openAuthority,
  openVault,
  probeSandbox,
  readGuestScript,
  replayTrace,
  serveFiles,
  systemVaultDisk,
  type Authority,
  type Broker,
  type BrokerSession,
  type CapsulePool,
  type CapsuleProcess,
  type CapsuleSession,
  type DecodedTrace,
  type HostPower,
  type HostPowers,
  type LineageState,
  type ModuleRuntime,
  type PromptChoice,
  type ReplayResult,
  type RunningDirectory,
  type SandboxReport,
  type Shell,
  type Vault,
  type VaultRoot
} from '#capsule-host'
import { errorMessage, type Clock, type Logger, type Random } from '#contracts'
import type { Did, Keystore } from '#did'
import type { VmTerminalSize } from '#vmm'
import type { CapsuleStreams, VerifiedPackage } from './capsules.ts'
import type { DataPaths } from './data-folder.ts'
import { machineOf, type CapsuleInMachine, type ModulesInMachines } from './machine-of.ts'
import type { Machines } from './machines.ts'
import { SHIPPED_PREFIX } from './shipped-capsules.ts'
import { countMessages, startHeld } from './start-held.ts'

/** What {@link createCapsuleRuntime} works with. */
export interface CapsuleRuntimeComponents {
  readonly keystore: Pick<Keystore, 'device'>
  readonly paths: Pick<DataPaths, 'authority' | 'vault'>
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  readonly powers: HostPowers
  /** The guest script of the sandboxed process. */
  readonly guestEntry: string
  /** Machines for capsules that run in one; those are refused when absent. */
  readonly machines?: Machines
  /** Makes the root image that modules run with in a machine, and says where it lies. */
  readonly moduleImage?: (runtime: ModuleRuntime) => Promise<string>
  /** What the host lends to the capsules that provide contracts, by name. */
  readonly hostPowers: ReadonlyMap<string, HostPower>
  readonly shell: Shell
  /** The powers of the host that the user gave a lineage; those of this release have what their manifests ask for. */
  readonly givenPowers: (lineage: string) => readonly string[]
  /** Whether files of capsules are taken that are older than they were. */
  readonly acceptsOlderFiles?: boolean | undefined
  /** Who provides what; it starts providers through the runtime it is given. */
  readonly createDirectory: (runtime: Pick<CapsuleRuntime, 'start'>) => RunningDirectory
}

/** A capsule that runs, and its session with the broker. */
export interface RunningCapsule {
  readonly process: CapsuleProcess
  readonly session: BrokerSession
}

/**
 * Everything between capsules that run and this node: who was granted what, their files, their processes. Opened when the
 * first capsule needs it; a node that runs none has none of it.
 */
export interface CapsuleRuntime extends AsyncDisposable {
  /** The token store of this device. @throws CapsuleError `ERR_AUTHORITY_STORE` */
  authority(): Promise<Authority>
  /** What a lineage keeps; `undefined` when it keeps nothing. */
  stateOf(lineage: string): Promise<LineageState | undefined>
  /** Ends every grant of a lineage. */
  revokeGrants(lineage: string): Promise<void>
  /** Says that a lineage has another version now: whoever is served by it hears that one from here on. */
  unloadProviders(lineage: string): void
  /** The files of a lineage within the quota of its capsule; whoever asks lets go of them. */
  filesOf(lineage: string): Promise<VaultRoot>
  /** The lineage that a subject of tokens is the did of, as far as grants say. */
  lineageOf(subject: Did): Promise<string | undefined>
  /** What a lineage keeps directly below `localhost://…/`. */
  filesBelow(lineage: string, resource: string): Promise<readonly PromptChoice[]>
  /** Runs a recorded run again, which reaches nothing of this node. @throws CapsuleError `ERR_REPLAY_DIVERGED` */
  replay(trace: DecodedTrace, streams: ReplayStreams): Promise<ReplayResult>
  /** Starts a verified capsule. @throws CapsuleError why it cannot be started */
  start(capsule: VerifiedPackage, streams: CapsuleStreams): Promise<RunningCapsule>
}

/** The standard streams of a replay. */
export type ReplayStreams = Pick<CapsuleStreams, 'stdin' | 'stdout' | 'stderr' | 'signal'>

interface Services {
  readonly authority: Authority
  readonly vault: Vault
  readonly broker: Broker
}

/** What this machine holds capsules with. */
interface Holding {
  readonly sandbox: SandboxReport
  readonly pool?: CapsulePool
}

/** Lineages whose quota is remembered, from when they ran. */
const QUOTAS_MAX = 1024

/** The runtime of a node. */
export function createCapsuleRuntime(components: CapsuleRuntimeComponents): CapsuleRuntime {
  return new LazyRuntime(components)
}

class LazyRuntime implements CapsuleRuntime {
  readonly #components: CapsuleRuntimeComponents
  readonly #stack = new AsyncDisposableStack()
  /** Bytes that the capsules which ran may keep, by lineage. */
  readonly #quotas = new Map<string, number>()
  #services: Promise<Services> | undefined
  /** There when the first capsule runs. */
  #directory: RunningDirectory | undefined
  #machine: Promise<Holding> | undefined
  /** There when the first module runs in a machine. */
  #modules: Promise<ModulesInMachines> | undefined
  #isDisposed = false

  constructor(components: CapsuleRuntimeComponents) {
    this.#components = components
  }

  async authority(): Promise<Authority> {
    return (await this.#opened()).authority
  }

  async stateOf(lineage: string): Promise<LineageState | undefined> {
    const { vault } = await this.#opened()
    if (!(await vault.has(lineage))) return undefined
    return createLineageState(vault, lineage)
  }

  async revokeGrants(lineage: string): Promise<void> {
    await (await this.authority()).revokeLineage(lineage)
  }

  unloadProviders(lineage: string): void {
    this.#directory?.unload(lineage)
  }

  async filesOf(lineage: string): Promise<VaultRoot> {
    const { vault } = await this.#opened()
    const quotaBytes = this.#quotas.get(lineage) ?? DEFAULT_CAPSULE_LIMITS.storageBytesMax
    return await vault.root(lineage, { quotaBytes })
  }

  async lineageOf(subject: Did): Promise<string | undefined> {
    const grants = (await this.authority()).list({ hasEnded: true })
    return grants.find(({ audience }) => audience === subject)?.lineage
  }

  async filesBelow(lineage: string, resource: string): Promise<readonly PromptChoice[]> {
    const { vault } = await this.#opened()
    if (!(await vault.has(lineage))) return []
    return await atRoot(vault, lineage, async (root) => {
      const entries = await root.list(resource.slice('localhost://'.length).replace(/\/$/, ''))
      return entries.map(({ name }) => ({ label: name, resource: resource + name }))
    })
  }

  async replay(trace: DecodedTrace, streams: ReplayStreams): Promise<ReplayResult> {
    const { powers, clock, logger } = this.#components
    return await replayTrace({ powers, clock, logger, ...(await this.#probed()) }, trace, streams)
  }

  async start(capsule: VerifiedPackage, streams: CapsuleStreams): Promise<RunningCapsule> {
    const { powers, clock, logger } = this.#components
    const { opened, status, isOwn } = capsule
    const { broker, vault } = await this.#opened()
    const { sandbox, pool } = await this.#probed()
    logger.info('capsule starts', { name: status.name, cid: status.cid })
    const { onCalls, onLog, onSession, terminal, ...standard } = streams
    const session = broker.open({
      ...this.#sessionOf(capsule),
      ...(terminal === undefined ? {} : { terminal }),
      ...(onLog === undefined ? {} : { log: onLog })
    })
    let held: CapsuleInMachine | undefined
    let lastSize: VmTerminalSize | undefined
    onSession?.({
      resize: (size) => {
        lastSize = size
        session.resize(size)
        held?.machine.resize(size)
      }
    })
    const limits = capsuleLimits(opened.manifest)
    this.#noteQuota(capsule.lineage, limits.storageBytesMax)
    const root = opened.manifest.files
      ? await vault.root(capsule.lineage, { quotaBytes: limits.storageBytesMax })
      : undefined
    const letGo = async (): Promise<void> => {
      try {
        await root?.[Symbol.asyncDispose]()
      } catch (thrown) {
        // What a capsule did not sync is its own loss; a full disk must not end the node with it.
        logger.warn('files of a capsule were not kept', { name: status.name, error: errorMessage(thrown) })
      }
    }
    try {
      const parts = { machines: this.#components.machines, moduleRuntime: () => this.#moduleRuntime(sandbox) }
      held = await machineOf(parts, capsule, streams)
      // Whoever resized the terminal meanwhile was not heard by the machine.
      if (lastSize !== undefined) held?.machine.resize(lastSize)
      const init = {
        ...standard,
        name: status.name,
        limits,
        channel: countMessages(session.channel, onCalls)
      }
      const files = root === undefined ? {} : { files: serveFiles(session.files(root), limits) }
      const module = { ...init, ...files, module: opened.entry, isOwn }
      const process = startHeld({ powers, clock, logger, sandbox, pool }, module, held)
      void process.finished.then(letGo)
      return { process, session }
    } catch (thrown) {
      await letGo()
      await held?.machine[Symbol.asyncDispose]()
      throw thrown
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isDisposed = true
    // What is being opened is ended too.
    await Promise.allSettled([this.#services, this.#machine])
    await this.#stack.disposeAsync()
  }

  #noteQuota(lineage: string, bytes: number): void {
    this.#quotas.delete(lineage)
    this.#quotas.set(lineage, bytes)
    const [oldest] = this.#quotas.keys()
    if (this.#quotas.size > QUOTAS_MAX && oldest !== undefined) this.#quotas.delete(oldest)
  }

  #sessionOf({ lineage, status, opened, isOwn }: VerifiedPackage): CapsuleSession {
    const { name, version, publisher } = status
    const { capabilities, requires, provides, powers } = opened.manifest
    const given = this.#components.givenPowers(lineage)
    return {
      id: Buffer.from(this.#components.random.bytes(16)).toString('hex'),
      ...{ lineage, name, version, isOwn, requires, provides },
      ...(publisher === undefined ? {} : { publisher }),
      ceiling: capabilities,
      powers: lineage.startsWith(SHIPPED_PREFIX) ? powers : powers.filter((power) => given.includes(power))
    }
  }

  async #opened(): Promise<Services> {
    this.#refuseWhenDisposed()
    const opening = (this.#services ??= this.#open())
    try {
      return await opening
    } catch (thrown) {
      // What kept it from opening may be gone the next time.
      if (this.#services === opening) this.#services = undefined
      throw thrown
    }
  }

  async #open(): Promise<Services> {
    const { keystore, paths, clock, random, logger, shell, hostPowers, createDirectory } = this.#components
    const { device } = keystore
    // Its own until all is open: what was opened before something failed would keep the next try out.
    await using stack = new AsyncDisposableStack()
    const store = await createLevelAuthorityStore(paths.authority, logger)
    const authority = stack.use(await openAuthority({ store, device, clock, random, logger }))
    const vault = stack.use(
      openVault(
        { disk: systemVaultDisk, clock, random, logger, anchors: createVaultAnchors(store) },
        { folder: paths.vault, secret: device.seed, acceptsOlder: this.#components.acceptsOlderFiles }
      )
    )
    const providers = stack.use(createDirectory(this))
    this.#directory = providers
    const broker = stack.use(
      createBroker({ authority, shell, providers, powers: hostPowers, clock, random, logger })
    )
    this.#stack.use(stack.move())
    return { authority, vault, broker }
  }

  async #probed(): Promise<Holding> {
    this.#refuseWhenDisposed()
    const probing = (this.#machine ??= this.#probe())
    let isMended = false
    try {
      const machine = await probing
      isMended = machine.pool !== undefined
      return machine
    } finally {
      // What was lacking may be mended by now: then it is looked for again the next time.
      if (!isMended && this.#machine === probing) this.#machine = undefined
    }
  }

  async #probe(): Promise<Holding> {
    const { guestEntry, ...components } = this.#components
    const sandbox = await probeSandbox(components, { guestEntry })
    // Without a sandbox a pool keeps nothing.
    if (sandbox.layout === undefined) return { sandbox }
    return { sandbox, pool: this.#stack.use(createCapsulePool({ ...components, sandbox })) }
  }

  async #moduleRuntime(sandbox: SandboxReport): Promise<ModulesInMachines> {
    const finding = (this.#modules ??= this.#findModuleRuntime(sandbox))
    try {
      return await finding
    } catch (thrown) {
      // A disk that was full may have room by now.
      if (this.#modules === finding) this.#modules = undefined
      throw thrown
    }
  }

  async #findModuleRuntime(sandbox: SandboxReport): Promise<ModulesInMachines> {
    const { moduleImage, guestEntry } = this.#components
    if (moduleImage === undefined) {
      throw new CapsuleError('ERR_SUBSTRATE_UNSUPPORTED', 'expected a node that runs modules in microVMs')
    }
    const runtime = await findModuleRuntime(sandbox, async () => await readGuestScript(guestEntry))
    return { runtime, image: await moduleImage(runtime) }
  }

  #refuseWhenDisposed(): void {
    if (this.#isDisposed) throw new CapsuleError('ERR_CAPSULE_STOPPED', 'the node stops')
  }
}

/** Opens the files of a lineage for one act. What bounds them is given when its capsule runs. */
async function atRoot<T>(vault: Vault, lineage: string, act: (root: VaultRoot) => Promise<T>): Promise<T> {
  await using root = await vault.root(lineage, { quotaBytes: CAPSULE_LIMIT_CEILINGS.storageBytesMax })
  return await act(root)
}

/** The state of a lineage: the files it keeps. */
function createLineageState(vault: Vault, lineage: string): LineageState {
  return {
    snapshot: async () => await atRoot(vault, lineage, async (root) => await root.snapshot()),
    restore: async (id) => await atRoot(vault, lineage, async (root) => await root.restore(id)),
    dropSnapshot: async (id) => await atRoot(vault, lineage, async (root) => await root.dropSnapshot(id)),
    snapshots: async () =>
      (await atRoot(vault, lineage, async (root) => await root.snapshots())).map(({ id }) => id),
    usage: async () => await atRoot(vault, lineage, async (root) => await root.usage()),
    remove: async () => await vault.remove(lineage)
  }
}
