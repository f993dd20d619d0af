import { createHash } from 'node:crypto'
import type { Libp2p } from '@libp2p/interface'
import { MessageType } from '@libp2p/kad-dht'
import type { KadDHT } from '@libp2p/kad-dht'
import { peerIdFromString } from '@libp2p/peer-id'
import type { CID } from 'multiformats/cid'
import { QUICK_PROVIDE_PEERS } from './constants.ts'
import type { DhtTable } from './dht-service.ts'
import { kadNetworkOf, NO_PATH } from './kad-network.ts'

/** What announcing directly needs. */
export interface DirectAnnouncementComponents {
  readonly dht: KadDHT
  readonly table: DhtTable
  readonly libp2p: Pick<Libp2p, 'peerId' | 'getMultiaddrs'>
}

/** Announces a content to a few peers and resolves with how many took it. */
export type AnnounceDirectly = (cid: CID, signal: AbortSignal) => Promise<number>

/**
 * Announces a content to those peers of the routing table that are nearest to it, without looking for nearer ones first.
 * To whom it is asked for next, who starts from the same seed, that is found at once.
 */
export function createDirectAnnouncement({
  dht,
  table,
  libp2p
}: DirectAnnouncementComponents): AnnounceDirectly {
  const network = kadNetworkOf(dht)
  return async (cid, signal) => {
    const key = cid.multihash.bytes
    const kadId = createHash('sha256').update(key).digest()
    const multiaddrs = libp2p.getMultiaddrs().map(({ bytes }) => bytes)
    const message = {
      type: MessageType.ADD_PROVIDER,
      key,
      providers: [{ id: libp2p.peerId.toMultihash().bytes, multiaddrs }]
    }
    const send = async (peerId: string): Promise<void> => {
      for await (const event of network.sendMessage(peerIdFromString(peerId), message, {
        signal,
        path: NO_PATH
      })) {
        if (event.name === 'PEER_RESPONSE') return
      }
      throw new Error('not taken')
    }
    const sent = await Promise.allSettled(table.closest(kadId, QUICK_PROVIDE_PEERS).map(send))
    return sent.filter(({ status }) => status === 'fulfilled').length
  }
}
