import type { KadDHT } from '@libp2p/kad-dht'
import { TABLE_BITS } from './constants.ts'
import { commonPrefixBits } from './table-refresh.ts'

/** What dividing takes of a kad-dht's table, beyond its declared interface; held by the test of this file. */
interface DividedTable {
  /** A bucket divides while its depth is below this. */
  prefixLength: number
  readonly localPeer?: { readonly kadId: Uint8Array }
  _add(peer: { readonly kadId: Uint8Array }, options?: object): Promise<void>
}

/**
 * Lets a table divide as Kademlia's does: the bucket that we are in ourselves as deep as there are peers, others to
 * {@link TABLE_BITS}, so that a node knows those nearest to itself however large the network is.
 *
 * Stock kad-dht divides all to 6 bits and none further: 64 buckets of 20. In a network of 10,000 a node then knows an eighth of
 * its neighbours, and lookups found half of the peers nearest to a key (`sim/model`).
 *
 * @see Maymounkov and Mazieres, Kademlia (2002), 2.4 and 4.2
 */
export function divideOwnPath(dht: KadDHT): void {
  const { kb: table } = (dht as unknown as { routingTable: { kb: DividedTable } }).routingTable
  const add = table._add.bind(table)
  table.prefixLength = TABLE_BITS
  table._add = async (peer, options) => {
    const own = table.localPeer?.kadId
    const sharedBits = own === undefined ? 0 : commonPrefixBits(own, peer.kadId)
    // read at once, before anything is waited for, and set again for each peer
    table.prefixLength = Math.max(TABLE_BITS, sharedBits + 1)
    await add(peer, options)
  }
}
