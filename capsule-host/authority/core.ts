import { createVerifier, type Verifier } from '#capability'
import type { Clock, Logger, Random } from '#contracts'
import { errorMessage } from '#contracts'
import type { KeyPair, Signer } from '#did'
import { CapsuleError } from '../errors.ts'
import { createAudiences } from './audience.ts'
import type { RecordedEntry } from './audit-types.ts'
import type { Grant, RevocationListener } from './authority.ts'
import { NO_HASH } from './entry-codec.ts'
import { createJournal, type Journal, type JournalInit, type NewEntry } from './journal.ts'
import { encodeState } from './snapshot.ts'
import { applyEntry, chainOf, createState, endOf, type AuthorityState, type HeldGrant } from './state.ts'
import type { AuthorityStore } from './store.ts'
import { FIRST_EPOCH_MAX } from './constants.ts'

/** What the authority works with. */
export interface AuthorityComponents {
  readonly store: AuthorityStore
  /** The device key: root of every token, and signer of the log. */
  readonly device: KeyPair
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
}

/** Bounds of {@link openAuthority}, for tests; the defaults are in constants.ts. */
export interface AuthorityInit {
  /** Bytes of the audit log. */
  readonly auditBytesMax?: number
  /** Entries between two snapshots. */
  readonly snapshotEntries?: number
}

/** Where a log goes on. */
export type LogPlace = Pick<JournalInit, 'head' | 'segments' | 'snapshot'>

/** Before the first entry. */
const LOG_START: LogPlace = {
  head: { number: -1, hash: NO_HASH, bytes: 0 },
  segments: [{ number: 0, bytesBefore: 0 }],
  snapshot: 0
}

/** What every part of the authority shares: the state, and the log that alone may change it. */
export class AuthorityCore {
  readonly components: AuthorityComponents
  readonly init: AuthorityInit
  readonly verifier: Verifier = createVerifier()
  readonly keyOf: (lineage: string) => Signer
  readonly listeners: Set<RevocationListener> = new Set()
  state: AuthorityState
  journal: Journal
  damage: string | undefined
  isClosed = false
  /** The last entry that changed what may be done: nothing is done before it is on the disk. */
  #lastChange = -1

  constructor(components: AuthorityComponents, init: AuthorityInit) {
    this.components = components
    this.init = init
    this.keyOf = createAudiences(components.device)
    this.state = createState(components.device.did)
    this.journal = this.#createJournal(LOG_START)
  }

  /** Takes over a log that was read. */
  resume(state: AuthorityState, at: LogPlace): void {
    this.state = state
    this.journal = this.#createJournal(at)
    this.#lastChange = at.head.number
  }

  /** Begins a log of its own, with nothing granted. */
  async begin(after?: string): Promise<void> {
    const { did } = this.components.device
    this.state = createState(did)
    this.journal = this.#createJournal(LOG_START)
    // The time, so that it is greater than any epoch of a log before this one.
    const epoch = Math.min(Math.max(Math.trunc(this.nowMs() / 1000), 1), FIRST_EPOCH_MAX)
    this.record({ kind: 'begin', device: did, ...(after === undefined ? {} : { after }) }, epoch)
    await this.settled()
  }

  /** Writes an entry and makes it true at once; it is on the disk after {@link settled}. */
  record(entry: NewEntry, epoch: number = this.state.epoch): RecordedEntry {
    return this.journal.append(entry, epoch)
  }

  /** Resolves when everything that decides is on the disk. @throws CapsuleError `ERR_AUTHORITY_STORE` */
  async settled(): Promise<void> {
    await this.journal.durable(this.#lastChange)
  }

  /** Why nothing is allowed at all, when nothing is. */
  get failure(): CapsuleError | undefined {
    if (this.isClosed) return new CapsuleError('ERR_AUTHORITY_STORE', 'the store of grants is closed')
    if (this.damage === undefined) return this.journal.failure
    return new CapsuleError(
      'ERR_AUTHORITY_DAMAGED',
      `nothing is allowed, because the record of what was granted is not as it was written: ${this.damage}. ` +
        "'elastos grant revoke-all' begins it anew, with nothing granted"
    )
  }

  /** @throws CapsuleError `ERR_AUTHORITY_DAMAGED`, `ERR_AUTHORITY_STORE` */
  assertUsable(): void {
    const { failure } = this
    if (failure !== undefined) throw failure
  }

  nowMs(): number {
    return this.components.clock.nowMs()
  }

  /** A grant as its owner may see it. */
  describe(grant: HeldGrant): Grant {
    const { token, lineage, scope, sessionId, decidedBy, reason, grantedAtMs, used, delegatedBy } = grant
    const { cid, audience, subject, command, resource, expiresAtMs, epoch, usesMax, proof } = token
    const nowMs = this.nowMs()
    const links = chainOf(this.state, grant) ?? [grant]
    const ended = links.map((link) => endOf(this.state, link, nowMs)).find((end) => end !== undefined)
    return {
      ...{ cid, lineage, audience, subject, command, resource, scope, decidedBy },
      ...{ grantedAtMs, expiresAtMs, epoch, used },
      ...(sessionId === undefined ? {} : { sessionId }),
      ...(reason === undefined ? {} : { reason }),
      ...(usesMax === undefined ? {} : { usesMax }),
      ...(delegatedBy === undefined ? {} : { delegatedBy }),
      ...(proof === undefined ? {} : { proof }),
      ...(ended === undefined ? {} : { ended })
    }
  }

  #createJournal(at: LogPlace): Journal {
    const { store, device, clock, logger } = this.components
    const { auditBytesMax, snapshotEntries } = this.init
    return createJournal(
      { store, signer: device, clock, logger },
      {
        ...at,
        ...(auditBytesMax === undefined ? {} : { bytesMax: auditBytesMax }),
        ...(snapshotEntries === undefined ? {} : { snapshotEntries }),
        encodeState: () => encodeState(this.state),
        apply: (entry) => this.#apply(entry)
      }
    )
  }

  #apply(entry: RecordedEntry): void {
    const ended = applyEntry(this.state, entry)
    if (entry.kind !== 'verdict' && entry.kind !== 'summary' && entry.kind !== 'snapshot') {
      this.#lastChange = entry.number
    }
    for (const grant of ended) this.#tell(grant)
  }

  #tell(grant: HeldGrant): void {
    const code = grant.ended?.code ?? 'ERR_TOKEN_REVOKED'
    for (const listener of this.listeners) {
      try {
        listener(this.describe(grant), code)
      } catch (thrown) {
        this.components.logger.error('a listener of revocations failed', { reason: errorMessage(thrown) })
      }
    }
  }
}
