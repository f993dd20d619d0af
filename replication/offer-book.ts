import { hash } from 'node:crypto'
import { createRecent } from '#contracts'
import type { Did } from '#did'
import {
  CLOCK_AHEAD_MS,
  OFFER_MS,
  OFFER_NAME_BYTES,
  OFFERS_MAX,
  OFFERS_OF_PERSON_MAX,
  OFFERS_OF_POOL_MAX,
  OFFERS_OPENED_MAX
} from './constants.ts'
import { openOffer } from './records.ts'
import type { Offer, PoolId } from './types.ts'

/** An offer that was verified; books may share it, so that nobody changes it. */
interface KnownOffer {
  readonly offer: Offer
  readonly bytes: Uint8Array
  /** The beginning of the hash of the bytes, as Latin-1. */
  readonly name: string
}

/** When some offers of one pool are taken in, one after the other. */
export interface OfferBatch {
  readonly nowMs: number
  /** Devices of each person that offer to that pool, counted when it is first needed. */
  people?: Map<Did, number>
}

/** The offers known of each pool: the latest of each device, until it ends. */
export class OfferBook {
  readonly #pools = new Map<PoolId, Map<Did, KnownOffer>>()
  readonly #isDenied: (name: string) => boolean
  readonly #names = new Set<string>()

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
    const name = digest.slice(0, OFFER_NAME_BYTES)
    if (this.#names.has(name)) return undefined
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
    if (!isCounted && !isOneMore(offers, offer.person, batch)) return undefined
    if (before === undefined && this.#isFull(offers)) {
      this.#prune(nowMs)
      if (this.#isFull(offers)) return undefined
    }
    if (before !== undefined) this.#names.delete(before.name)
    this.#names.add(name)
    offers.set(offer.holder, opened)
    this.#pools.set(pool, offers)
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

  /** One device's offer to a pool, whether or not it holds still. */
  offerOf(pool: PoolId, holder: Did): Offer | undefined {
    return this.#pools.get(pool)?.get(holder)?.offer
  }

  /** The bytes of one device's offer to a pool. */
  bytesOf(pool: PoolId, holder: Did): Uint8Array | undefined {
    return this.#pools.get(pool)?.get(holder)?.bytes
  }

  /** The names of all offers of a pool that hold now, one after the other. */
  namesOf(pool: PoolId, nowMs: number): Uint8Array {
    let names = ''
    for (const { name } of this.#known(pool, nowMs)) names += name
    return Uint8Array.from(Buffer.from(names, 'latin1'))
  }

  /** The bytes of those offers that `names` does not have, and of `names` those that are not known here. */
  compare(pool: PoolId, names: Uint8Array, nowMs: number): { missing: Uint8Array[]; unknown: Uint8Array } {
    const theirs = new Set(split(names))
    const missing: Uint8Array[] = []
    for (const { name, bytes } of this.#known(pool, nowMs)) if (!theirs.delete(name)) missing.push(bytes)
    return { missing, unknown: Uint8Array.from(Buffer.from([...theirs].join(''), 'latin1')) }
  }

  /** The bytes of the offers of a pool that `names` names. */
  named(pool: PoolId, names: Uint8Array, nowMs: number): Uint8Array[] {
    const wanted = new Set(split(names))
    return [...this.#known(pool, nowMs)].flatMap(({ name, bytes }) => (wanted.has(name) ? [bytes] : []))
  }

  /** Forgets a device's offer to a pool. */
  remove(pool: PoolId, holder: Did): void {
    const offers = this.#pools.get(pool)
    const known = offers?.get(holder)
    if (known === undefined) return
    offers?.delete(holder)
    this.#names.delete(known.name)
  }

  /** Forgets a pool. */
  drop(pool: PoolId): void {
    for (const holder of [...(this.#pools.get(pool)?.keys() ?? [])]) this.remove(pool, holder)
    this.#pools.delete(pool)
  }

  *#known(pool: PoolId, nowMs: number): Generator<KnownOffer> {
    for (const known of this.#pools.get(pool)?.values() ?? [])
      if (known.offer.expiresAtMs > nowMs) yield known
  }

  #isFull(offers: ReadonlyMap<Did, KnownOffer>): boolean {
    return offers.size >= OFFERS_OF_POOL_MAX || this.#names.size >= OFFERS_MAX
  }

  #prune(nowMs: number): void {
    for (const [pool, offers] of this.#pools) {
      for (const [holder, { offer }] of offers) if (offer.expiresAtMs <= nowMs) this.remove(pool, holder)
    }
  }
}

/** Whether a person may offer one device more: what one has many of must not take the place of others. */
function isOneMore(offers: ReadonlyMap<Did, KnownOffer>, person: Did, batch: OfferBatch): boolean {
  batch.people ??= countPeople(offers.values(), batch.nowMs)
  const count = batch.people.get(person) ?? 0
  if (count >= OFFERS_OF_PERSON_MAX) return false
  batch.people.set(person, count + 1)
  return true
}

function countPeople(known: Iterable<KnownOffer>, nowMs: number): Map<Did, number> {
  const people = new Map<Did, number>()
  for (const { offer } of known) {
    if (offer.expiresAtMs > nowMs) people.set(offer.person, (people.get(offer.person) ?? 0) + 1)
  }
  return people
}

const verifiedOffers = createRecent<KnownOffer>(OFFERS_OPENED_MAX)

/** Verifies an offer, once for all books of the process: an offer comes from each of those who know it. */
function openOnce(digest: string, bytes: Uint8Array): KnownOffer {
  const known = verifiedOffers.get(digest)
  if (known !== undefined) return known
  const copy = Uint8Array.from(bytes)
  const fresh = {
    offer: Object.freeze(openOffer(copy)),
    bytes: copy,
    name: digest.slice(0, OFFER_NAME_BYTES)
  }
  verifiedOffers.set(digest, fresh)
  return fresh
}

function split(names: Uint8Array): string[] {
  const text = Buffer.from(names.buffer, names.byteOffset, names.length).toString('latin1')
  const width = OFFER_NAME_BYTES
  return Array.from({ length: Math.floor(text.length / width) }, (_, index) =>
    text.slice(index * width, (index + 1) * width)
  )
}
