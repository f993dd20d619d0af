import type { Libp2p, PeerId } from '@libp2p/interface'
import { peerIdFromString } from '@libp2p/peer-id'
import { multiaddr } from '@multiformats/multiaddr'
import { errorMessage } from '#contracts'
import type { Clock } from '#contracts'
import { didFromPeerId } from '#did'
import { CONNECT_TIMEOUT_MS, PROVIDER_ADDRESSES_MAX } from './constants.ts'
import { startDeadline } from './deadline.ts'
import { DhtError } from './errors.ts'
import { parseAddress } from './reach.ts'

/** Whom to connect to: a multiaddr, a peer id, or a peer id with the addresses somebody gave. */
export type ConnectTarget = string | { readonly peerId: string; readonly multiaddrs: readonly string[] }

/** What connecting needs. */
export interface ConnectorComponents {
  readonly libp2p: Pick<Libp2p, 'dial' | 'peerStore' | 'getConnections'>
  readonly clock: Clock
  /** Resolves when there is a peer to ask for addresses, or when it is clear that there is none. */
  readonly whenJoined: (signal: AbortSignal) => Promise<number>
  readonly isDenied?: ((did: string) => boolean) | undefined
}

/** Connects to a peer, or does nothing when there is a connection. */
export type Connect = (target: ConnectTarget, signal?: AbortSignal) => Promise<void>

/** A function that connects to peers. */
export function createConnector(components: ConnectorComponents): Connect {
  return async (target, signal) => {
    const { peerId, multiaddrs } = parseTarget(target)
    if (peerId !== undefined) checkDenied(peerId, components.isDenied)
    using limit = startDeadline(components.clock, CONNECT_TIMEOUT_MS, signal)
    try {
      await dial(components, { peerId, multiaddrs, signal: limit.signal })
    } catch (cause) {
      signal?.throwIfAborted()
      const whom = peerId ?? multiaddrs.join(', ')
      throw new DhtError('ERR_PEER_UNREACHABLE', `could not connect to ${whom}: ${errorMessage(cause)}`, {
        cause
      })
    }
  }
}

interface Target {
  /** Unknown when an address without `/p2p/…` was given. */
  readonly peerId: string | undefined
  readonly multiaddrs: readonly string[]
}

function parseTarget(target: ConnectTarget): Target {
  if (typeof target !== 'string') {
    const multiaddrs = target.multiaddrs.slice(0, PROVIDER_ADDRESSES_MAX)
    return { peerId: parsePeerId(target.peerId), multiaddrs: multiaddrs.filter(isAddress) }
  }
  if (!target.startsWith('/')) return { peerId: parsePeerId(target), multiaddrs: [] }
  const last = parseAddress(target).getComponents().at(-1)
  return { peerId: last?.name === 'p2p' ? last.value : undefined, multiaddrs: [target] }
}

function parsePeerId(text: string): string {
  try {
    return peerIdFromString(text).toString()
  } catch (cause) {
    const message = `expected a peer id or a multiaddr, got ${JSON.stringify(text.slice(0, 120))}`
    throw new DhtError('ERR_ADDRESS_INVALID', message, { cause })
  }
}

/** Addresses that others hand on are hints: one that does not parse is left out. */
function isAddress(text: string): boolean {
  try {
    return multiaddr(text).getComponents().length > 0
  } catch {
    return false
  }
}

function checkDenied(peerId: string, isDenied: ConnectorComponents['isDenied']): void {
  if (isDenied === undefined || peerIdFromString(peerId).type !== 'Ed25519') return
  if (isDenied(didFromPeerId(peerId))) {
    throw new DhtError('ERR_PEER_DENIED', `peer ${peerId} is on the deny list`)
  }
}

async function dial(
  { libp2p, whenJoined }: ConnectorComponents,
  { peerId, multiaddrs, signal }: Target & { readonly signal: AbortSignal }
): Promise<void> {
  if (peerId === undefined) {
    await libp2p.dial(multiaddrs.map(parseAddress), { signal })
    return
  }
  const id = peerIdFromString(peerId)
  if (libp2p.getConnections(id).some(({ status }) => status === 'open')) return
  // dialling by id reuses a connection or a dial under way, which dialling by address would not
  if (multiaddrs.length > 0) {
    await libp2p.peerStore.merge(id, { multiaddrs: multiaddrs.map(parseAddress) })
  } else if (!(await hasAddresses(libp2p, id))) {
    // libp2p then asks the DHT, which knows nothing yet while the node is joining
    await whenJoined(signal)
  }
  await libp2p.dial(id, { signal })
}

async function hasAddresses({ peerStore }: Pick<Libp2p, 'peerStore'>, id: PeerId): Promise<boolean> {
  const { addresses } = await peerStore.get(id).catch(() => ({ addresses: [] }))
  return addresses.length > 0
}
