import type { Clock, Logger } from '#contracts'
import type { CapsuleManifest } from '../manifest.ts'
import type { Ceiling } from './ceiling.ts'
import type { InstalledCapsule, InstalledRecords } from './records.ts'
import type { RunningTable } from './running.ts'

/** A signed capsule whose every byte was verified and is on this device. */
export interface FetchedCapsule {
  /** CID of the signed capsule. */
  readonly cid: string
  /** What its state and grants belong to. */
  readonly lineage: string
  readonly root: string
  readonly publisher: string
  readonly name: string
  readonly version: string
  readonly files: number
  readonly bytes: number
  readonly manifest: CapsuleManifest
}

/** Where capsules come from. */
export interface CapsuleSource {
  /** What runs of a lineage when nothing of it is installed: what this release ships; `undefined` for any other lineage. */
  shipped(lineage: string): Promise<Pick<FetchedCapsule, 'cid' | 'version'> | undefined>
  /** Finds a signed capsule by CID or `did:key:…/NAME` and reads all of it. @throws why it is not what it claims */
  fetch(target: string, options: FetchOptions): Promise<FetchedCapsule>
  /** Keeps all of it on this device until it is let go. */
  keep(cid: string, options: { signal: AbortSignal; name: string }): Promise<void>
  letGo(cid: string): Promise<void>
}

/** Options of {@link CapsuleSource.fetch}. */
export interface FetchOptions {
  readonly signal: AbortSignal
  /** What is installed of it, when that is known: a version that ships is read from where it ships. */
  readonly lineage?: string | undefined
  readonly onProgress?: (bytes: number) => void
}

/** What belongs to one lineage on this device, whatever version of it runs. */
export interface LineageState {
  /** Remembers the state as it is; the id brings it back. */
  snapshot(): Promise<string>
  /** Replaces the state by a remembered one. Doing it twice is doing it once. */
  restore(id: string): Promise<void>
  /** Forgets a remembered state. */
  dropSnapshot(id: string): Promise<void>
  /** Every remembered state. */
  snapshots(): Promise<readonly string[]>
  /** Bytes it takes. */
  usage(): Promise<{ readonly bytes: number }>
  /** Removes all of it, remembered states included. */
  remove(): Promise<void>
}

/** What {@link openLifecycle} works with. */
export interface LifecycleComponents {
  readonly records: InstalledRecords
  readonly source: CapsuleSource
  readonly running: Pick<RunningTable, 'stop'>
  /** The state of a lineage; `undefined` when it has none. */
  readonly stateOf: (lineage: string) => Promise<LineageState | undefined>
  /** Ends every grant of a lineage. */
  readonly revokeGrants: (lineage: string) => Promise<void>
  /** Called when what is installed of a lineage is, or may be, another than before. */
  readonly onChanged?: ((lineage: string) => void) | undefined
  readonly clock: Pick<Clock, 'nowMs'>
  readonly logger: Logger
}

/** What installing a capsule would mean: what its user says yes or no to. */
export interface InstallPlan {
  /** `same`: this very version runs here already. */
  readonly kind: 'install' | 'update' | 'same'
  readonly lineage: string
  readonly capsule: FetchedCapsule
  /** What the user would call it. */
  readonly alias: string
  /** The lineage that has this alias on this device, when it is another. */
  readonly aliasTakenBy?: string | undefined
  /** The version that runs now. */
  readonly from?: string | undefined
  /** Whether it is older than that: a publisher who goes back has a reason worth asking for. */
  readonly isOlder: boolean
  /** All it may ever ask for. */
  readonly ceiling: Ceiling
  /** What of that is new; all of it for an install. */
  readonly added: Ceiling
}

/** What a change of the installed capsules did. */
export interface LifecycleChange {
  readonly capsule: InstalledCapsule
  /** How many runs of it were ended for that. */
  readonly stopped: number
  /** Whether its state was brought back to what it was with that version. */
  readonly isStateRestored: boolean
}

/** Installed capsules: what is here, which version of it, and how that changes. */
export interface Lifecycle {
  /** What installing `target`, or updating to it, would mean. Changes nothing but what is cached. */
  plan(target: string, options: FetchOptions & { alias?: string | undefined }): Promise<InstallPlan>
  /**
   * Installs the signed capsule `cid`, or makes it the running version of its lineage. State stays.
   *
   * @throws CapsuleError `ERR_CAPSULE_NAME_TAKEN`, `ERR_CAPSULES_TOO_MANY`, and why the capsule is not what it claims
   */
  install(cid: string, options: FetchOptions & { alias?: string | undefined }): Promise<LifecycleChange>
  list(): InstalledCapsule[]
  /** By alias, lineage or the CID of one of its versions. @throws CapsuleError `ERR_CAPSULE_NOT_INSTALLED` */
  find(name: string): InstalledCapsule
  /** The same, `undefined` when there is none. */
  lookup(name: string): InstalledCapsule | undefined
  /**
   * Goes back to the version before the running one, or to `version`, with the state it had.
   *
   * @throws CapsuleError `ERR_CAPSULE_NO_VERSION` when that version is not kept here
   */
  rollback(name: string, options: { version?: string | undefined }): Promise<LifecycleChange>
  /** Forgets a capsule and its grants; its state and log only with `data`. */
  remove(name: string, options: { data: boolean }): Promise<LifecycleChange>
  /** Finishes what a crash interrupted. @throws what kept it from that */
  settle(name: string): Promise<InstalledCapsule>
}
