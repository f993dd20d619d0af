import { hash } from 'node:crypto'
import { createRecent } from '#contracts'
import type { Did } from '#did'
import {
  CLOCK_AHEAD_MS,
  OFFER_MS,
  OFFERS_MAX,
  OFFERS_OF_PERSON_MAX,
  OFFERS_OF_POOL_MAX,
  OFFERS_OPENED_MAX
} from './constants.ts'
import { NameList } from './name-list.ts'
import { bytesOfNames, nameOf, type OfferName } from './offer-names.ts'
import { openOffer } from './records.ts'
import type { Offer, PoolId } from './types.ts'

/** An offer that was verified; books of one process share it, so that nobody changes it. */
interface KnownOffer extends OfferName {
  readonly offer: Offer
  readonly bytes: Uint8Array
}

/** When some offers of one pool are taken in, one after the other. */
export interface OfferBatch {
  readonly nowMs: number
  /** Offers of that pool that ended were forgotten: done once, and only when somebody seems to have too many. */
  isPruned?: boolean
}

/** The offers known of each pool: the latest of each device, until it ends. */
export class OfferBook {
  readonly #pools = new Map<PoolId, Map<Did, KnownOffer>>()
  readonly #isDenied: (name: string) => boolean
  /** The same ones by pool, in the order of their names. */
  readonly #lists = new Map<PoolId, NameList<KnownOffer>>()
  /** No offer to a pool ends before. */
  readonly #endsFirstMs = new Map<PoolId, number>()
  #size = 0
  /** How many offers to each pool are known of each person, those that ended and were not forgotten yet included. */
  readonly #people = new Map<PoolId, Map<Did, number>>()

  constructor(isDenied: (name: string) => boolean) {
    this.#isDenied = isDenied
  }

  /**
   * Takes an offer of a pool in. Gives it when it was not known.
   *
   * @throws ReplicationError `ERR_REPLICA_RECORD_INVALID`
   */
  take(pool: PoolId, bytes: Uint8Array, batch: OfferBatch): Offer | undefined {
    const { nowMs } = batch
    const digest = hash('sha256', bytes, 'binary')
    const name = nameOf(digest)
    if (this.#listOf(pool).has(name)) return undefined
    const known = this.#pools.get(pool)
    const opened = openOnce(digest, bytes)
    const { offer } = opened
    if (offer.pool !== pool || this.#isDenied(offer.holder) || this.#isDenied(offer.person)) return undefined
    if (offer.expiresAtMs <= nowMs || offer.issuedAtMs > nowMs + CLOCK_AHEAD_MS) return undefined
    // one that never ends would take the place of others for ever
    if (offer.expiresAtMs > offer.issuedAtMs + OFFER_MS) return undefined
    const before = known?.get(offer.holder)
    if (before !== undefined && before.offer.issuedAtMs >= offer.issuedAtMs) return undefined
    const offers = known ?? new Map<Did, KnownOffer>()
    const isCounted = before?.offer.person === offer.person && before.offer.expiresAtMs > nowMs
    if (!isCounted && !this.#mayHaveMore(pool, offer.person, batch)) return undefined
    if (before === undefined && this.#isFull(offers)) {
      for (const one of this.#pools.keys()) this.prune(one, nowMs)
      if (this.#isFull(offers)) return undefined
    }
    this.remove(pool, offer.holder)
    this.#pools.set(pool, offers.set(offer.holder, this.#noted(pool, opened)))
    return offer
  }

  /** The offers of some pools that hold now. */
  of(pools: readonly PoolId[], nowMs: number): Offer[] {
    const found: Offer[] = []
    for (const pool of pools) {
      for (const { offer } of this.#pools.get(pool)?.values() ?? []) {
        if (offer.expiresAtMs > nowMs) found.push(offer)
      }
    }
    return found
  }

  /** How many devices' offers to a pool are known, those that ended and were not forgotten yet included. */
  sizeOf(pool: PoolId): number {
    return this.#pools.get(pool)?.size ?? 0
  }

  /** One device's offer to a pool, whether or not it holds still. */
  offerOf(pool: PoolId, holder: Did): Offer | undefined {
    return this.#pools.get(pool)?.get(holder)?.offer
  }

  /** The bytes of one device's offer to a pool. */
  bytesOf(pool: PoolId, holder: Did): Uint8Array | undefined {
    return this.#pools.get(pool)?.get(holder)?.bytes
  }

  /** The names of all offers of a pool that hold now, one after the other; those that ended are forgotten. */
  namesOf(pool: PoolId, nowMs: number): Uint8Array {
    this.prune(pool, nowMs)
    return this.#listOf(pool).bytes()
  }

  /** The bytes of those offers that hold and `names` does not have, and of `names` those that are not known here. */
  compare(pool: PoolId, names: Uint8Array, nowMs: number): { missing: Uint8Array[]; unknown: Uint8Array } {
    this.prune(pool, nowMs)
    const { missing, unknown } = this.#listOf(pool).compare(names)
    return { missing: missing.map(({ bytes }) => bytes), unknown: bytesOfNames(unknown) }
  }

  /** The bytes of the offers of a pool that `names` names. */
  named(pool: PoolId, names: Uint8Array, nowMs: number): Uint8Array[] {
    this.prune(pool, nowMs)
    return this.#listOf(pool)
      .compare(names)
      .named.map(({ bytes }) => bytes)
  }

  /** Forgets a device's offer to a pool. */
  remove(pool: PoolId, holder: Did): void {
    const offers = this.#pools.get(pool)
    const known = offers?.get(holder)
    if (known === undefined) return
    offers?.delete(holder)
    this.#size -= 1
    this.#listOf(pool).delete(known)
    this.#count(pool, known.offer.person, -1)
  }

  /** Forgets the offers to a pool that have ended. */
  prune(pool: PoolId, nowMs: number): void {
    if (nowMs < (this.#endsFirstMs.get(pool) ?? Infinity)) return
    let endsFirstMs = Infinity
    for (const { offer } of this.#offersTo(pool)) {
      if (offer.expiresAtMs <= nowMs) this.remove(pool, offer.holder)
      else endsFirstMs = Math.min(endsFirstMs, offer.expiresAtMs)
    }
    this.#endsFirstMs.set(pool, endsFirstMs)
  }

  /** Forgets a pool. */
  drop(pool: PoolId): void {
    for (const holder of [...(this.#pools.get(pool)?.keys() ?? [])]) this.remove(pool, holder)
    this.#pools.delete(pool)
    this.#lists.delete(pool)
    this.#endsFirstMs.delete(pool)
  }

  #offersTo(pool: PoolId): Iterable<KnownOffer> {
    return this.#pools.get(pool)?.values() ?? []
  }

  #noted(pool: PoolId, one: KnownOffer): KnownOffer {
    const { offer } = one
    const list = this.#lists.get(pool) ?? new NameList<KnownOffer>()
    list.add(one)
    this.#lists.set(pool, list)
    this.#size += 1
    this.#endsFirstMs.set(pool, Math.min(offer.expiresAtMs, this.#endsFirstMs.get(pool) ?? Infinity))
    this.#count(pool, offer.person, 1)
    return one
  }

  #listOf(pool: PoolId): NameList<KnownOffer> {
    return this.#lists.get(pool) ?? new NameList<KnownOffer>()
  }

  #isFull(offers: ReadonlyMap<Did, KnownOffer>): boolean {
    return offers.size >= OFFERS_OF_POOL_MAX || this.#size >= OFFERS_MAX
  }

  /** Whether a person may offer one device more: what one has many of must not take the place of others. */
  #mayHaveMore(pool: PoolId, person: Did, batch: OfferBatch): boolean {
    const isRoom = (): boolean => (this.#people.get(pool)?.get(person) ?? 0) < OFFERS_OF_PERSON_MAX
    if (isRoom()) return true
    if (batch.isPruned === true) return false
    batch.isPruned = true
    this.prune(pool, batch.nowMs)
    return isRoom()
  }

  #count(pool: PoolId, person: Did, change: 1 | -1): void {
    const people = this.#people.get(pool) ?? new Map<Did, number>()
    const count = (people.get(person) ?? 0) + change
    if (count > 0) people.set(person, count)
    else people.delete(person)
    if (people.size > 0) this.#people.set(pool, people)
    else this.#people.delete(pool)
  }
}

const verifiedOffers = createRecent<KnownOffer>(OFFERS_OPENED_MAX)

/** Verifies an offer, once for all books of the process: an offer comes from each of those who know it. */
function openOnce(digest: string, bytes: Uint8Array): KnownOffer {
  const known = verifiedOffers.get(digest)
  if (known !== undefined) return known
  const copy = Uint8Array.from(bytes)
  const fresh = { offer: Object.freeze(openOffer(copy)), bytes: copy, ...nameOf(digest) }
  verifiedOffers.set(digest, fresh)
  return fresh
}
