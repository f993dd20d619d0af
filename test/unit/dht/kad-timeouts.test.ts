import assert from 'node:assert/strict'
import { generateKeyPair } from '@libp2p/crypto/keys'
import type { AbortOptions, PeerId } from '@libp2p/interface'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { MemoryDatastore } from 'datastore-core'
import { Key } from 'interface-datastore'
import { systemClock } from '#contracts'
import { limitPing } from '../../../dht/kad-ping.ts'
import { contentKey } from '../../../dht/provider-guard.ts'
import { cidOf } from '../../support/memory-names.ts'
import { startStockNode } from '../../net/dht/stock-node.ts'

/** A peer that takes a ping and never answers: only the signal ends it. */
async function silent(_peer: PeerId, options?: AbortOptions): Promise<number> {
  const { promise, reject } = Promise.withResolvers<number>()
  options?.signal?.addEventListener('abort', () => {
    reject(options.signal?.reason)
  })
  return await promise
}

interface TableInternals {
  readonly routingTable: {
    readonly kb: { get(kadId: Uint8Array): unknown }
    readonly components: { ping: { ping: typeof silent } }
    pingOldContacts(contacts: object[]): AsyncIterable<{ peerId: PeerId }>
  }
  readonly reprovider: { readonly reprovideQueue: { readonly running: number } }
}

/** How long the stock code gets for what it says takes it 20 ms. */
const PATIENCE_MS = 500

describe('time limits of kad-dht', () => {
  it('stock kad-dht: an old contact that says nothing is pinged for ever; ours: it is given up', async () => {
    await using stock = await startStockNode({
      listen: [],
      dht: { pingOldContactTimeout: { minTimeout: 20, maxTimeout: 20 } }
    })
    const { routingTable } = stock.services.dht as unknown as TableInternals
    const peerId = peerIdFromPrivateKey(await generateKeyPair('Ed25519'))
    const contact = { peerId, kadId: new Uint8Array(32), lastPing: 0 }
    routingTable.kb.get = () => contact
    const evict = async (): Promise<string> => {
      for await (const evicted of routingTable.pingOldContacts([contact])) return evicted.peerId.toString()
      return 'nobody'
    }
    routingTable.components.ping = { ping: silent }
    const pending = evict()
    const outcome = await Promise.race([pending, systemClock.sleep(PATIENCE_MS).then(() => 'still waiting')])
    assert.equal(outcome, 'still waiting')

    const limited = limitPing({ ping: silent }, systemClock, 20)
    await assert.rejects(limited.ping(peerId), { code: 'ERR_DHT_TIMEOUT' })
  })

  it('stock kad-dht: announcing again to nobody never ends (ours: see reprovider)', async () => {
    const datastore = new MemoryDatastore()
    const cid = await cidOf('film')
    await using stock = await startStockNode({
      listen: [],
      datastore,
      dht: {
        allowQueryWithZeroPeers: false,
        // the time limit is not in the declared options, but it is read
        reprovide: Object.assign({ interval: 20 }, { timeout: { minTimeout: 20, maxTimeout: 20 } })
      }
    })
    const { reprovider } = stock.services.dht as unknown as TableInternals
    await datastore.put(
      new Key(`/elastos-dht/provider/${contentKey(cid)}/${stock.peerId.toString()}`),
      Uint8Array.of(0)
    )
    await systemClock.sleep(PATIENCE_MS)
    assert.equal(reprovider.reprovideQueue.running, 1)
  })
})
