import assert from 'node:assert/strict'
import { Libp2pRecord } from '@libp2p/record'
import { multiaddr } from '@multiformats/multiaddr'
import { MemoryDatastore } from 'datastore-core'
import { Key } from 'interface-datastore'
import { base32 } from 'multiformats/bases/base32'
import { systemRandom } from '#contracts'
import { nameKey, openNameRecord, sealNameRecord } from '#dht'
import { createKeyPair } from '#did'
import { cidOf } from '../../support/memory-names.ts'
import { startTestHost, until } from './hosts.ts'
import { startStockNode } from './stock-node.ts'
import type { StockNode } from './stock-node.ts'

const HOUR_MS = 3_600_000

async function putOverTheWire(client: StockNode, key: Uint8Array, value: Uint8Array): Promise<number> {
  let acknowledged = 0
  for await (const event of client.services.dht.put(key, value)) {
    if (event.name === 'PEER_RESPONSE' && event.messageName === 'PUT_VALUE') acknowledged += 1
  }
  return acknowledged
}

describe('DHT records between real nodes', () => {
  const publisher = createKeyPair(systemRandom)
  const key = nameKey(publisher.did)
  const diskKey = new Key(`/elastos-dht/record/${base32.baseEncode(key)}`)
  const record = async (sequence: bigint): Promise<Uint8Array> => {
    const value = await cidOf(`version ${sequence}`)
    return (await sealNameRecord(publisher, { value, sequence, validUntilMs: Date.now() + HOUR_MS })).bytes
  }
  const heldSequence = async (datastore: MemoryDatastore): Promise<bigint> => {
    const held = Libp2pRecord.deserialize(await datastore.get(diskKey))
    return openNameRecord(publisher.did, held.value, Date.now()).sequence
  }
  const offer = async (server: { addresses: string[] }, sequences: readonly bigint[]): Promise<number[]> => {
    const acknowledged: number[] = []
    for (const sequence of sequences) {
      // a client of its own for each: kad-dht also keeps what it puts, and would compare with that
      await using client = await startStockNode({ dht: { clientMode: true } })
      const [address = ''] = server.addresses
      await client.dial(multiaddr(address))
      await until(
        () => (client.services.dht as unknown as { routingTable: { size: number } }).routingTable.size > 0
      )
      acknowledged.push(await putOverTheWire(client, key, await record(sequence)))
    }
    return acknowledged
  }

  it('stock kad-dht: an older record replaces a newer one; ours: it is refused', async () => {
    const stockStore = new MemoryDatastore()
    await using stock = await startStockNode({ datastore: stockStore })
    const stockAnswers = await offer({ addresses: stock.getMultiaddrs().map(String) }, [2n, 1n])
    assert.deepEqual(stockAnswers, [1, 1])
    assert.equal(await heldSequence(stockStore), 1n)

    const ourStore = new MemoryDatastore()
    await using ours = await startTestHost({ datastore: ourStore })
    const ourAnswers = await offer({ addresses: ours.addresses() }, [2n, 1n, 2n, 3n])
    assert.deepEqual(ourAnswers, [1, 0, 1, 1])
    assert.equal(await heldSequence(ourStore), 3n)
  })
})
