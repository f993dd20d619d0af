import { Libp2pRecord } from '@libp2p/record'
import type { PeerId } from '@libp2p/interface'
import type { CID } from 'multiformats/cid'
import type { Clock } from '#contracts'
import { PROVIDER_VALIDITY_MS, PROVIDERS_ANSWERED_MAX, PROVIDERS_PER_CONTENT_MAX } from './constants.ts'
import { DhtError } from './errors.ts'
import { createRecordRules } from './name-rules.ts'
import type { LocalRecords } from './query/engine.ts'
import type { KadMessage } from './query/messages.ts'
import type { BookPeer, PeerBook } from './query/peer-book.ts'
import type { ProviderRecords } from './query/server.ts'

/** How many contents' providers, and how many values, are kept for others. */
export const BARE_RECORDS_MAX = 4_096

/** What a node keeps of the DHT, in memory. */
export interface BareRecords extends LocalRecords {
  readonly served: ProviderRecords
  heldRecord(key: Uint8Array): Promise<Uint8Array | undefined>
  keepRecord(peer: BookPeer, message: KadMessage): Promise<void>
  /** How many contents and values are kept. */
  size(): number
}

/** A provider of a content: when it first announced that and has not let it run out since, and when it did last. */
interface Announced {
  readonly peer: BookPeer
  readonly firstAtMs: number
  readonly atMs: number
}

/** Records within bounds; the oldest content goes first. Values are checked by the rules of names. */
export function createBareRecords(own: BookPeer, book: PeerBook, clock: Clock): BareRecords {
  const providers = new Map<string, Providers>()
  const values = new Map<string, Uint8Array>()
  const rules = createRecordRules(clock)
  const textOf = (key: Uint8Array): string => Buffer.from(key).toString('latin1')
  const note = (key: Uint8Array, peer: BookPeer): void => {
    const text = textOf(key)
    const held = providers.get(text) ?? new Providers()
    providers.delete(text)
    providers.set(text, held)
    held.note(peer, clock.nowMs())
    dropOldest(providers, BARE_RECORDS_MAX)
  }
  const providersOf = (key: Uint8Array): readonly BookPeer[] =>
    providers.get(textOf(key))?.answer(clock.nowMs()) ?? []
  const check = async (key: Uint8Array, record: Uint8Array): Promise<void> => {
    const { value } = Libp2pRecord.deserialize(record)
    const kind = Buffer.from(key).toString('latin1').split('/')[1] ?? ''
    const validator = rules.validators[kind]
    const selector = rules.selectors[kind]
    if (validator === undefined || selector === undefined) throw invalid(kind)
    await validator(key, value)
    const held = values.get(textOf(key))
    if (held === undefined) return
    if (selector(key, [value, Libp2pRecord.deserialize(held).value]) !== 0) throw invalid('an older record')
  }
  return {
    served: {
      addProvider: async (cid: CID, peerId: PeerId) => {
        note(cid.multihash.bytes, book.of(peerId.toMultihash().bytes))
      },
      getProviders: async (cid) =>
        providersOf(cid.multihash.bytes).flatMap(({ libp2pId }) => (libp2pId === undefined ? [] : [libp2pId]))
    },
    heldRecord: async (key) => values.get(textOf(key)),
    keepRecord: async (_peer, { key, record }) => {
      if (key === undefined || record === undefined) throw invalid('a message without a record')
      await check(key, record)
      values.set(textOf(key), Uint8Array.from(record))
      dropOldest(values, BARE_RECORDS_MAX)
    },
    providers: async (key) => providersOf(key).filter((peer) => peer !== own),
    addOwnProvider: async (key) => {
      note(key, own)
    },
    putValue: async (key, value) => {
      const record = new Libp2pRecord(key, value, new Date(clock.nowMs())).serialize().slice()
      values.set(textOf(key), record)
      return record
    },
    size: () => providers.size + values.size
  }
}

/** Who provides one content, within the bounds of a node on libp2p: half of the places are for those that announced it first. */
class Providers {
  /** By when they announced it last, the latest last. */
  readonly #announced = new Map<BookPeer, Announced>()
  /** Whom an answer names, until somebody announces it or one of them runs out. */
  #answer: { readonly peers: readonly BookPeer[]; readonly untilMs: number } | undefined

  note(peer: BookPeer, nowMs: number): void {
    const before = this.#announced.get(peer)
    const firstAtMs = before !== undefined && isFresh(before, nowMs) ? before.firstAtMs : nowMs
    if (before === undefined && this.#announced.size >= PROVIDERS_PER_CONTENT_MAX) this.#makeRoom(nowMs)
    this.#announced.delete(peer)
    this.#announced.set(peer, { peer, firstAtMs, atMs: nowMs })
    this.#answer = undefined
  }

  /** Those that count, the newest first: half of them announced it first, so that later ones do not hide them. */
  answer(nowMs: number): readonly BookPeer[] {
    if (this.#answer !== undefined && nowMs < this.#answer.untilMs) return this.#answer.peers
    const fresh = [...this.#announced.values()].filter((one) => isFresh(one, nowMs))
    const chosen = split(fresh, PROVIDERS_ANSWERED_MAX).flat().slice(0, PROVIDERS_ANSWERED_MAX)
    const peers = chosen.toSorted((a, b) => b.atMs - a.atMs).map(({ peer }) => peer)
    const untilMs = Math.min(...fresh.map(({ atMs }) => atMs)) + PROVIDER_VALIDITY_MS
    this.#answer = { peers, untilMs }
    return peers
  }

  #makeRoom(nowMs: number): void {
    const { fresh = [], stale = [] } = Object.groupBy(this.#announced.values(), (one) =>
      isFresh(one, nowMs) ? 'fresh' : 'stale'
    )
    const [leaving] = [...stale, ...split(fresh, PROVIDERS_PER_CONTENT_MAX).flat().toReversed()]
    if (leaving !== undefined) this.#announced.delete(leaving.peer)
  }
}

function isFresh({ atMs }: Announced, nowMs: number): boolean {
  return atMs > nowMs - PROVIDER_VALIDITY_MS
}

/** Those that announced first, who have half of `places`, and the others, the newest first. */
function split(announced: readonly Announced[], places: number): [Announced[], Announced[]] {
  const byFirst = announced.toSorted((a, b) => a.firstAtMs - b.firstAtMs)
  const half = Math.floor(places / 2)
  return [byFirst.slice(0, half), byFirst.slice(half).toSorted((a, b) => b.atMs - a.atMs)]
}

function dropOldest(entries: Map<unknown, unknown>, max: number): void {
  const [oldest] = entries.keys()
  if (entries.size > max) entries.delete(oldest)
}

function invalid(what: string): DhtError {
  return new DhtError('ERR_NAME_INVALID', `expected a newer record of a name, got ${what}`)
}
