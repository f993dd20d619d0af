import type { Libp2p } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'
import { errorMessage, orAborted } from '#contracts'
import type { Clock, Logger, Random } from '#contracts'
import {
  DIAL_TIMEOUT_MS,
  JOIN_ENOUGH_PEERS,
  JOIN_FILL_TIMEOUT_MS,
  JOIN_PARALLEL_DIALS,
  JOIN_RETRY_MS_MAX,
  JOIN_RETRY_MS_MIN
} from './constants.ts'
import { startDeadline } from './deadline.ts'
import type { DhtTable } from './dht-service.ts'
import { DhtError } from './errors.ts'
import { parseAddress } from './reach.ts'

/** A peer to start from, with the addresses it was last known at. */
export interface StartingPeer {
  readonly peerId: string
  readonly multiaddrs: readonly Multiaddr[]
}

/** What joining is made of. */
export interface JoinerComponents {
  readonly libp2p: Pick<
    Libp2p,
    'dial' | 'peerId' | 'peerStore' | 'getConnections' | 'addEventListener' | 'removeEventListener'
  >
  readonly table: DhtTable
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
}

/** Whom to join through. */
export interface JoinerInit {
  readonly seeds: readonly StartingPeer[]
  /** Peers that earlier runs met, asked for anew each round. */
  readonly knownPeers: () => Promise<readonly StartingPeer[]>
}

/** Keeps a node in the network: dials seeds and known peers whenever it has nobody. */
export interface Joiner extends AsyncDisposable {
  /** How many of the seeds have answered at least once. */
  seedsReached(): number
  /** How many peers of earlier runs there are to try. */
  knownPeerCount(): number
  /**
   * Resolves with the size of the routing table as soon as it has a peer, or with 0 once everybody was tried in vain.
   *
   * @throws the reason of `signal`
   */
  whenJoined(signal: AbortSignal): Promise<number>
}

/**
 * Reads the address of a seed or a peer to start from.
 *
 * @throws {@link DhtError} `ERR_ADDRESS_INVALID` when it is no multiaddr that ends with the peer's id
 */
export function parseStartingPeer(text: string): StartingPeer {
  const address = parseAddress(text)
  const last = address.getComponents().at(-1)
  if (last?.name !== 'p2p' || last.value === undefined) {
    const message = `expected a multiaddr that ends with /p2p/ and a peer id, got ${JSON.stringify(text.slice(0, 160))}`
    throw new DhtError('ERR_ADDRESS_INVALID', message)
  }
  return { peerId: last.value, multiaddrs: [address] }
}

/** Starts joining in the background. */
export function startJoiner(components: JoinerComponents, init: JoinerInit): Joiner {
  const stopping = new AbortController()
  const round: Round = { seedsReached: new Set(), knownPeerCount: 0, settled: Promise.withResolvers() }
  const added = components.table.onAdd(() => {
    round.settled.resolve()
  })
  const running = run({ ...components, ...init, round, signal: stopping.signal }).catch((error: unknown) => {
    if (!stopping.signal.aborted) {
      components.logger.error('joining stopped', { error: errorMessage(error) })
    }
  })
  return {
    seedsReached: () => round.seedsReached.size,
    knownPeerCount: () => round.knownPeerCount,
    whenJoined: async (signal) => {
      signal.throwIfAborted()
      if (components.table.size() === 0) await orAborted(round.settled.promise, signal)
      return components.table.size()
    },
    [Symbol.asyncDispose]: async () => {
      stopping.abort()
      added[Symbol.dispose]()
      await running
      round.settled.resolve()
    }
  }
}

interface Round {
  readonly seedsReached: Set<string>
  knownPeerCount: number
  /** Resolves with the first peer in the table or at the end of a round that found nobody. */
  settled: PromiseWithResolvers<void>
}

interface Context extends JoinerComponents, JoinerInit {
  readonly round: Round
  readonly signal: AbortSignal
}

async function run(context: Context): Promise<void> {
  const { table, libp2p, round, signal, random, logger } = context
  const isAlone = (): boolean => table.size() === 0 || libp2p.getConnections().length === 0
  let retryMs = JOIN_RETRY_MS_MIN
  for (let first = true; !signal.aborted; first = false) {
    if (first || isAlone()) {
      if (!first && table.size() === 0) round.settled = Promise.withResolvers()
      const reached = await joinOnce(context)
      if (reached > 0) await untilFilled(context)
      else logger.debug('nobody reached', { seeds: context.seeds.length, knownPeers: round.knownPeerCount })
      round.settled.resolve()
    }
    const waitMs = isAlone() ? retryMs : JOIN_RETRY_MS_MAX
    retryMs = isAlone() ? Math.min(retryMs * 2, JOIN_RETRY_MS_MAX) : JOIN_RETRY_MS_MIN
    // jitter, so that a network that lost its seeds does not come back all at once
    await untilAlone(context, waitMs * (0.75 + random.unit() / 2))
  }
}

/** Dials seeds, then known peers, until there are enough; the result is how many answered. */
async function joinOnce(context: Context): Promise<number> {
  const { libp2p, seeds, round, table } = context
  const known = await context.knownPeers()
  round.knownPeerCount = known.length
  const connected = new Set(libp2p.getConnections().map(({ remotePeer }) => remotePeer.toString()))
  const own = libp2p.peerId.toString()
  const queue = [...seeds, ...known].filter(({ peerId }) => peerId !== own && !connected.has(peerId))
  let reached = connected.size
  const worker = async (): Promise<void> => {
    for (let peer = queue.shift(); peer !== undefined; peer = queue.shift()) {
      if (context.signal.aborted) return
      if (!seeds.includes(peer) && table.size() >= JOIN_ENOUGH_PEERS) return
      if (await dial(context, peer)) reached += 1
    }
  }
  await Promise.all(Array.from({ length: JOIN_PARALLEL_DIALS }, worker))
  return reached
}

async function dial(
  { libp2p, clock, logger, seeds, round, signal }: Context,
  peer: StartingPeer
): Promise<boolean> {
  using limit = startDeadline(clock, DIAL_TIMEOUT_MS, signal)
  try {
    await libp2p.dial([...peer.multiaddrs], { signal: limit.signal })
    if (seeds.includes(peer)) round.seedsReached.add(peer.peerId)
    return true
  } catch (error) {
    logger.debug('peer not reached', { peerId: peer.peerId, error: errorMessage(error) })
    return false
  }
}

/** Waits a moment for a peer that answered to enter the routing table: it has to say first what it speaks. */
async function untilFilled(context: Context): Promise<void> {
  const { table, round, signal } = context
  if (table.size() > 0) return
  await offerConnected(context)
  const done = new AbortController()
  const alone = untilAlone(
    { ...context, signal: AbortSignal.any([signal, done.signal]) },
    JOIN_FILL_TIMEOUT_MS
  )
  try {
    await Promise.race([round.settled.promise, alone])
  } finally {
    done.abort()
  }
}

/** Suggests who is connected for the table anew: on a busy machine the first suggestion may have run out of time. */
async function offerConnected({ libp2p, table }: Context): Promise<void> {
  for (const { remotePeer } of libp2p.getConnections()) {
    const { protocols } = await libp2p.peerStore.get(remotePeer).catch(() => ({ protocols: [] as string[] }))
    if (protocols.includes(table.protocol)) table.offer(remotePeer.toString())
  }
}

/** Waits, but no longer than until the last connection is gone. */
async function untilAlone({ libp2p, clock, signal }: Context, durationMs: number): Promise<void> {
  const alone = new AbortController()
  const onDisconnect = (): void => {
    if (libp2p.getConnections().length === 0) alone.abort()
  }
  libp2p.addEventListener('peer:disconnect', onDisconnect)
  try {
    await clock.sleep(durationMs, AbortSignal.any([signal, alone.signal]))
  } catch (error) {
    if (!alone.signal.aborted) throw error
  } finally {
    libp2p.removeEventListener('peer:disconnect', onDisconnect)
  }
}
