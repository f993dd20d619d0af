import { createHash } from 'node:crypto'
import type { Libp2p, PeerId } from '@libp2p/interface'
import { MessageType } from '@libp2p/kad-dht'
import type { KadDHT, QueryEvent } from '@libp2p/kad-dht'
import { peerIdFromString } from '@libp2p/peer-id'
import type { CID } from 'multiformats/cid'
import { QUICK_PROVIDE_PEERS } from './constants.ts'
import type { DhtTable } from './dht-service.ts'

/** What kad-dht has beyond its declared interface; held by the tests of `provideQuick`. */
interface KadInternals {
  readonly network: {
    sendMessage(to: PeerId, message: object, options: object): AsyncIterable<QueryEvent>
  }
}

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
  const { network } = dht as unknown as KadInternals
  return async (cid, signal) => {
    const key = cid.multihash.bytes
    const kadId = createHash('sha256').update(key).digest()
    const multiaddrs = libp2p.getMultiaddrs().map(({ bytes }) => bytes)
    const message = {
      type: MessageType.ADD_PROVIDER,
      key,
      providers: [{ id: libp2p.peerId.toMultihash().bytes, multiaddrs }]
    }
    const path = { index: -1, queued: 0, running: 0, total: 0 }
    const send = async (peerId: string): Promise<void> => {
      for await (const event of network.sendMessage(peerIdFromString(peerId), message, { signal, path })) {
        if (event.name === 'PEER_RESPONSE') return
      }
      throw new Error('not taken')
    }
    const sent = await Promise.allSettled(table.closest(kadId, QUICK_PROVIDE_PEERS).map(send))
    return sent.filter(({ status }) => status === 'fulfilled').length
  }
}
