import { MessageType } from '@libp2p/kad-dht'
import type { KadDHT } from '@libp2p/kad-dht'
import type { Libp2p } from '@libp2p/interface'
import { peerIdFromString } from '@libp2p/peer-id'
import { kadNetworkOf, NO_PATH } from '../kad-network.ts'
import { placeOf } from './key-space.ts'
import type { ProvideNetwork } from './regions.ts'

/** What announcing over a kad-dht needs. */
export interface KadProvideComponents {
  readonly dht: KadDHT
  readonly libp2p: Pick<Libp2p, 'peerId' | 'getMultiaddrs'>
}

/** A kad-dht as announcing in bulk needs it. */
export function kadProvideNetwork({ dht, libp2p }: KadProvideComponents): ProvideNetwork {
  const network = kadNetworkOf(dht)
  return {
    lookup: async (key, signal) => {
      const found = []
      for await (const event of dht.getClosestPeers(key, { signal })) {
        if (event.name !== 'FINAL_PEER') continue
        const id = event.peer.id.toMultihash().bytes
        const multiaddrs = event.peer.multiaddrs.map(({ bytes }) => bytes)
        found.push({ peerId: event.peer.id.toString(), id, kadId: placeOf(id), multiaddrs })
      }
      return found
    },
    announceTo: async (peer, keys, signal) => {
      const to = peerIdFromString(typeof peer === 'string' ? peer : peer.peerId)
      const multiaddrs = libp2p.getMultiaddrs().map(({ bytes }) => bytes)
      const providers = [{ id: libp2p.peerId.toMultihash().bytes, multiaddrs }]
      let taken = 0
      for (const key of keys) {
        const message = { type: MessageType.ADD_PROVIDER, key, providers }
        let isTaken = false
        for await (const event of network.sendMessage(to, message, { signal, path: NO_PATH })) {
          if (event.name === 'PEER_RESPONSE') isTaken = true
        }
        if (!isTaken && taken === 0) throw new Error('not taken')
        if (!isTaken) break
        taken += 1
      }
      return taken
    }
  }
}
