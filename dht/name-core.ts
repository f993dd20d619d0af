import type { Clock, Logger, Random } from '#contracts'
import { errorMessage, type Turns } from '#contracts'
import type { Did, KeyPair } from '#did'
import type { Confidence } from './confidence.ts'
import { startDeadline } from './deadline.ts'
import { NAME_STORE_TIMEOUT_MS } from './name-constants.ts'
import { decideResolution, newest } from './name-decision.ts'
import { lookUpName, voteOf } from './name-lookup.ts'
import type { NameLookup } from './name-lookup.ts'
import { isNewer, nameKey } from './name-record.ts'
import type { NameRecord } from './name-record.ts'
import type { NameRouting } from './name-routing.ts'
import type { NameStore } from './name-store.ts'
import type { ShelfDatastore } from './shelf.ts'

/** What names work with. */
export interface NamesComponents {
  /** The DHTs in which names are looked up and stored, all of them every time. */
  readonly routings: readonly NameRouting[]
  readonly datastore: ShelfDatastore
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  /** The key pair of a did, if this device holds it unlocked: lets records be renewed before they expire. */
  readonly signerOf?: (did: Did) => Promise<KeyPair | undefined>
}

/** What the operations on names share. */
export interface NameCore extends NamesComponents {
  readonly store: NameStore
  /** Signing a name's records happens in turns, one at a time for each did. */
  readonly turns: Turns
}

/** How to resolve a name. */
export interface ResolveNameOptions {
  readonly signal: AbortSignal
  /** Take the latest record even if it has expired: for who is about to publish the next. Default: no. */
  readonly allowExpired?: boolean
}

/** A record that counts and how it came. */
export interface ResolvedRecord {
  readonly record: NameRecord
  readonly fromCache: boolean
  readonly resolvedAtMs: number
  readonly peersAsked: number
  /** How many peers answered with that sequence and value. */
  readonly peersAgreed: number
  readonly confidence: Confidence | undefined
}

/** What this node knows of a name beside what a lookup has just said. */
export interface NameMemory {
  /** The record this device signed last. */
  readonly own: NameRecord | undefined
  /** The newest record of all, what the lookup found included. */
  readonly newest: NameRecord | undefined
}

/**
 * Looks a name up, holds it against what was seen, and remembers it.
 *
 * @throws DhtError as {@link decideResolution} says, or `ERR_NAME_STORE`; the reason of `signal`
 */
export async function resolveName(
  core: NameCore,
  did: Did,
  { signal, allowExpired = false }: ResolveNameOptions
): Promise<ResolvedRecord> {
  signal.throwIfAborted()
  const lookup = await lookUpName(core, did, signal)
  const memory = await rememberFindings(core.store, did, lookup)
  const resolvedAtMs = core.clock.nowMs()
  const { best, peersAsked } = lookup
  if (best !== undefined && memory.newest !== undefined && isNewer(memory.newest.bytes, best.bytes)) {
    await mend(core, memory.newest, signal)
  }
  const decided = decideResolution({ name: did, lookup, ...memory, nowMs: resolvedAtMs, allowExpired })
  const peersAgreed = lookup.votes.get(voteOf(decided.record)) ?? 0
  return { ...decided, resolvedAtMs, peersAsked, peersAgreed, confidence: lookup.confidence }
}

/** Writes down what a lookup found, before anybody acts on it. */
export async function rememberFindings(store: NameStore, did: Did, lookup: NameLookup): Promise<NameMemory> {
  const own = await store.own(did)
  const found = newest(lookup.best, lookup.expired)
  const seen = found === undefined ? await store.seen(did) : await store.remember(found)
  return { own, newest: newest(seen, own) }
}

/** Gives peers that hold an older record the newer one; nothing depends on it. */
async function mend(core: NameCore, record: NameRecord, signal: AbortSignal): Promise<void> {
  if (record.validUntilMs <= core.clock.nowMs()) return
  const storedBy = await storeRecord(core, record, signal)
  core.logger.info('newer record put back', { name: record.did, storedBy })
}

/** Puts a record into all DHTs at once and returns how many peers acknowledged it. */
export async function storeRecord(core: NameCore, record: NameRecord, signal: AbortSignal): Promise<number> {
  using deadline = startDeadline(core.clock, NAME_STORE_TIMEOUT_MS, signal)
  const stored = await Promise.all(
    core.routings.map(async (routing) => {
      try {
        return await routing.store(nameKey(record.did), record.bytes, { signal: deadline.signal })
      } catch (error) {
        core.logger.debug('name not stored', { routing: routing.label, reason: errorMessage(error) })
        return 0
      }
    })
  )
  return stored.reduce((sum, count) => sum + count, 0)
}
