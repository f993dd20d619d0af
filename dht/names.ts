import type { CID } from 'multiformats/cid'
import { createTurns } from '#contracts'
import type { Did, KeyPair } from '#did'
import type { Confidence } from './confidence.ts'
import { DhtError } from './errors.ts'
import { NAME_VALIDITY_MS } from './name-constants.ts'
import { rememberFindings, resolveName, storeRecord } from './name-core.ts'
import type { NameCore, NamesComponents, ResolvedRecord, ResolveNameOptions } from './name-core.ts'
import { lookUpName } from './name-lookup.ts'
import { isNewer, parseName, sealNameRecord } from './name-record.ts'
import type { NameRecord } from './name-record.ts'
import { startRepublishing } from './name-republisher.ts'
import type { RepublishReport } from './name-republisher.ts'
import { createNameStore } from './name-store.ts'

/** How to publish a name. */
export interface PublishNameOptions {
  /** What the name shall point to. */
  readonly value: CID
  readonly signal: AbortSignal
  /**
   * Says that this key has never published a name before. Needed once a key, and believed only when peers were
   * reached and none of them has a record.
   */
  readonly firstPublish?: boolean
  /**
   * The sequence that the new value builds upon, `0n` for a name that has no record yet: refused with
   * `ERR_NAME_CHANGED` when another is the latest.
   */
  readonly basedOn?: bigint
}

/** A name that was published. */
export interface PublishedName {
  readonly did: Did
  readonly value: CID
  readonly sequence: bigint
  readonly validUntilMs: number
  /** How many peers acknowledged the record. */
  readonly storedBy: number
}

/** What a name resolves to. */
export interface ResolvedName {
  readonly did: Did
  readonly value: CID
  readonly sequence: bigint
  readonly validUntilMs: number
  /** When it was signed, by its publisher's clock; `undefined` when the record does not say. */
  readonly signedAtMs: number | undefined
  /** When it was resolved, milliseconds since the epoch. */
  readonly resolvedAtMs: number
  /** The network had no record, or could not be asked, and this node's memory gave it. */
  readonly fromCache: boolean
  /** How many peers answered. */
  readonly peersAsked: number
  /** How many of them gave this very sequence and value. */
  readonly peersAgreed: number
  /** Whether there may be a newer record that was kept from us; `undefined` when nobody can say. */
  readonly confidence: Confidence | undefined
}

/** Mutable names: a key's name points to a CID, and the latest of its signed records counts. */
export interface Names extends AsyncDisposable {
  /**
   * Points the name of `signer` to a CID: resolves it first, then signs the sequence after the highest known one.
   * Calls for the same key wait for each other.
   *
   * @throws DhtError `ERR_DHT_NO_PEERS` when nobody could be asked, `ERR_NAME_UNRESOLVED` when no record was found and
   * `firstPublish` does not say that there never was one, `ERR_NAME_CHANGED` when another device was faster, `ERR_DHT_NOT_STORED` when no peer took
   * the record (it is put again by itself), `ERR_NAME_STORE`, or the reason of `signal`
   */
  publish(signer: KeyPair, o: PublishNameOptions): Promise<PublishedName>
  /**
   * What a name points to, given as a `did:key:…` or `k51…`. Never goes back behind a record it once returned.
   *
   * @throws DhtError as `decideResolution` says, `ERR_NAME_STORE`, DidError for text that is no name, or the reason of
   * `signal`
   */
  resolve(name: string, o: ResolveNameOptions): Promise<ResolvedName>
  /** Keeps the records of somebody else's name alive in the DHT too. @throws DhtError `ERR_NAME_STORE` when too many */
  follow(name: string): Promise<void>
  /** Ends what {@link Names.follow} began. */
  unfollow(name: string): Promise<void>
  /** Puts own and followed names into the DHT again now, as happens every few hours by itself. */
  republish(o: { readonly signal: AbortSignal }): Promise<RepublishReport>
}

/** Starts names: from now on own and followed ones are kept alive in the DHT. */
export function startNames(components: NamesComponents): Names {
  const closing = new AbortController()
  const store = createNameStore(components.datastore)
  const turns = createTurns()
  const logger = components.logger.child('names')
  const core: NameCore = { ...components, logger, store, turns }
  const republishing = startRepublishing(core, closing.signal)
  const under = (signal: AbortSignal): AbortSignal => AbortSignal.any([signal, closing.signal])
  return {
    publish: (signer, o) =>
      turns.take(signer.did, () => publishName(core, signer, { ...o, signal: under(o.signal) })),
    resolve: async (name, o) =>
      toResolved(await resolveName(core, parseName(name), { ...o, signal: under(o.signal) })),
    follow: (name) => store.follow(parseName(name)),
    unfollow: (name) => store.unfollow(parseName(name)),
    republish: ({ signal }) => republishing.runNow(under(signal)),
    [Symbol.asyncDispose]: async () => {
      closing.abort(new DhtError('ERR_HOST_CLOSED', 'names are closed'))
      await republishing[Symbol.asyncDispose]()
    }
  }
}

async function publishName(core: NameCore, signer: KeyPair, o: PublishNameOptions): Promise<PublishedName> {
  const { store, clock } = core
  o.signal.throwIfAborted()
  const lookup = await lookUpName(core, signer.did, o.signal)
  if (lookup.peersAsked === 0) {
    throw new DhtError('ERR_DHT_NO_PEERS', 'expected a peer to ask for the latest record, none answered')
  }
  const { newest: floor } = await rememberFindings(store, signer.did, lookup)
  if (floor === undefined && o.firstPublish !== true) {
    const message = `expected a record of ${signer.did} to build upon, ${lookup.peersAsked} peers have none`
    throw new DhtError('ERR_NAME_UNRESOLVED', message)
  }
  const latest = floor?.sequence ?? 0n
  if (o.basedOn !== undefined && o.basedOn !== latest) {
    throw new DhtError('ERR_NAME_CHANGED', `expected sequence ${o.basedOn} to be the latest, got ${latest}`)
  }
  const validUntilMs = clock.nowMs() + NAME_VALIDITY_MS
  const signedAtMs = clock.nowMs()
  const content = { value: o.value, sequence: latest + 1n, validUntilMs, signedAtMs }
  const record = await sealNameRecord(signer, content)
  await store.journal(record)
  await store.remember(record)
  const storedBy = await storeRecord(core, record, o.signal)
  o.signal.throwIfAborted()
  await checkLatest(core, record, o.signal)
  if (storedBy === 0) {
    throw new DhtError('ERR_DHT_NOT_STORED', `expected a peer to store sequence ${record.sequence}, none did`)
  }
  return { did: record.did, value: record.value, sequence: record.sequence, validUntilMs, storedBy }
}

/** Two devices of one person that publish at once sign the same sequence: the one that others prefer has won. */
async function checkLatest(core: NameCore, record: NameRecord, signal: AbortSignal): Promise<void> {
  const lookup = await lookUpName(core, record.did, signal)
  const { newest: latest } = await rememberFindings(core.store, record.did, lookup)
  if (latest !== undefined && isNewer(latest.bytes, record.bytes)) {
    const message = `another device has published sequence ${latest.sequence} at the same time`
    throw new DhtError('ERR_NAME_CHANGED', message)
  }
}

function toResolved({ record, ...rest }: ResolvedRecord): ResolvedName {
  const { did, value, sequence, validUntilMs, signedAtMs } = record
  return { did, value, sequence, validUntilMs, signedAtMs, ...rest }
}
