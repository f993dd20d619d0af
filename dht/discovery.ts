import type { Libp2p, PeerId, PeerInfo } from '@libp2p/interface'
import { errorMessage } from '#contracts'
import type { Clock, Logger } from '#contracts'
import { DIAL_TIMEOUT_MS, DISCOVERY_PARALLEL_DIALS, DISCOVERY_QUEUE_MAX } from './constants.ts'
import { startDeadline } from './deadline.ts'

/** Takes peers that were seen on the local network. */
export interface DiscoveryDialer extends AsyncDisposable {
  /** Dials the peer soon, unless it is connected or too many wait. */
  found(peer: PeerInfo): void
}

/** What dialling found peers needs. */
export interface DiscoveryComponents {
  readonly libp2p: Pick<Libp2p, 'dial' | 'getConnections' | 'peerStore'>
  readonly clock: Clock
  readonly logger: Logger
}

/** Dials peers as they are found: libp2p only notes them. */
export function startDiscoveryDialer(components: DiscoveryComponents): DiscoveryDialer {
  const { libp2p } = components
  const stopping = new AbortController()
  const waiting = new Map<string, PeerInfo>()
  const dials = new Set<Promise<void>>()
  const next = (): void => {
    while (dials.size < DISCOVERY_PARALLEL_DIALS && !stopping.signal.aborted) {
      const [id, peer] = waiting.entries().next().value ?? []
      if (id === undefined || peer === undefined) return
      waiting.delete(id)
      const dialling = dial(components, peer, stopping.signal).finally(() => {
        dials.delete(dialling)
        next()
      })
      dials.add(dialling)
    }
  }
  return {
    found: (peer) => {
      if (isConnected(libp2p, peer.id) || waiting.size >= DISCOVERY_QUEUE_MAX) return
      waiting.set(peer.id.toString(), peer)
      next()
    },
    [Symbol.asyncDispose]: async () => {
      stopping.abort()
      waiting.clear()
      await Promise.all(dials)
    }
  }
}

function isConnected(libp2p: Pick<Libp2p, 'getConnections'>, peerId: PeerId): boolean {
  return libp2p.getConnections(peerId).length > 0
}

async function dial(
  { libp2p, clock, logger }: DiscoveryComponents,
  peer: PeerInfo,
  signal: AbortSignal
): Promise<void> {
  using limit = startDeadline(clock, DIAL_TIMEOUT_MS, signal)
  try {
    await libp2p.peerStore.merge(peer.id, { multiaddrs: peer.multiaddrs })
    await libp2p.dial(peer.id, { signal: limit.signal })
  } catch (error) {
    logger.debug('found peer not reached', { peerId: peer.id.toString(), error: errorMessage(error) })
  }
}
