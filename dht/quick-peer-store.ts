import type { Peer, PeerData, PeerId, PeerStore } from '@libp2p/interface'
import { createRecent } from '#contracts'
import type { Clock } from '#contracts'
import { PEER_KNOWN_MS, PEERS_CACHED_MAX } from './constants.ts'
import { SPOKEN_BY_ALL } from './eager-negotiation.ts'

/** What is known of a peer without asking the store. */
interface Known {
  readonly peer: Peer
  /** When it was read or written, by the clock that the store goes by: it goes on while a machine sleeps. */
  readonly atMs: number
  /** Whether it was written then, and not only read. */
  readonly isWritten: boolean
}

/**
 * Spares a peer store what it has just said, and what it has just been told. libp2p writes down a peer with each stream that is
 * opened to it or from it: that it speaks the protocol of the stream, which identify told long before. Each such note reads,
 * decodes, sorts, encodes and writes the whole peer anew, behind a lock: some twenty times in a new connection.
 *
 * That a peer speaks identify is the first of these, and not noted at all: what identify is about to say takes its place. Of `own`,
 * ourselves, it is, since others are told it. A note that says nothing new is dropped when the peer was written down within
 * {@link PEER_KNOWN_MS}; what is not told in this way is written at once, as before.
 */
export function quickenPeerStore(store: PeerStore, clock: Pick<Clock, 'nowMs'>, own: PeerId): void {
  const known = createRecent<Known | 'changing'>(PEERS_CACHED_MAX)
  const writing = new Map<string, number>()
  const lookUp = (key: string): Known | undefined => {
    const entry = known.get(key)
    if (entry === undefined || entry === 'changing') return undefined
    return Math.abs(clock.nowMs() - entry.atMs) < PEER_KNOWN_MS ? entry : undefined
  }
  const remember = (key: string, peer: Peer, isWritten: boolean): void => {
    known.set(key, { peer: copied(peer), atMs: clock.nowMs(), isWritten })
  }
  /** Nothing is known of a peer while something is being written down about it. */
  const change = async <Outcome>(id: PeerId, work: () => Promise<Outcome>): Promise<Outcome> => {
    const key = id.toString()
    writing.set(key, (writing.get(key) ?? 0) + 1)
    known.set(key, 'changing')
    try {
      return await work()
    } finally {
      const left = (writing.get(key) ?? 1) - 1
      if (left === 0) writing.delete(key)
      else writing.set(key, left)
    }
  }
  const write = async (id: PeerId, work: () => Promise<Peer>): Promise<Peer> =>
    await change(id, async () => {
      const peer = await work()
      if (writing.get(id.toString()) === 1) remember(id.toString(), peer, true)
      return peer
    })
  const stock = methodsOf(store)
  const quick: Pick<PeerStore, keyof typeof stock> = {
    get: async (id, options) => {
      const key = id.toString()
      const entry = lookUp(key)
      if (entry !== undefined) return copied(entry.peer)
      const peer = await stock.get(id, options)
      if (!writing.has(key) && lookUp(key) === undefined) remember(key, peer, false)
      return peer
    },
    has: async (id, options) => lookUp(id.toString()) !== undefined || (await stock.has(id, options)),
    delete: async (id, options) => {
      await change(id, async () => {
        await stock.delete(id, options)
      })
    },
    save: async (id, data, options) => await write(id, async () => await stock.save(id, data, options)),
    patch: async (id, data, options) => await write(id, async () => await stock.patch(id, data, options)),
    merge: async (id, data, options) => {
      const entry = lookUp(id.toString())
      if (isSaidAnyway(data) && !id.equals(own))
        return entry === undefined ? strangerOf(id) : copied(entry.peer)
      if (entry?.isWritten === true && saysNothingNew(entry.peer, data)) return copied(entry.peer)
      return await write(id, async () => await stock.merge(id, data, options))
    }
  }
  Object.assign(store, quick)
}

/** The methods as they were, whatever becomes of the store's. */
function methodsOf(store: PeerStore): Pick<PeerStore, 'get' | 'has' | 'delete' | 'save' | 'patch' | 'merge'> {
  return {
    get: store.get.bind(store),
    has: store.has.bind(store),
    delete: store.delete.bind(store),
    save: store.save.bind(store),
    patch: store.patch.bind(store),
    merge: store.merge.bind(store)
  }
}

/** Callers may do with what they are given as they please. */
function copied(peer: Peer): Peer {
  return {
    ...peer,
    addresses: [...peer.addresses],
    protocols: [...peer.protocols],
    metadata: new Map(peer.metadata),
    tags: new Map(peer.tags)
  }
}

/** Whether that is only what identify will have said of the peer in a moment. */
function isSaidAnyway({ protocols, ...more }: PeerData): boolean {
  return protocols?.every((one) => SPOKEN_BY_ALL.has(one)) === true && Object.keys(more).length === 0
}

function strangerOf(id: PeerId): Peer {
  return { id, addresses: [], protocols: [], metadata: new Map(), tags: new Map() }
}

/** Addresses are always news: when they were last named is what they are remembered for. */
const TOLD: ReadonlySet<string> = new Set(['protocols', 'metadata'])

function saysNothingNew(peer: Peer, data: PeerData): boolean {
  if (!Object.keys(data).every((key) => TOLD.has(key))) return false
  if (!(data.protocols ?? []).every((protocol) => peer.protocols.includes(protocol))) return false
  const metadata = data.metadata instanceof Map ? [...data.metadata] : Object.entries(data.metadata ?? {})
  return metadata.every(([key, value]) => {
    const held = peer.metadata.get(key)
    return value !== undefined && held !== undefined && Buffer.compare(held, value) === 0
  })
}
