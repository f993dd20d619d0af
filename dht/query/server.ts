import { multiaddr } from '@multiformats/multiaddr'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { PeerId } from '@libp2p/interface'
import { CID } from 'multiformats/cid'
import * as raw from 'multiformats/codecs/raw'
import * as Digest from 'multiformats/hashes/digest'
import type { Clock } from '#contracts'
import { CLOSEST_PEERS } from '../constants.ts'
import { DhtError } from '../errors.ts'
import type { AddressBook } from './address-book.ts'
import {
  ADDRESSES_CACHED_MAX,
  ADDRESSES_MERGED_MS,
  CONTENT_KEY_BYTES_MAX,
  PEER_ID_BYTES_MAX
} from './constants.ts'
import type { AnswerMessage } from './inbound.ts'
import { KAD_MESSAGE } from './messages.ts'
import type { KadMessage, WirePeer } from './messages.ts'
import { kadIdOf } from './peer-book.ts'
import type { BookPeer, PeerBook } from './peer-book.ts'
import type { TableView } from './table-view.ts'

/** The provider records of a kad-dht. */
export interface ProviderRecords {
  addProvider(cid: CID, peerId: PeerId): Promise<void>
  getProviders(cid: CID): Promise<readonly PeerId[]>
}

/** What answering is made of. */
export interface ServerComponents {
  readonly own: BookPeer
  readonly ownAddresses: () => readonly Uint8Array[]
  readonly book: PeerBook
  readonly table: Pick<TableView, 'nearest'>
  readonly addresses: AddressBook
  readonly providers: ProviderRecords
  readonly peerStore: {
    merge(peerId: PeerId, data: { multiaddrs: Multiaddr[] }): Promise<unknown>
  }
  /** The record held under a key, serialized, if it still counts. */
  readonly heldRecord: (key: Uint8Array) => Promise<Uint8Array | undefined>
  /** Checks and keeps a record that a peer sends. @throws when it is refused */
  readonly keepRecord: (peer: BookPeer, message: KadMessage) => Promise<void>
  readonly clock: Clock
}

/** How a PeerId that has its key in itself begins, as all of ours do: the multihash of what was not hashed. */
const IDENTITY_MULTIHASH = 0

/**
 * Answers the messages of the DHT as stock kad-dht does, from its table and records: what differs is the time it takes,
 * that a content may have any hash, and that a provider whose addresses were forgotten is left out, not an error.
 */
export function createServer(components: ServerComponents): AnswerMessage {
  const noteAddresses = createAddressNotes(components)
  return (peer, message) => {
    switch (message.type) {
      case KAD_MESSAGE.ping:
        return message
      case KAD_MESSAGE.findNode:
        return findNode(components, peer, message)
      case KAD_MESSAGE.getProviders:
        return getProviders(components, peer, message)
      case KAD_MESSAGE.getValue:
        return getValue(components, peer, message)
      case KAD_MESSAGE.addProvider:
        return addProvider(components, noteAddresses, { peer, message })
      case KAD_MESSAGE.putValue:
        return components.keepRecord(peer, message).then(() => message)
    }
  }
}

type Wire = readonly WirePeer[]

function closerTo(
  { table, addresses, own }: ServerComponents,
  key: Uint8Array,
  asking: BookPeer
): Wire | Promise<Wire> {
  return addresses.wirePeers(table.nearest(kadIdOf(key), CLOSEST_PEERS, [asking, own]))
}

function findNode(
  components: ServerComponents,
  asking: BookPeer,
  { type, key = missing() }: KadMessage
): KadMessage | Promise<KadMessage> {
  const closer = closerTo(components, key, asking)
  const named = askedFor(components, key)
  if (closer instanceof Promise || named instanceof Promise) {
    return Promise.all([closer, named]).then(([others, one]) => ({ type, closer: distinct(one, others) }))
  }
  return { type, closer: distinct(named, closer) }
}

/** The peer that is looked for, when the key is the id of one: we may know it though it is in no routing table. */
function askedFor(
  { own, ownAddresses, book, addresses }: ServerComponents,
  key: Uint8Array
): Wire | Promise<Wire> {
  // whatever is looked for is remembered: nothing longer than the id of a peer
  if (key[0] !== IDENTITY_MULTIHASH || key.length > PEER_ID_BYTES_MAX) return []
  const peer = book.of(key)
  return peer === own ? [{ id: own.id, multiaddrs: ownAddresses() }] : addresses.wirePeers([peer])
}

function distinct(first: Wire, others: Wire): Wire {
  const [one] = first
  return one === undefined ? others : [one, ...others.filter(({ id }) => Buffer.compare(id, one.id) !== 0)]
}

async function getProviders(
  components: ServerComponents,
  asking: BookPeer,
  { type, key = missing() }: KadMessage
): Promise<KadMessage> {
  const { providers, book, addresses } = components
  const peers = await providers.getProviders(contentOf(key))
  const known = peers.map((peerId) => book.of(peerId.toMultihash().bytes))
  const [closer, named] = await Promise.all([closerTo(components, key, asking), addresses.wirePeers(known)])
  return { type, key, closer, providers: named }
}

async function getValue(
  components: ServerComponents,
  asking: BookPeer,
  { type, key = missing() }: KadMessage
): Promise<KadMessage> {
  const [record, closer] = await Promise.all([components.heldRecord(key), closerTo(components, key, asking)])
  return { type, key, closer, record }
}

async function addProvider(
  { providers }: ServerComponents,
  noteAddresses: NoteAddresses,
  { peer, message }: { readonly peer: BookPeer; readonly message: KadMessage }
): Promise<undefined> {
  const content = contentOf(message.key ?? missing())
  // a peer announces itself and nobody else
  const itself = message.providers?.find(({ id }) => Buffer.compare(id, peer.id) === 0)
  if (itself === undefined || itself.multiaddrs.length === 0) return
  await providers.addProvider(content, proven(peer))
  await noteAddresses(peer, itself.multiaddrs)
}

type NoteAddresses = (peer: BookPeer, multiaddrs: readonly Uint8Array[]) => Promise<void>

/** Writes down where a provider is, but not again and again when it announces one content after the other. */
function createAddressNotes({ peerStore, clock }: ServerComponents): NoteAddresses {
  const noted = new Map<BookPeer, { readonly text: string; readonly untilMs: number }>()
  return async (peer, multiaddrs) => {
    const text = Buffer.concat(multiaddrs).toString('latin1')
    const last = noted.get(peer)
    if (last?.text === text && last.untilMs > clock.monotonicMs()) return
    const addresses = multiaddrs.flatMap((bytes) => {
      try {
        return [multiaddr(bytes)]
      } catch {
        return []
      }
    })
    await peerStore.merge(proven(peer), { multiaddrs: addresses })
    noted.delete(peer)
    noted.set(peer, { text, untilMs: clock.monotonicMs() + ADDRESSES_MERGED_MS })
    const [oldest] = noted.keys()
    if (noted.size > ADDRESSES_CACHED_MAX && oldest !== undefined) noted.delete(oldest)
  }
}

/** The id of a peer that the transport has proven. */
function proven({ libp2pId = missing() }: BookPeer): PeerId {
  return libp2pId
}

/** The content that a key stands for. The codec is not in it, so that it is `raw`. */
function contentOf(key: Uint8Array): CID {
  if (key.length > CONTENT_KEY_BYTES_MAX) {
    const message = `expected the multihash of a content in at most ${CONTENT_KEY_BYTES_MAX} bytes, got ${key.length}`
    throw new DhtError('ERR_REQUEST_FAILED', message)
  }
  try {
    return CID.createV1(raw.code, Digest.decode(key))
  } catch (cause) {
    throw new DhtError('ERR_REQUEST_FAILED', 'expected the multihash of a content as key', { cause })
  }
}

function missing(): never {
  throw new DhtError('ERR_REQUEST_FAILED', 'expected a key in the message and a peer with an id, got none')
}
