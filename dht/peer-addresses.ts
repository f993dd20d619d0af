import type { AbortOptions, Peer, PeerData, PeerId, PeerStore } from '@libp2p/interface'
import type { Clock } from '#contracts'
import { ADDRESS_RENEWAL_MS, ADDRESS_RENEWALS_MAX } from './constants.ts'

/** The part of a peer store that is mended. */
type WritableStore = Pick<PeerStore, 'get' | 'has' | 'merge' | 'patch'>

/** What the renewal of addresses needs. */
export interface AddressRenewalInit {
  /** Our own peer id: the peer store keeps our own addresses whatever their age. */
  readonly ownPeerId: string
  readonly clock: Pick<Clock, 'nowMs'>
}

/**
 * Makes a peer store mark addresses as seen when somebody names them anew.
 *
 * libp2p's peer store keeps the time an address was *first* seen, whoever names it later, and hides it for good once that
 * is `maxAddressAge` ago. A peer that stays at one address would become unreachable by id, and its provider records
 * useless, for as long as it lives. An address that is taken out and put in again gets a new time, so that is what is
 * done, at most once in a while for each peer.
 */
export function renewAddresses(store: WritableStore, { ownPeerId, clock }: AddressRenewalInit): void {
  const merge = store.merge.bind(store)
  const patch = store.patch.bind(store)
  const renewals = new Map<string, number>()

  const isDue = async (peerId: PeerId, data: PeerData): Promise<boolean> => {
    const id = peerId.toString()
    if (namedAddresses(data).size === 0 || id === ownPeerId) return false
    const nowMs = clock.nowMs()
    if (nowMs - (renewals.get(id) ?? 0) < ADDRESS_RENEWAL_MS) return false
    // inserted last, so that the first key is the peer renewed longest ago
    renewals.delete(id)
    renewals.set(id, nowMs)
    if (renewals.size > ADDRESS_RENEWALS_MAX) renewals.delete(renewals.keys().next().value ?? id)
    return await store.has(peerId)
  }

  store.patch = async (peerId: PeerId, data: PeerData, options?: AbortOptions): Promise<Peer> => {
    if (await isDue(peerId, data)) await patch(peerId, { addresses: [] }, options)
    return await patch(peerId, data, options)
  }
  store.merge = async (peerId: PeerId, data: PeerData, options?: AbortOptions): Promise<Peer> => {
    if (await isDue(peerId, data)) {
      const named = namedAddresses(data)
      const { addresses } = await store.get(peerId, options)
      const others = addresses.filter(({ multiaddr }) => !named.has(multiaddr.toString()))
      await patch(peerId, { addresses: others }, options)
    }
    return await merge(peerId, data, options)
  }
}

function namedAddresses({ multiaddrs = [], addresses = [] }: PeerData): Set<string> {
  return new Set([...multiaddrs, ...addresses.map(({ multiaddr }) => multiaddr)].map(String))
}
