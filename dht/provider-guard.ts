import type { AbortOptions } from '@libp2p/interface'
import type { Datastore, Key, Pair, Query } from 'interface-datastore'
import { Key as DatastoreKey } from 'interface-datastore/key'
import { varint } from 'multiformats'
import { base32 } from 'multiformats/bases/base32'
import { CID } from 'multiformats/cid'
import * as raw from 'multiformats/codecs/raw'
import * as Digest from 'multiformats/hashes/digest'
import type { Clock } from '#contracts'
import {
  PROVIDER_RECORDS_MAX,
  PROVIDER_RECORDS_PER_PEER_MAX,
  PROVIDER_VALIDITY_MS,
  PROVIDERS_ANSWERED_MAX,
  PROVIDERS_PER_CONTENT_MAX,
  TRANSIENT_CONTENTS_MAX
} from './constants.ts'
import { DhtError } from './errors.ts'
import { createTurns } from './turns.ts'

/** One provider record as kad-dht stores it: content and peer in the key, the time in the value. */
export interface ProviderRecord {
  readonly key: Key
  /** The multihash of the content in base32, as in the key. */
  readonly content: string
  readonly peerId: string
  /** When the peer last announced the content, in milliseconds since the epoch. */
  readonly announcedAtMs: number
  /** One of our own that is not to be announced again by itself. */
  readonly transient: boolean
}

/** Decides which provider records the DHT stores and which it answers with. */
export interface ProviderGuard {
  /** Whether a key holds a provider record. */
  covers(key: Key): boolean
  /** Whether a query is for the providers of one content. */
  coversQuery(query: Query): boolean
  /**
   * Stores a record within the bounds: the oldest record of the content makes room, a peer's own quota does not.
   *
   * @throws {@link DhtError} `ERR_DHT_NOT_STORED` when the peer's quota or the whole store is full
   */
  put(key: Key, value: Uint8Array, options?: AbortOptions): Promise<Key>
  /** The records of one content that still count, newest first. */
  query(query: Query, options?: AbortOptions): AsyncGenerator<Pair>
  /** Deletes the records that have run out and are not ours to announce again, and returns how many there were. */
  sweep(options?: AbortOptions): Promise<number>
  /** The records of this node that are to be announced again, whatever their age. */
  own(options?: AbortOptions): AsyncGenerator<ProviderRecord>
  /** Says whether our own record of a content is to be announced again by itself; the next `put` writes that down. */
  setTransient(cid: CID, isTransient: boolean): void
  /** Marks a record of this node as never announced, so that it is announced at the next occasion. */
  markUnannounced(cid: CID, options?: AbortOptions): Promise<void>
  /** Writes down that this node announced the content now. */
  markAnnounced(cid: CID, options?: AbortOptions): Promise<void>
}

/** Bounds of the provider records of one node. */
export interface ProviderLimits {
  readonly perContentMax: number
  readonly perPeerMax: number
  readonly recordsMax: number
  readonly answeredMax: number
}

/** The bounds of a node that is told nothing else. */
export const PROVIDER_LIMITS: ProviderLimits = {
  perContentMax: PROVIDERS_PER_CONTENT_MAX,
  perPeerMax: PROVIDER_RECORDS_PER_PEER_MAX,
  recordsMax: PROVIDER_RECORDS_MAX,
  answeredMax: PROVIDERS_ANSWERED_MAX
}

/** What a provider guard is made of. */
export interface ProviderGuardInit {
  readonly datastore: Datastore
  /** The datastore prefix of the DHT. */
  readonly prefix: string
  readonly ownPeerId: string
  readonly clock: Pick<Clock, 'nowMs'>
  /** Whether the peer store knows the peer: kad-dht fails the whole answer over one that it does not. */
  readonly isKnown: (peerId: string) => Promise<boolean>
  readonly limits?: ProviderLimits
}

/**
 * A guard for the provider records of a DHT. Stock kad-dht answers with records of any age, keeps as many as it is sent,
 * and fails a whole answer over one provider whose addresses were forgotten.
 */
export function createProviderGuard(init: ProviderGuardInit): ProviderGuard {
  const base = `${init.prefix}/provider/`
  const guard = new Guard(init, base)
  const note = async (cid: CID, timeMs: number, options?: AbortOptions): Promise<void> => {
    const key = new DatastoreKey(`${base}${contentKey(cid)}/${init.ownPeerId}`)
    await guard.put(key, encodeTime(timeMs), options)
  }
  return {
    covers: (key) => key.toString().startsWith(base),
    coversQuery: ({ prefix }) => prefix?.startsWith(base) === true,
    put: async (key, value, options) => await guard.put(key, value, options),
    query: (query, options) => guard.query(query, options),
    sweep: async (options) => await guard.sweep(options),
    own: (options) => guard.own(options),
    setTransient: (cid, isTransient) => {
      guard.setTransient(contentKey(cid), isTransient)
    },
    markUnannounced: async (cid, options) => {
      await note(cid, 0, options)
    },
    markAnnounced: async (cid, options) => {
      await note(cid, init.clock.nowMs(), options)
    }
  }
}

/** The content of a record as a CID; the codec is not in a record, so it is `raw`. */
export function contentCid({ content }: Pick<ProviderRecord, 'content'>): CID {
  return CID.createV1(raw.code, Digest.decode(base32.baseDecode(content)))
}

/** The content as it is in the key of a record. */
export function contentKey(cid: CID): string {
  return base32.baseEncode(cid.multihash.bytes)
}

class Guard {
  readonly #init: ProviderGuardInit
  readonly #base: string
  readonly #limits: ProviderLimits
  readonly #turns = createTurns()
  /** How many records each peer has here; counted once, then kept. */
  #counts: Promise<Map<string, number>> | undefined
  #total = 0
  readonly #transient = new Set<string>()

  constructor(init: ProviderGuardInit, base: string) {
    this.#init = init
    this.#base = base
    this.#limits = init.limits ?? PROVIDER_LIMITS
  }

  setTransient(content: string, isTransient: boolean): void {
    this.#transient.delete(content)
    if (!isTransient) return
    this.#transient.add(content)
    const [oldest] = this.#transient
    if (this.#transient.size > TRANSIENT_CONTENTS_MAX && oldest !== undefined) this.#transient.delete(oldest)
  }

  async put(key: Key, value: Uint8Array, options?: AbortOptions): Promise<Key> {
    const { datastore, ownPeerId } = this.#init
    const record = this.#parse(key, value)
    if (record === undefined) {
      throw new DhtError('ERR_DHT_NOT_STORED', `expected the key of a provider record, got ${key.toString()}`)
    }
    // one at a time for each content, so that its bound holds
    return await this.#turns.take(record.content, async () => {
      const isNew = !(await datastore.has(key, options))
      if (isNew && record.peerId !== ownPeerId) {
        await this.#checkQuota(record.peerId)
        await this.#makeRoom(record.content, options)
      }
      const isTransient = record.peerId === ownPeerId && this.#transient.has(record.content)
      const bytes = isTransient ? encodeTransientTime(record.announcedAtMs) : value
      const stored = await datastore.put(key, bytes, options)
      if (isNew) await this.#count(record.peerId, 1)
      return stored
    })
  }

  async *query(query: Query, options?: AbortOptions): AsyncGenerator<Pair> {
    const { clock, isKnown, ownPeerId } = this.#init
    const oldestMs = clock.nowMs() - PROVIDER_VALIDITY_MS
    const fresh = (await this.#records(query.prefix ?? this.#base, options))
      .filter(({ announcedAtMs }) => announcedAtMs > oldestMs)
      .toSorted((a, b) => b.announcedAtMs - a.announcedAtMs)
    let answered = 0
    for (const { key, peerId, announcedAtMs } of fresh) {
      if (answered >= this.#limits.answeredMax) return
      if (peerId !== ownPeerId && !(await isKnown(peerId))) continue
      answered += 1
      yield { key, value: encodeTime(announcedAtMs) }
    }
  }

  async *own(options?: AbortOptions): AsyncGenerator<ProviderRecord> {
    for await (const pair of this.#init.datastore.query({ prefix: this.#base }, options)) {
      const record = this.#parse(pair.key, pair.value)
      if (record?.peerId === this.#init.ownPeerId && !record.transient) yield record
    }
  }

  async sweep(options?: AbortOptions): Promise<number> {
    const { datastore, clock, ownPeerId } = this.#init
    const oldestMs = clock.nowMs() - PROVIDER_VALIDITY_MS
    let swept = 0
    for await (const { key, value } of datastore.query({ prefix: this.#base }, options)) {
      const record = this.#parse(key, value)
      if (record === undefined || record.announcedAtMs > oldestMs) continue
      if (record.peerId === ownPeerId && !record.transient) continue
      await this.#delete(record, options)
      swept += 1
    }
    return swept
  }

  async #checkQuota(peerId: string): Promise<void> {
    const { perPeerMax, recordsMax } = this.#limits
    const counts = await this.#counted()
    if ((counts.get(peerId) ?? 0) >= perPeerMax) {
      throw new DhtError('ERR_DHT_NOT_STORED', `expected at most ${perPeerMax} provider records of ${peerId}`)
    }
    if (this.#total >= recordsMax) {
      throw new DhtError(
        'ERR_DHT_NOT_STORED',
        `expected at most ${recordsMax} provider records, this node has as many`
      )
    }
  }

  async #makeRoom(content: string, options?: AbortOptions): Promise<void> {
    const records = await this.#records(`${this.#base}${content}/`, options)
    const excess = records.length - (this.#limits.perContentMax - 1)
    if (excess <= 0) return
    const oldest = records
      .filter(({ peerId }) => peerId !== this.#init.ownPeerId)
      .toSorted((a, b) => a.announcedAtMs - b.announcedAtMs)
    for (const record of oldest.slice(0, excess)) await this.#delete(record, options)
  }

  async #records(prefix: string, options?: AbortOptions): Promise<ProviderRecord[]> {
    const records: ProviderRecord[] = []
    for await (const { key, value } of this.#init.datastore.query({ prefix }, options)) {
      const record = this.#parse(key, value)
      if (record !== undefined) records.push(record)
    }
    return records
  }

  async #delete(record: ProviderRecord, options?: AbortOptions): Promise<void> {
    await this.#init.datastore.delete(record.key, options)
    await this.#count(record.peerId, -1)
  }

  async #count(peerId: string, change: 1 | -1): Promise<void> {
    if (this.#counts === undefined) return
    const counts = await this.#counts
    const count = (counts.get(peerId) ?? 0) + change
    if (count > 0) counts.set(peerId, count)
    else counts.delete(peerId)
    this.#total += change
  }

  async #counted(): Promise<Map<string, number>> {
    return await (this.#counts ??= this.#countAll())
  }

  async #countAll(): Promise<Map<string, number>> {
    const counts = new Map<string, number>()
    for await (const key of this.#init.datastore.queryKeys({ prefix: this.#base })) {
      const peerId = key.toString().split('/').at(-1) ?? ''
      counts.set(peerId, (counts.get(peerId) ?? 0) + 1)
      this.#total += 1
    }
    return counts
  }

  #parse(key: Key, value: Uint8Array): ProviderRecord | undefined {
    const [content, peerId, more] = key.toString().slice(this.#base.length).split('/')
    if (content === undefined || peerId === undefined || more !== undefined) return undefined
    return { key, content, peerId, ...decodeTime(value) }
  }
}

/** What follows the time in the value of an own record that is not to be announced again. */
const TRANSIENT_MARK = 1

/** A time that cannot be read is one that has run out. */
function decodeTime(value: Uint8Array): Pick<ProviderRecord, 'announcedAtMs' | 'transient'> {
  try {
    const [announcedAtMs, length] = varint.decode(value)
    return { announcedAtMs, transient: value[length] === TRANSIENT_MARK }
  } catch {
    return { announcedAtMs: 0, transient: false }
  }
}

function encodeTime(timeMs: number): Uint8Array {
  return varint.encodeTo(timeMs, new Uint8Array(varint.encodingLength(timeMs)))
}

function encodeTransientTime(timeMs: number): Uint8Array {
  return Uint8Array.of(...encodeTime(timeMs), TRANSIENT_MARK)
}
