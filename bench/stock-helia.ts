import { withBitswap } from '@helia/bitswap'
import { withLibp2pLight, type HeliaWithLibp2p } from '@helia/libp2p'
import type { ServiceMap } from '@libp2p/interface'
import { MemoryDatastore } from 'datastore-core'
import { createHeliaLight } from 'helia'
import { testLibp2pInit } from '../test/net/content/exchange-nodes.ts'

/** A store for the blocks of a Helia. */
export type HeliaStore = NonNullable<NonNullable<Parameters<typeof createHeliaLight>[0]>['blockstore']>

/** Starts a stock Helia with bitswap on loopback. */
export async function startHelia(blockstore: HeliaStore): Promise<HeliaWithLibp2p<ServiceMap>> {
  const bare = createHeliaLight({ blockstore, datastore: new MemoryDatastore() })
  const helia: HeliaWithLibp2p<ServiceMap> = withBitswap(withLibp2pLight(bare, testLibp2pInit()))
  await helia.start()
  return helia
}
