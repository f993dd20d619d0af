import { hash } from 'node:crypto'
import type { PeerId } from '@libp2p/interface'
import { peerIdFromMultihash, peerIdFromString } from '@libp2p/peer-id'
import { base58btc } from 'multiformats/bases/base58'
import * as Digest from 'multiformats/hashes/digest'
import { createRecent } from '#contracts'
import { ENTRY_ID_START, idEndOf } from './codec.ts'
import {
  ADDRESSES_PER_NAMING_MAX,
  ADDRESSES_PER_PEER_MAX,
  ENTRY_BYTES_MAX,
  NAMED_PEERS_MAX
} from './constants.ts'
import type { WirePeer } from './messages.ts'
import { createPeerIndex, isSame } from './peer-index.ts'
import type { DhtPeer } from './types.ts'

/** The place of a key in the DHT: its SHA-256. */
export function kadIdOf(key: Uint8Array): Uint8Array {
  return hash('sha256', key, 'buffer')
}

/**
 * Which of two places is nearer to a target, by the XOR metric: negative when `a` is, 0 when they are the same. All have
 * 32 bytes.
 */
export function compareDistance(target: Uint8Array, a: Uint8Array, b: Uint8Array): number {
  for (let index = 0; index < target.length; index += 1) {
    const x = a[index] ?? 0
    const y = b[index] ?? 0
    if (x === y) continue
    const bits = target[index] ?? 0
    return (x ^ bits) - (y ^ bits)
  }
  return 0
}

/** The `count` of `peers` that are nearest to a place, nearest first. */
export function nearestOf<T extends Pick<DhtPeer, 'kadId'>>(
  target: Uint8Array,
  peers: Iterable<T>,
  count: number
): T[] {
  const nearest: T[] = []
  // the first bits of the distances decide nearly always, and are cheap to compare
  const distances: number[] = []
  for (const peer of peers) {
    const distance = distanceBits(target, peer.kadId)
    let index = nearest.length
    for (; index > 0; index -= 1) {
      const before = distances[index - 1] ?? 0
      if (before < distance) break
      const other = nearest[index - 1]
      if (before === distance && other && compareDistance(target, other.kadId, peer.kadId) <= 0) break
    }
    if (index >= count) continue
    nearest.splice(index, 0, peer)
    distances.splice(index, 0, distance)
    if (nearest.length <= count) continue
    nearest.pop()
    distances.pop()
  }
  return nearest
}

/** The `count` of peers that are nearest to a place, nearest first: {@link nearestOf} for a table that is asked all the time. */
export function nearestPeers(target: Uint8Array, peers: readonly BookPeer[], count: number): BookPeer[] {
  const bits = firstBits(target)
  const nearest: BookPeer[] = []
  const distances: number[] = []
  let farthest = Infinity
  for (const peer of peers) {
    const distance = (bits ^ peer.kadBits) >>> 0
    if (distance > farthest) continue
    let index = nearest.length
    for (; index > 0; index -= 1) {
      const before = distances[index - 1] ?? 0
      if (before < distance) break
      const other = nearest[index - 1]
      if (before === distance && other && compareDistance(target, other.kadId, peer.kadId) <= 0) break
    }
    nearest.splice(index, 0, peer)
    distances.splice(index, 0, distance)
    if (nearest.length > count) {
      nearest.pop()
      distances.pop()
    }
    if (nearest.length === count) farthest = distances[count - 1] ?? Infinity
  }
  return nearest
}

function firstBits(place: Uint8Array): number {
  const high = ((place[0] ?? 0) << 24) | ((place[1] ?? 0) << 16)
  return (high | ((place[2] ?? 0) << 8) | (place[3] ?? 0)) >>> 0
}

/** The first 32 bits of the distance between two places. */
function distanceBits(target: Uint8Array, kadId: Uint8Array): number {
  const first = ((target[0] ?? 0) ^ (kadId[0] ?? 0)) << 24
  const second = ((target[1] ?? 0) ^ (kadId[1] ?? 0)) << 16
  const third = ((target[2] ?? 0) ^ (kadId[2] ?? 0)) << 8
  return (first | second | third | ((target[3] ?? 0) ^ (kadId[3] ?? 0))) >>> 0
}

/** A peer that was named or asked: what is dear to work out is worked out once, when it is needed. */
export class BookPeer implements DhtPeer {
  readonly id: Uint8Array
  readonly kadId: Uint8Array
  /** The first 32 bits of its place: they decide nearly always which of two is nearer. */
  readonly kadBits: number
  multiaddrs: readonly Uint8Array[] = []
  /** As answers name it; stands for the addresses that it has. */
  wire: WirePeer | undefined
  /** As a message named it last, where that said nothing that was not known; stands for the addresses that it has. */
  entry: Uint8Array | undefined
  #peerId: string | undefined
  #libp2pId: PeerId | 'none' | undefined

  constructor(id: Uint8Array) {
    this.id = id
    this.kadId = kadIdOf(id)
    this.kadBits = firstBits(this.kadId)
  }

  get peerId(): string {
    return (this.#peerId ??= base58btc.baseEncode(this.id))
  }

  /** Its id as libp2p wants it; `undefined` for what somebody named that is the id of no peer. */
  get libp2pId(): PeerId | undefined {
    this.#libp2pId ??= readPeerId(this.id) ?? 'none'
    return this.#libp2pId === 'none' ? undefined : this.#libp2pId
  }
}

function readPeerId(id: Uint8Array): PeerId | undefined {
  try {
    return peerIdFromMultihash(Digest.decode(id))
  } catch {
    return undefined
  }
}

/** The peers that queries have to do with, the latest ones, within a bound. */
export interface PeerBook {
  /** The peer of this multihash. */
  of(id: Uint8Array): BookPeer
  /** The peer of this text. @throws when it is no PeerId */
  ofText(peerId: string): BookPeer
  /** The peer that a message names; the addresses are remembered with it. */
  named(peer: WirePeer): BookPeer
  /** The peer that a message names, from `start` to `end` of its bytes, when it was named so before and nothing is new. */
  recall(message: Uint8Array, start: number, end: number): BookPeer | undefined
}

/**
 * A book with nobody in it, but for ourselves when `ownId` is given: that one is never forgotten. Of others at least half of
 * `peersMax` are remembered, those that came up last.
 */
export function createPeerBook(peersMax: number = NAMED_PEERS_MAX, ownId?: Uint8Array): PeerBook {
  const peers = createPeerIndex(peersMax)
  // reading a PeerId takes longer than everything else that is done about a peer that is known
  const ids = createRecent<Uint8Array>(peersMax)
  const own = ownId && new BookPeer(Uint8Array.from(ownId))
  const find = (bytes: Uint8Array, start: number, end: number): BookPeer | undefined =>
    own !== undefined && isSame(own.id, bytes, { start, end }) ? own : peers.get(bytes, start, end)
  const of = (id: Uint8Array): BookPeer => {
    const known = find(id, 0, id.length)
    if (known !== undefined) return known
    // a copy, for what comes over a stream is a view of a larger buffer
    const peer = new BookPeer(Uint8Array.from(id))
    peers.add(peer)
    return peer
  }
  return {
    of,
    ofText: (peerId) => {
      const known = ids.get(peerId)
      if (known !== undefined) return of(known)
      const id = peerIdFromString(peerId).toMultihash().bytes
      ids.set(peerId, id)
      return of(id)
    },
    named: (named) => {
      // which is one that was recalled
      if (named instanceof BookPeer) return named
      const peer = of(named.id)
      remember(peer, named)
      return peer
    },
    recall: (message, start, end) => {
      const idEnd = idEndOf(message, start, end)
      const peer = idEnd === undefined ? undefined : find(message, start + ENTRY_ID_START, idEnd)
      if (peer?.entry?.length !== end - start) return undefined
      // what comes before the addresses is the id that it was found by
      return isTailSame(peer.entry, message, { start, from: ENTRY_ID_START + peer.id.length })
        ? peer
        : undefined
    }
  }
}

/** Keeps what was named last in front: who lies about a peer's addresses does not make the true ones go at once. */
function remember(peer: BookPeer, { multiaddrs: named, read }: WirePeer): void {
  const isUnknown = (address: Uint8Array): boolean => !peer.multiaddrs.some((known) => equals(known, address))
  // mostly nothing is new
  if (!named.some(isUnknown)) {
    if (read === undefined || read.length > ENTRY_BYTES_MAX) return
    const isIdFirst = idEndOf(read, 0, read.length) === ENTRY_ID_START + peer.id.length
    if (isIdFirst) peer.entry = Uint8Array.from(read)
    return
  }
  const unknown = named.filter(isUnknown)
  const taken = peer.multiaddrs.length === 0 ? unknown : unknown.slice(0, ADDRESSES_PER_NAMING_MAX)
  const copies = taken.map((address) => Uint8Array.from(address))
  peer.multiaddrs = [...copies, ...peer.multiaddrs].slice(0, ADDRESSES_PER_PEER_MAX)
  peer.entry = undefined
}

/** Whether two entries of the same length, whose ids come first and are the same, say the same behind them. */
function isTailSame(
  entry: Uint8Array,
  message: Uint8Array,
  { start, from }: { readonly start: number; readonly from: number }
): boolean {
  for (let index = from; index < entry.length; index++)
    if (entry[index] !== message[start + index]) return false
  return true
}

function equals(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false
  // ids and addresses are short: a call of the system's comparison takes longer
  for (let index = 0; index < a.length; index++) if (a[index] !== b[index]) return false
  return true
}
