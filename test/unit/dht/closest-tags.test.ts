import assert from 'node:assert/strict'
import { generateKeyPair } from '@libp2p/crypto/keys'
import type { PeerId } from '@libp2p/interface'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { tagWhenOthers } from '../../../dht/closest-tags.ts'
import { startStockNode } from '../../net/dht/stock-node.ts'

interface Tagger {
  readonly newPeers: { add(peer: { id: PeerId; multiaddrs: never[] }): Promise<void> }
  updatePeerTags(): Promise<void>
}

describe('tags of the nearest peers', () => {
  it('are looked at again only when others are near', async () => {
    await using stock = await startStockNode({ listen: [] })
    const { dht } = stock.services
    const { closestPeerTagger: tagger } = (dht as unknown as { routingTable: { closestPeerTagger: Tagger } })
      .routingTable
    let looks = 0
    const update = tagger.updatePeerTags.bind(tagger)
    tagger.updatePeerTags = async () => {
      looks += 1
      await update()
    }
    tagWhenOthers(dht)
    const meet = async (): Promise<PeerId> => {
      const id = peerIdFromPrivateKey(await generateKeyPair('Ed25519'))
      await tagger.newPeers.add({ id, multiaddrs: [] })
      return id
    }
    for (let count = 1; count <= 2; count += 1) {
      const id = await meet()
      for (let turn = 0; turn < 3; turn += 1) await tagger.updatePeerTags()
      assert.equal(looks, count)
      assert.ok((await stock.peerStore.get(id)).tags.has('kad-close'))
    }
  })
})
