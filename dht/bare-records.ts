import { Libp2pRecord } from '@libp2p/record'
import type { PeerId } from '@libp2p/interface'
import type { CID } from 'multiformats/cid'
import type { Clock } from '#contracts'
import { PROVIDER_VALIDITY_MS } from './constants.ts'
import { DhtError } from './errors.ts'
import { createRecordRules } from './name-rules.ts'
import type { LocalRecords } from './query/engine.ts'
import type { KadMessage } from './query/messages.ts'
import type { BookPeer, PeerBook } from './query/peer-book.ts'
import type { ProviderRecords } from './query/server.ts'

/** How many contents' providers, and how many values, are kept for others. */
export const BARE_RECORDS_MAX = 4_096

/** How many providers of one content are kept. */
export const BARE_PROVIDERS_MAX = 64

/** What a node keeps of the DHT, in memory. */
export interface BareRecords extends LocalRecords {
  readonly served: ProviderRecords
  heldRecord(key: Uint8Array): Promise<Uint8Array | undefined>
  keepRecord(peer: BookPeer, message: KadMessage): Promise<void>
  /** How many contents and values are kept. */
  size(): number
}

/** Records within bounds; the oldest content goes first. Values are checked by the rules of names. */
export function createBareRecords(own: BookPeer, book: PeerBook, clock: Clock): BareRecords {
  const providers = new Map<string, Map<BookPeer, number>>()
  const values = new Map<string, Uint8Array>()
  const rules = createRecordRules(clock)
  const textOf = (key: Uint8Array): string => Buffer.from(key).toString('latin1')
  const note = (key: Uint8Array, peer: BookPeer): void => {
    const text = textOf(key)
    const held = providers.get(text) ?? new Map<BookPeer, number>()
    providers.delete(text)
    providers.set(text, held)
    held.delete(peer)
    held.set(peer, clock.nowMs() + PROVIDER_VALIDITY_MS)
    dropOldest(held, BARE_PROVIDERS_MAX)
    dropOldest(providers, BARE_RECORDS_MAX)
  }
  const providersOf = (key: Uint8Array): BookPeer[] => {
    const nowMs = clock.nowMs()
    return [...(providers.get(textOf(key)) ?? [])].flatMap(([peer, untilMs]) =>
      untilMs > nowMs ? [peer] : []
    )
  }
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

function dropOldest(entries: Map<unknown, unknown>, max: number): void {
  const [oldest] = entries.keys()
  if (entries.size > max) entries.delete(oldest)
}

function invalid(what: string): DhtError {
  return new DhtError('ERR_NAME_INVALID', `expected a newer record of a name, got ${what}`)
}
