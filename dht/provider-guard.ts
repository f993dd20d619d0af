import type { AbortOptions } from '@libp2p/interface'
import type { Datastore, Key, Pair, Query } from 'interface-datastore'
import { Key as DatastoreKey } from 'interface-datastore/key'
import { varint } from 'multiformats'
import { base32 } from 'multiformats/bases/base32'
import type { CID } from 'multiformats/cid'
import { createTurns } from '#contracts'
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
import type { AnnouncementBook } from './provide/announcement-book.ts'
import { keepOnly } from './provide/keep-only.ts'

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
  /** When the peer first announced the content, and has not let it run out since. */
  readonly firstAtMs: number
}

/** Decides which provider records the DHT stores and which it answers with. */
export interface ProviderGuard {
  /** Whether a key holds a provider record. */
  covers(key: Key): boolean
  /** Whether a query is for the providers of one content. */
  coversQuery(query: Query): boolean
  /**
   * Stores a record within the bounds. A content that has too many makes room: half of the places are for those that
   * announced it first, the others for those that did last. A peer's quota makes none.
   *
   * @throws {@link DhtError} `ERR_DHT_NOT_STORED` when the peer's quota or the whole store is full
   */
  put(key: Key, value: Uint8Array, options?: AbortOptions): Promise<Key>
  /**
   * The records of one content that still count, newest first: half of the answer are those that announced it first, so
   * that a flood of later ones neither hides nor replaces them.
   */
  query(query: Query, options?: AbortOptions): AsyncGenerator<Pair>
  /** Deletes a record; a content of ours is not announced again after that. */
  delete(key: Key, options?: AbortOptions): Promise<void>
  /** Deletes the records that have run out and are not ours to announce again, and returns how many there were. */
  sweep(options?: AbortOptions): Promise<number>
  /**
   * Writes down when a content of ours was announced, 0 for not at all, unless it was deleted meanwhile: `false` then.
   */
  renew(multihash: Uint8Array, announcedAtMs: number): Promise<boolean>
  /** Says whether our own record of a content is to be announced again by itself; the next `put` writes that down. */
  setTransient(cid: CID, isTransient: boolean): void
  /** Marks a record of this node as never announced, so that it is announced at the next occasion. */
  markUnannounced(cid: CID, options?: AbortOptions): Promise<void>
  /** Writes down that this node announced the content now. */
  markAnnounced(cid: CID, options?: AbortOptions): Promise<void>
  /** Makes what is announced again be exactly these contents. @throws the reason of the signal */
  keepOnly(contents: Iterable<CID>, options?: AbortOptions): Promise<void>
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
  /** Where it is written down what this node announces again by itself. */
  readonly book: Pick<AnnouncementBook, 'note' | 'remove' | 'has' | 'within'>
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
    delete: async (key, options) => {
      await guard.delete(key, options)
    },
    sweep: async (options) => await guard.sweep(options),
    renew: async (multihash, announcedAtMs) => await guard.renew(multihash, announcedAtMs),
    setTransient: (cid, isTransient) => {
      guard.setTransient(contentKey(cid), isTransient)
    },
    markUnannounced: async (cid, options) => {
      await note(cid, 0, options)
    },
    markAnnounced: async (cid, options) => {
      await note(cid, init.clock.nowMs(), options)
    },
    keepOnly: async (contents, options) => {
      const forget = async (multihash: Uint8Array): Promise<void> => {
        await guard.delete(new DatastoreKey(`${base}${contentOf(multihash)}/${init.ownPeerId}`))
      }
      await keepOnly({ book: init.book, forget }, contents, options?.signal)
    }
  }
}

/** The content as it is in the key of a record. */
export function contentKey({ multihash }: Pick<CID, 'multihash'>): string {
  return contentOf(multihash.bytes)
}

/** The same for a multihash alone. */
function contentOf(multihash: Uint8Array): string {
  return base32.baseEncode(multihash)
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
      const isOwn = record.peerId === ownPeerId
      const isTransient = isOwn && this.#transient.has(record.content)
      const firstAtMs = isOwn || isNew ? record.announcedAtMs : await this.#firstAtMs(key, record)
      const stored = await datastore.put(
        key,
        isTransient
          ? encodeTransientTime(record.announcedAtMs)
          : encodeTimes(record.announcedAtMs, firstAtMs),
        options
      )
      if (isNew) await this.#count(record.peerId, 1)
      if (isOwn && !isTransient) await this.#init.book.note(multihashOf(record.content), record.announcedAtMs)
      return stored
    })
  }

  async *query(query: Query, options?: AbortOptions): AsyncGenerator<Pair> {
    const { clock, isKnown, ownPeerId } = this.#init
    const oldestMs = clock.nowMs() - PROVIDER_VALIDITY_MS
    const fresh = (await this.#records(query.prefix ?? this.#base, options)).filter(
      ({ announcedAtMs }) => announcedAtMs > oldestMs
    )
    const [first, others] = this.#split(fresh, this.#limits.answeredMax)
    const chosen: ProviderRecord[] = []
    for (const record of [...first, ...others]) {
      if (chosen.length >= this.#limits.answeredMax) break
      if (record.peerId === ownPeerId || (await isKnown(record.peerId))) chosen.push(record)
    }
    for (const { key, announcedAtMs } of chosen.toSorted((a, b) => b.announcedAtMs - a.announcedAtMs)) {
      yield { key, value: encodeTime(announcedAtMs) }
    }
  }

  async delete(key: Key, options?: AbortOptions): Promise<void> {
    const { datastore, ownPeerId, book } = this.#init
    const record = this.#parse(key, NO_TIME)
    if (record === undefined) return
    await this.#turns.take(record.content, async () => {
      if (record.peerId === ownPeerId) await book.remove(multihashOf(record.content))
      if (await datastore.has(key, options)) await this.#delete(record, options)
    })
  }

  async renew(multihash: Uint8Array, announcedAtMs: number): Promise<boolean> {
    const { datastore, ownPeerId, book, clock } = this.#init
    const content = contentOf(multihash)
    const key = new DatastoreKey(`${this.#base}${content}/${ownPeerId}`)
    return await this.#turns.take(content, async () => {
      if (!(await book.has(multihash))) return false
      // nobody took it, but we have it: who asks us is told
      await datastore.put(key, encodeTime(announcedAtMs === 0 ? clock.nowMs() : announcedAtMs))
      await book.note(multihash, announcedAtMs)
      return true
    })
  }

  async sweep(options?: AbortOptions): Promise<number> {
    const { datastore, clock, ownPeerId } = this.#init
    const oldestMs = clock.nowMs() - PROVIDER_VALIDITY_MS
    const isOver = ({ announcedAtMs, peerId, transient }: ProviderRecord): boolean =>
      announcedAtMs <= oldestMs && (peerId !== ownPeerId || transient)
    let swept = 0
    for await (const { key, value } of datastore.query({ prefix: this.#base }, options)) {
      const read = this.#parse(key, value)
      if (read === undefined || !isOver(read)) continue
      await this.#turns.take(read.content, async () => {
        // it may have been announced again, or deleted, since it was read
        const held = (await datastore.has(key)) ? this.#parse(key, await datastore.get(key)) : undefined
        if (held === undefined || !isOver(held)) return
        await this.#delete(held, options)
        swept += 1
      })
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
    // with so few records in all, no content has too many
    if (this.#total < this.#limits.perContentMax) return
    const records = await this.#records(`${this.#base}${content}/`, options)
    const excess = records.length - (this.#limits.perContentMax - 1)
    if (excess <= 0) return
    const oldestMs = this.#init.clock.nowMs() - PROVIDER_VALIDITY_MS
    const { fresh = [], stale = [] } = Object.groupBy(records, ({ announcedAtMs }) =>
      announcedAtMs > oldestMs ? 'fresh' : 'stale'
    )
    const [first, others] = this.#split(fresh, this.#limits.perContentMax)
    const leaving = [...stale, ...others.toReversed(), ...first.toReversed()].filter(
      ({ peerId }) => peerId !== this.#init.ownPeerId
    )
    for (const record of leaving.slice(0, excess)) await this.#delete(record, options)
  }

  /** Those that announced first, who have half of `places`, and the others, the newest first. */
  #split(records: readonly ProviderRecord[], places: number): [ProviderRecord[], ProviderRecord[]] {
    const byFirst = records.toSorted((a, b) => a.firstAtMs - b.firstAtMs)
    const half = Math.floor(places / 2)
    return [byFirst.slice(0, half), byFirst.slice(half).toSorted((a, b) => b.announcedAtMs - a.announcedAtMs)]
  }

  /** Since when a peer has announced what it announces again. */
  async #firstAtMs(key: Key, { announcedAtMs }: ProviderRecord): Promise<number> {
    const held = this.#parse(key, await this.#init.datastore.get(key))
    if (held === undefined || held.announcedAtMs <= announcedAtMs - PROVIDER_VALIDITY_MS) return announcedAtMs
    return Math.min(held.firstAtMs, announcedAtMs)
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

/** What follows the time in the value of another's record, before the time of its first announcement. */
const FIRST_MARK = 2

const NO_TIME = new Uint8Array(1)

/** A time that cannot be read is one that has run out. */
function decodeTime(value: Uint8Array): Pick<ProviderRecord, 'announcedAtMs' | 'transient' | 'firstAtMs'> {
  try {
    const [announcedAtMs, length] = varint.decode(value)
    const mark = value[length]
    const firstAtMs = mark === FIRST_MARK ? varint.decode(value, length + 1)[0] : announcedAtMs
    return { announcedAtMs, transient: mark === TRANSIENT_MARK, firstAtMs }
  } catch {
    return { announcedAtMs: 0, transient: false, firstAtMs: 0 }
  }
}

function encodeTime(timeMs: number): Uint8Array {
  return varint.encodeTo(timeMs, new Uint8Array(varint.encodingLength(timeMs)))
}

function encodeTransientTime(timeMs: number): Uint8Array {
  return Uint8Array.of(...encodeTime(timeMs), TRANSIENT_MARK)
}

function encodeTimes(timeMs: number, firstMs: number): Uint8Array {
  if (firstMs === timeMs) return encodeTime(timeMs)
  return Uint8Array.of(...encodeTime(timeMs), FIRST_MARK, ...encodeTime(firstMs))
}

function multihashOf(content: string): Uint8Array {
  return base32.baseDecode(content)
}
