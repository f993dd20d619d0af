import assert from 'node:assert/strict'
import type { Datastore } from 'interface-datastore'
import { systemRandom } from '#contracts'
import { discoveryCid } from '#dht'
import { createKeyPair } from '#did'
import { providersSeenBy, startIpfsNetwork } from '../../support/ipfs-dht.ts'
import type { IpfsNetwork } from '../../support/ipfs-dht.ts'
import { cidOf } from '../../support/memory-names.ts'
import { startTestHost, until } from './hosts.ts'

describe('finding this network through an IPFS DHT', () => {
  const { signal } = new AbortController()
  let ipfs: IpfsNetwork

  before(async () => {
    ipfs = await startIpfsNetwork(3)
  })

  after(() => ipfs[Symbol.asyncDispose]())

  it('two nodes with no seed meet, exchange a name, and tell the IPFS DHT nothing else', async () => {
    const join = { discoverIpfs: 'lan' as const, ipfsBootstrapPeers: ipfs.addresses }
    const [server] = ipfs.servers
    assert.ok(server)
    // a stranger announces itself under the same CID: it is met, and left alone
    for await (const event of server.services.dht.provide(discoveryCid())) assert.ok(event)
    await using alice = await startTestHost(join)
    await until(async () => (await providersSeenBy(server, discoveryCid())).includes(alice.peerId))
    await using bob = await startTestHost(join)
    await until(() => bob.reachability().tableSize > 0 && alice.reachability().tableSize > 0)
    assert.equal(
      bob.peers().some(({ peerId }) => peerId === alice.peerId),
      true
    )

    const publisher = createKeyPair(systemRandom)
    const value = await cidOf('met')
    await alice.names.publish(publisher, { value, signal, firstPublish: true })
    assert.equal((await bob.names.resolve(publisher.did, { signal })).value.toString(), value.toString())

    await alice.routing.provide(value, { signal })
    await alice.libp2p.contentRouting.provide(value, { signal })
    for (const each of ipfs.servers) {
      assert.deepEqual(await providersSeenBy(each, value), [])
      assert.equal(await hasRecords(each), false)
    }
  })

  it('asks and announces in the IPFS DHT, but is no server of it', async () => {
    await using host = await startTestHost({ ipfs: 'lan', ipfsBootstrapPeers: ipfs.addresses })
    const value = await cidOf('announced')
    await host.routing.provide(value, { signal })
    const [server] = ipfs.servers
    assert.ok(server)
    // an announcement is not acknowledged: the peer may still be writing it down
    await until(async () => (await providersSeenBy(server, value)).includes(host.peerId))
    await host.names.publish(createKeyPair(systemRandom), { value, signal, firstPublish: true })
    assert.equal(await hasRecords(server), true)
    assert.equal(
      host.libp2p
        .getProtocols()
        .some((protocol) => protocol.startsWith('/ipfs/') && protocol.includes('kad')),
      false
    )
  })
})

async function hasRecords(server: IpfsNetwork['servers'][number]): Promise<boolean> {
  const { datastore } = (server as unknown as { components: { datastore: Datastore } }).components
  for await (const { key } of datastore.query({ prefix: '/dht/record' })) return key !== undefined
  return false
}
