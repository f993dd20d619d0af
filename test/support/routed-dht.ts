import type { Clock, Random } from '#contracts'
import { KAD_MESSAGE } from '../../dht/query/index.ts'
import type { KadMessage, WirePeer } from '../../dht/query/index.ts'
import { compareDistance, createPeerBook, kadIdOf, nearestOf } from '../../dht/query/peer-book.ts'
import type { BookPeer, PeerBook } from '../../dht/query/peer-book.ts'
import type { QueryComponents } from '../../dht/query/run-query.ts'
import { commonPrefixBits } from '../../dht/table-refresh.ts'

/** What a {@link RoutedDht} is like. */
export interface RoutedDhtInit {
  readonly nodes: number
  readonly random: Random
  readonly clock: Clock
  /** How long an answer takes, at most. */
  readonly latencyMsMax?: number
  /** Which share of the nodes is gone, though in the tables of others. */
  readonly deadShare?: number
  /** Which share of the nodes lies: names peers that are nowhere, near whatever is asked for, and knows no provider. */
  readonly liarShare?: number
}

/** A node of a {@link RoutedDht}. */
export interface RoutedNode {
  readonly peer: BookPeer
  kind: 'honest' | 'liar' | 'dead'
  readonly table: readonly BookPeer[]
  /** The keys, in hexadecimal, announced to it, with who announced them. */
  readonly announced: Map<string, WirePeer[]>
}

/** A DHT in which every node has a routing table as a real one has, without sockets. Node 0 asks. */
export interface RoutedDht {
  readonly nodes: readonly RoutedNode[]
  readonly book: PeerBook
  /** What queries of node 0 run on. */
  readonly components: QueryComponents
  /** Every message sent, in order. */
  readonly sent: { readonly to: BookPeer; readonly type: number }[]
  /** The nodes nearest to a key that answer, node 0 left out. */
  nearest(key: Uint8Array, count?: number): BookPeer[]
}

/** How many peers share a bucket of a table, and an answer. */
const CLOSEST = 20
/** How many made-up peers liars choose from: far denser than the network. */
const PHANTOMS_PER_NODE = 8
const DEAD_AFTER_MS = 5_000

/** Makes a network. */
export function createRoutedDht(init: RoutedDhtInit): RoutedDht {
  const { random, clock } = init
  const book = createPeerBook(init.nodes * (PHANTOMS_PER_NODE + 2))
  const peerAt = (): BookPeer => book.of(Uint8Array.of(0x12, 0x20, ...random.bytes(32)))
  const peers = Array.from({ length: init.nodes }, peerAt)
  const nodes = peers.map((peer, index): RoutedNode => {
    const chance = random.unit()
    const { deadShare = 0, liarShare = 0 } = init
    const isDead = index > 0 && chance < deadShare
    const isLiar = index > 0 && !isDead && chance < deadShare + liarShare
    const kind = isDead ? 'dead' : isLiar ? 'liar' : 'honest'
    return { peer, kind, table: tableOf(peer, peers, random), announced: new Map() }
  })
  const phantoms =
    init.liarShare === undefined ? [] : Array.from({ length: init.nodes * PHANTOMS_PER_NODE }, peerAt)
  const byPeer = new Map(nodes.map((node) => [node.peer, node]))
  const sent: { to: BookPeer; type: number }[] = []
  const deliver = async (to: BookPeer, message: KadMessage, signal: AbortSignal): Promise<KadMessage> => {
    sent.push({ to, type: message.type })
    const node = byPeer.get(to)
    if (node === undefined || node.kind === 'dead') {
      await clock.sleep(DEAD_AFTER_MS, signal)
      throw new Error('nobody answers')
    }
    await clock.sleep(random.unit() * (init.latencyMsMax ?? 50), signal)
    return answerOf(node, { message, phantoms, asking: peers[0] })
  }
  const [own] = nodes
  if (own === undefined) throw new Error('expected a node')
  return {
    nodes,
    book,
    sent,
    nearest: (key, count = CLOSEST) =>
      nearestOf(
        kadIdOf(key),
        nodes.filter(({ kind, peer }) => kind !== 'dead' && peer !== own.peer).map(({ peer }) => peer),
        count
      ),
    components: {
      book,
      clock,
      table: {
        nearest: (target, count) => nearestOf(target, own.table, count),
        offer: () => undefined
      },
      transport: {
        request: deliver,
        tell: async (to, messages, signal) => {
          for (const message of messages) await deliver(to, message, signal)
        },
        isConnected: (peer) => own.table.includes(peer)
      }
    }
  }
}

function tableOf(own: BookPeer, peers: readonly BookPeer[], random: Random): BookPeer[] {
  const buckets = new Map<number, BookPeer[]>()
  for (const peer of peers) {
    if (peer === own) continue
    const bits = commonPrefixBits(own.kadId, peer.kadId)
    buckets.set(bits, [...(buckets.get(bits) ?? []), peer])
  }
  return [...buckets.values()].flatMap((bucket) =>
    bucket
      .map((peer) => ({ peer, order: random.unit() }))
      .toSorted((a, b) => a.order - b.order)
      .slice(0, CLOSEST)
      .map(({ peer }) => peer)
  )
}

function answerOf(
  node: RoutedNode,
  o: {
    readonly message: KadMessage
    readonly phantoms: readonly BookPeer[]
    readonly asking: BookPeer | undefined
  }
): KadMessage {
  const { type, key = new Uint8Array(), providers = [] } = o.message
  const place = Buffer.from(key).toString('hex')
  if (node.kind === 'liar') return { type, closer: nearestOf(kadIdOf(key), o.phantoms, CLOSEST) }
  if (type === KAD_MESSAGE.addProvider) node.announced.set(place, [...providers])
  const closer = nearestOf(
    kadIdOf(key),
    node.table.filter((peer) => peer !== o.asking),
    CLOSEST
  )
  return { type, closer, providers: node.announced.get(place) ?? [] }
}

/** Which share of the peers truly nearest to a key are in `found`. */
export function recallOf(
  found: readonly { readonly kadId: Uint8Array }[],
  truth: readonly BookPeer[]
): number {
  const isFound = ({ kadId }: BookPeer): boolean =>
    found.some((peer) => compareDistance(kadId, kadId, peer.kadId) === 0)
  return truth.filter(isFound).length / truth.length
}
