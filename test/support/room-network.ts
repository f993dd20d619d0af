import type { CID } from 'multiformats/cid'
import type { Clock } from '#contracts'
import type { RequestHandler, RoomPeer, RoomTransport, TopicHandler } from '#rooms'

/** How long things take in a {@link RoomNetwork}, in milliseconds of its clock. */
export interface RoomNetworkDelays {
  readonly provideMs: number
  readonly findMs: number
  readonly hopMs: number
}

/** A network of rooms' transports in memory: a DHT that everybody reaches, connections, and flooding pubsub. */
export interface RoomNetwork {
  /** The transport of one peer, which is online from now on. */
  transport(peerId: string): RoomTransport
  /** A further handle on a peer that is there: what it does is done by that peer. */
  linkOf(peerId: string): Pick<RoomTransport, 'connect'>
  /** Closes all connections of a peer and makes it unreachable; its provider records stay, as they do in a DHT. */
  unplug(peerId: string): void
  /** Makes an unplugged peer reachable again. */
  plug(peerId: string): void
  /** Cuts peers off from all others: the links between them break, and who tries to connect to the other side gets no answer. */
  split(side: readonly string[]): void
  /** Makes the network whole again; links come back when somebody connects. */
  heal(): void
  /** Every message that was published, as anybody listening on the wire has it. */
  readonly published: readonly { readonly topic: string; readonly bytes: Uint8Array }[]
  /** Hands bytes to a peer as if `from` had relayed them, and returns what the peer made of them. */
  inject(peerId: string, message: { from: string; topic: string; bytes: Uint8Array }): string | undefined
  /** How many searches and announcements were made. */
  readonly counts: { provides: number; finds: number; requests: number }
  /** Puts all rendezvous into one place, so that peers meet who would not find each other. */
  isOneRendezvous: boolean
  /** How many providers one search finds; all when absent. */
  providersMax: number
  /** Makes every request fail. */
  isExchangeBroken: boolean
  /** How many connections a peer has. */
  linkCount(peerId: string): number
  /** Called before each announcement or search; a throw makes it fail. */
  onDht: (operation: 'provide' | 'quick find' | 'find', cid: string) => void
}

interface Peer {
  readonly id: string
  isOnline: boolean
  readonly links: Set<Peer>
  readonly topics: Map<string, TopicHandler>
  readonly protocols: Map<string, { handler: RequestHandler; requestBytesMax: number }>
  readonly joins: Map<string, Set<(peerId: string) => void>>
  readonly seen: Set<string>
}

/** Longer than anybody waits. */
const UNANSWERED_MS = 3_600_000
const DELAYS: RoomNetworkDelays = { provideMs: 60, findMs: 40, hopMs: 5 }

/** An empty network. */
export function createRoomNetwork(clock: Clock, delays: RoomNetworkDelays = DELAYS): RoomNetwork {
  const peers = new Map<string, Peer>()
  const records = new Map<string, Set<string>>()
  const published: { topic: string; bytes: Uint8Array }[] = []
  const counts = { provides: 0, finds: 0, requests: 0 }
  let side: readonly string[] = []
  const isCut = (one: Peer, other: Peer): boolean => side.includes(one.id) !== side.includes(other.id)
  const unlink = (one: Peer, other: Peer): void => {
    one.links.delete(other)
    other.links.delete(one)
  }

  const newPeer = (id: string): Peer => ({
    id,
    isOnline: true,
    links: new Set(),
    topics: new Map(),
    protocols: new Map(),
    joins: new Map(),
    seen: new Set()
  })
  const announceJoin = (topic: string, joiner: Peer, to: Peer): void => {
    for (const handler of to.joins.get(topic) ?? []) handler(joiner.id)
  }
  const relay = (from: Peer, topic: string, bytes: Uint8Array): number => {
    const targets = [...from.links].filter((peer) => peer.topics.has(topic))
    for (const target of targets) {
      clock.after(delays.hopMs, () => {
        deliver(target, from, { topic, bytes })
      })
    }
    return targets.length
  }
  const deliver = (target: Peer, from: Peer, message: { topic: string; bytes: Uint8Array }): void => {
    const handler = target.topics.get(message.topic)
    const key = Buffer.from(message.bytes).toString('base64')
    if (handler === undefined || target.seen.has(key) || !target.links.has(from)) return
    target.seen.add(key)
    if (handler({ from: from.id, bytes: message.bytes }) === 'accept')
      relay(target, message.topic, message.bytes)
  }
  const network: RoomNetwork = {
    published,
    counts,
    isOneRendezvous: false,
    isExchangeBroken: false,
    providersMax: Infinity,
    linkOf: (peerId) => createTransport(peers.get(peerId) ?? newPeer(peerId)),
    linkCount: (peerId) => peers.get(peerId)?.links.size ?? 0,
    onDht: () => undefined,
    unplug: (peerId) => {
      const peer = peers.get(peerId)
      if (peer === undefined) return
      peer.isOnline = false
      for (const other of peer.links) unlink(peer, other)
    },
    split: (ids) => {
      side = ids
      for (const one of peers.values())
        for (const other of one.links) if (isCut(one, other)) unlink(one, other)
    },
    heal: () => {
      side = []
    },
    plug: (peerId) => {
      const peer = peers.get(peerId)
      if (peer !== undefined) peer.isOnline = true
    },
    inject: (peerId, { from, topic, bytes }) => peers.get(peerId)?.topics.get(topic)?.({ from, bytes }),
    transport: (peerId) => {
      const peer = newPeer(peerId)
      peers.set(peerId, peer)
      return createTransport(peer)
    }
  }
  const keyOf = (cid: CID): string => (network.isOneRendezvous ? 'one' : cid.toString())
  const createTransport = (peer: Peer): RoomTransport => ({
    keepers: () => [...peer.links].map(({ id }) => id),
    addresses: () => [`/memory/${peer.id}`],
    provide: async (cid, { signal }) => {
      counts.provides++
      network.onDht('provide', cid.toString())
      await clock.sleep(delays.provideMs, signal)
      const providers = records.get(keyOf(cid)) ?? new Set()
      records.set(keyOf(cid), providers.add(peer.id))
    },
    findProviders: async function* (cid, { signal, quick }): AsyncGenerator<RoomPeer> {
      counts.finds++
      network.onDht(quick ? 'quick find' : 'find', cid.toString())
      await clock.sleep(delays.findMs, signal)
      for (const id of [...(records.get(keyOf(cid)) ?? [])].slice(0, network.providersMax))
        yield { peerId: id, multiaddrs: [`/memory/${id}`] }
    },
    connect: async ({ peerId }, { signal }) => {
      await clock.sleep(delays.hopMs * 2, signal)
      const other = peers.get(peerId)
      if (other === undefined || !other.isOnline || !peer.isOnline)
        throw new Error('expected a peer that answers')
      if (isCut(peer, other)) await clock.sleep(UNANSWERED_MS, signal)
      if (peer.links.has(other)) return
      peer.links.add(other)
      other.links.add(peer)
      clock.after(delays.hopMs, () => {
        for (const topic of other.topics.keys()) announceJoin(topic, other, peer)
        for (const topic of peer.topics.keys()) announceJoin(topic, peer, other)
      })
    },
    request: async (...[peerId, protocol, bytes, { signal, responseBytesMax }]) => {
      counts.requests++
      await clock.sleep(delays.hopMs, signal)
      const other = peers.get(peerId)
      const serving = other?.protocols.get(protocol)
      if (
        other === undefined ||
        serving === undefined ||
        !peer.links.has(other) ||
        network.isExchangeBroken
      ) {
        throw new Error('expected a connected peer that serves the protocol')
      }
      if (bytes.length > serving.requestBytesMax) throw new Error('expected a smaller request')
      const answer = await serving.handler({ peerId: peer.id, bytes, signal })
      if (answer.length > responseBytesMax) throw new Error('expected a smaller answer')
      await clock.sleep(delays.hopMs, signal)
      return answer
    },
    serve: async (protocol, handler, { requestBytesMax }) => {
      peer.protocols.set(protocol, { handler, requestBytesMax })
      return { [Symbol.asyncDispose]: async () => void peer.protocols.delete(protocol) }
    },
    subscribe: (topic, handler) => {
      peer.topics.set(topic, handler)
      for (const other of peer.links) announceJoin(topic, peer, other)
      return { [Symbol.dispose]: () => peer.topics.delete(topic) }
    },
    publish: async (topic, bytes) => {
      published.push({ topic, bytes })
      peer.seen.add(Buffer.from(bytes).toString('base64'))
      return { recipients: relay(peer, topic, bytes) }
    },
    peersOf: (topic) => [...peer.links].filter((other) => other.topics.has(topic)).map((other) => other.id),
    onPeerJoin: (topic, handler) => {
      const handlers = peer.joins.get(topic) ?? new Set()
      peer.joins.set(topic, handlers.add(handler))
      return { [Symbol.dispose]: () => handlers.delete(handler) }
    }
  })
  return network
}
