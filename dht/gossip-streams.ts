import type { GossipSub } from '@libp2p/gossipsub'
import type { Connection, Libp2p, NewStreamOptions, PeerId, PeerStore, Stream } from '@libp2p/interface'

/** What gossipsub has beyond its declared interface; held by the test that shows its fault. */
interface GossipInternals {
  readonly protocols: readonly string[]
  readonly peers: ReadonlyMap<string, PeerId>
  readonly subscriptions: ReadonlySet<string>
  /** Who is subscribed, by topic. */
  readonly topics: ReadonlyMap<string, ReadonlySet<string>>
  readonly streamsOutbound: ReadonlyMap<string, { readonly rawStream: Stream }>
  onPeerConnected(peerId: PeerId, connection: Connection): void
  createOutboundStream(peerId: PeerId, connection: Connection): Promise<void>
  /** Takes a peer into the mesh of a topic where there is room; `true` when it is to be told so. */
  graftOnSubscribe(peerId: string, topic: string): boolean
  sendGraft(peerId: string, topics: readonly string[]): void
}

/** A stream that lived so many heartbeats, a second each, did well; after so many in a row that did not it makes no difference. */
const LONG_LIVED_BEATS = 60
const SHORT_LIVED_COUNTED_MAX = 6

/** What of libp2p tells that a connection ended and which are left. */
export interface GossipStreamComponents {
  readonly events: Pick<Libp2p, 'addEventListener'>
  readonly connectionManager: { getConnections(peer: PeerId): Connection[] }
  readonly peerStore: Pick<PeerStore, 'get'>
}

/**
 * Opens gossip's streams: to peers from whom something is wanted or to whom there is something to say, all at once, and anew
 * when the connection that one ran on ends and another is left.
 *
 * Gossipsub opens a stream to each peer when it connects, though a node that takes part in no topic never says anything on
 * it: two of the six streams of a new connection. It opens them one after the other, each with a round trip of
 * negotiation: with fifty neighbours the last hears seconds later which topics we joined, and one that does not answer
 * holds up all behind it. And it takes the one stream for the peer: with the connection it happened to choose of two (both
 * dialled at once, or one was relayed and is replaced) it loses its stream for good and is never heard again.
 */
export function keepGossipStreams(gossip: GossipSub, components: GossipStreamComponents): void {
  const internals = gossip as unknown as GossipInternals
  const lost = createLost()
  const openTo = createOpener(internals, { peerStore: components.peerStore, lost })
  const reopen = async (peer: PeerId): Promise<void> => {
    const open = components.connectionManager.getConnections(peer).filter(({ status }) => status === 'open')
    const connection = open.find(({ limits }) => limits === undefined) ?? open[0]
    if (connection === undefined) return
    // gossipsub takes the end of a stream from a peer for its end, too
    if (internals.peers.has(peer.toString())) await openTo(peer, connection)
    else internals.onPeerConnected(peer, connection)
  }
  // nobody waits: the next peer's stream need not wait for this one's
  internals.createOutboundStream = (peer, connection) => {
    if (internals.subscriptions.size > 0) void openTo(peer, connection)
    return Promise.resolve()
  }
  const subscribe = gossip.subscribe.bind(gossip)
  gossip.subscribe = (topic) => {
    const isFirst = internals.subscriptions.size === 0
    subscribe(topic)
    if (isFirst) for (const peer of internals.peers.values()) void reopen(peer)
  }
  const publish = gossip.publish.bind(gossip)
  gossip.publish = async (topic, ...rest) => {
    // who speaks without listening has streams to nobody yet
    if (internals.subscriptions.size === 0) await Promise.all(gossip.getSubscribers(topic).map(reopen))
    return await publish(topic, ...rest)
  }
  components.events.addEventListener('connection:close', ({ detail: { remotePeer } }) => {
    if (internals.peers.has(remotePeer.toString())) lost.withConnection(remotePeer)
  })
  components.events.addEventListener('peer:disconnect', ({ detail }) => lost.forget(detail))
  // a second at most later, when the streams of the connection have ended too
  gossip.addEventListener('gossipsub:heartbeat', () => {
    lost.beat()
    // without a topic nothing is missed; who is lost is found when there is one
    if (internals.subscriptions.size > 0) for (const peer of lost.takeDue()) void reopen(peer)
  })
}

/** Streams that are to be opened again, and when: a peer that ends each at once is tried ever more rarely. */
interface Lost {
  /** The connection of a stream ended: at the next heartbeat. */
  withConnection(peer: PeerId): void
  /** Watches a stream that was opened. */
  watch(peer: PeerId, stream: Stream): void
  /** A stream could not be opened. */
  notOpened(peer: PeerId): void
  /** Whether the last stream to a peer did not live long. */
  wasShort(id: string): boolean
  /** A heartbeat has passed. */
  beat(): void
  /** Whose turn it is; they are waited for no more. */
  takeDue(): PeerId[]
  forget(peer: PeerId): void
}

function createLost(): Lost {
  const waiting = new Map<string, { readonly peer: PeerId; readonly dueBeat: number }>()
  const shortLived = new Map<string, number>()
  let beats = 0
  const endedAfter = (peer: PeerId, livedBeats: number): void => {
    const id = peer.toString()
    const isLong = livedBeats >= LONG_LIVED_BEATS
    const times = isLong ? 0 : Math.min((shortLived.get(id) ?? 0) + 1, SHORT_LIVED_COUNTED_MAX)
    shortLived.set(id, times)
    waiting.set(id, { peer, dueBeat: beats + 2 ** times })
  }
  return {
    withConnection: (peer) => {
      waiting.set(peer.toString(), { peer, dueBeat: beats + 1 })
    },
    watch: (peer, stream) => {
      const openedBeat = beats
      // also by the peer: it takes the end of another connection, of which it hears late, for that of this stream
      stream.addEventListener('close', () => endedAfter(peer, beats - openedBeat), { once: true })
    },
    notOpened: (peer) => endedAfter(peer, 0),
    wasShort: (id) => (shortLived.get(id) ?? 0) > 0,
    beat: () => {
      beats++
    },
    takeDue: () => {
      const due = [...waiting].filter(([, { dueBeat }]) => dueBeat <= beats)
      for (const [id] of due) waiting.delete(id)
      return due.map(([, { peer }]) => peer)
    },
    forget: (peer) => {
      waiting.delete(peer.toString())
      shortLived.delete(peer.toString())
    }
  }
}

/** Opens the stream to a peer unless there is one; never throws. */
function createOpener(
  internals: GossipInternals,
  { peerStore, lost }: Pick<GossipStreamComponents, 'peerStore'> & { readonly lost: Lost }
): (peer: PeerId, connection: Connection) => Promise<void> {
  const create = internals.createOutboundStream.bind(internals)
  const opening = new Set<string>()
  return async (peer, connection) => {
    const id = peer.toString()
    if (opening.has(id) || internals.streamsOutbound.has(id)) return
    opening.add(id)
    try {
      const { protocols } = await peerStore.get(peer).catch(() => ({ protocols: [] as string[] }))
      // what a peer said that ended the last stream at once may be out of date: it is asked
      const said = lost.wasShort(id) ? [] : protocols
      const spoken = internals.protocols.find((protocol) => said.includes(protocol))
      await create(peer, spoken === undefined ? connection : speaking(connection, spoken))
    } finally {
      opening.delete(id)
    }
    const opened = internals.streamsOutbound.get(id)
    if (opened === undefined) {
      if (connection.status === 'open') lost.notOpened(peer)
      return
    }
    lost.watch(peer, opened.rawStream)
    graft(internals, id)
  }
}

/** The connection, on which a stream is used before the peer has agreed to the protocol that it said it speaks. */
function speaking(connection: Connection, protocol: string): Connection {
  const newStream = async (_: string | string[], options?: NewStreamOptions): Promise<Stream> =>
    await connection.newStream(protocol, { ...options, negotiateFully: false })
  return { status: connection.status, newStream } as Partial<Connection> as Connection
}

/** What gossipsub does when a peer subscribes, for a peer that did before there was a stream to tell it. */
function graft(internals: GossipInternals, id: string): void {
  const topics = [...internals.subscriptions].filter(
    (topic) => internals.topics.get(topic)?.has(id) === true && internals.graftOnSubscribe(id, topic)
  )
  if (topics.length > 0) internals.sendGraft(id, topics)
}
