import assert from 'node:assert/strict'
import type { Libp2p } from '@libp2p/interface'
import { multiaddr } from '@multiformats/multiaddr'
import { MemoryDatastore } from 'datastore-core'
import { systemRandom } from '#contracts'
import type { FoundProvider, Host } from '#dht'
import { createKeyPair } from '#did'
import { tableOf } from '../../../dht/dht-service.ts'
import { cidOf } from '../../support/memory-names.ts'
import { startTestHost, until } from './hosts.ts'
import { startStockNode } from './stock-node.ts'

const { signal } = new AbortController()

async function findersOf(host: Host, text: string): Promise<FoundProvider[]> {
  return await Array.fromAsync(host.routing.findProviders(await cidOf(text), { signal }))
}

describe('content routing', () => {
  it('a first node with nobody to tell or ask hears so at once', async () => {
    await using lone = await startTestHost()
    const cid = await cidOf('film')
    await assert.rejects(lone.routing.provide(cid), { code: 'ERR_DHT_NO_PEERS' })
    await assert.rejects(lone.routing.provideQuick(cid), { code: 'ERR_DHT_NO_PEERS' })
    assert.deepEqual(await findersOf(lone, 'film'), [])
  })

  it('two nodes that know only a seed find each other, and dial by peer id alone', async () => {
    await using seed = await startTestHost({ role: 'seed' })
    const bootstrapPeers = seed.addresses()
    await using alice = await startTestHost({ bootstrapPeers })
    await using bob = await startTestHost({ bootstrapPeers })
    // neither has joined yet: both operations wait for that by themselves
    assert.deepEqual(await alice.routing.provideQuick(await cidOf('room')), { stored: 1 })
    const [found] = await findersOf(bob, 'room')
    assert.equal(found?.peerId, alice.peerId)
    assert.deepEqual(
      found.multiaddrs.map((address) => `${address}/p2p/${alice.peerId}`),
      alice.addresses()
    )
    await bob.connect(alice.peerId)
    assert.ok(bob.peers().some(({ peerId }) => peerId === alice.peerId))
  })

  it('a quick search finds who announced quickly to the same seed, and dials nobody', async () => {
    await using seed = await startTestHost({ role: 'seed' })
    const bootstrapPeers = seed.addresses()
    await using stack = new AsyncDisposableStack()
    for (let count = 0; count < 4; count += 1) {
      const stranger = stack.use(await startTestHost({ bootstrapPeers }))
      await stranger.ready(signal)
    }
    await using alice = await startTestHost({ bootstrapPeers })
    await alice.routing.provideQuick(await cidOf('room'), { transient: true })
    await using bob = await startTestHost({ bootstrapPeers })
    const dialed = new Set<string>()
    bob.libp2p.addEventListener('connection:open', ({ detail }) => {
      if (detail.direction === 'outbound') dialed.add(detail.remotePeer.toString())
    })
    const cid = await cidOf('room')
    const found = await Array.fromAsync(bob.routing.findProviders(cid, { signal, quick: true }))
    assert.deepEqual(
      found.map(({ peerId }) => peerId),
      [alice.peerId]
    )
    assert.deepEqual([...dialed], [seed.peerId])
  })

  it('tells of who answered, also where nobody names a provider', async () => {
    await using seed = await startTestHost({ role: 'seed' })
    await using asker = await startTestHost({ bootstrapPeers: seed.addresses() })
    const search = async (quick: boolean): Promise<readonly string[]> => {
      const answered = new Set<string>()
      const onAnswer = (peerId: string): void => void answered.add(peerId)
      const cid = await cidOf('unheard of')
      const found = await Array.fromAsync(asker.routing.findProviders(cid, { signal, quick, onAnswer }))
      assert.deepEqual(found, [])
      return [...answered]
    }
    assert.deepEqual(await search(true), [seed.peerId])
    assert.deepEqual(await search(false), [seed.peerId])
    await seed[Symbol.asyncDispose]()
    assert.deepEqual(await search(true), [])
  })

  it('yields each provider once and never the asker', async () => {
    await using seed = await startTestHost({ role: 'seed' })
    const bootstrapPeers = seed.addresses()
    await using stack = new AsyncDisposableStack()
    const hosts: Host[] = []
    for (let count = 0; count < 4; count += 1) {
      const host = stack.use(await startTestHost({ bootstrapPeers }))
      await host.routing.provide(await cidOf('song'))
      hosts.push(host)
    }
    const [asker, ...others] = hosts
    assert.ok(asker)
    const found = (await findersOf(asker, 'song')).map(({ peerId }) => peerId)
    assert.deepEqual(found.toSorted(), others.map(({ peerId }) => peerId).toSorted())
  })

  it('announces what nobody was there to hear as soon as somebody comes', async () => {
    await using early = await startTestHost()
    await assert.rejects(early.routing.provide(await cidOf('early')), { code: 'ERR_DHT_NO_PEERS' })
    await using late = await startTestHost({ role: 'seed', bootstrapPeers: early.addresses() })
    await using asker = await startTestHost({ bootstrapPeers: late.addresses() })
    await until(async () => (await findersOf(asker, 'early')).some(({ peerId }) => peerId === early.peerId))
  })

  it('announces again after a restart at another address, but neither what was forgotten nor what was transient', async () => {
    const datastore = new MemoryDatastore()
    const keyPair = createKeyPair(systemRandom)
    {
      await using first = await startTestHost({ role: 'seed' })
      await using host = await startTestHost({ datastore, keyPair, bootstrapPeers: first.addresses() })
      for (const text of ['kept', 'forgotten']) await host.routing.provide(await cidOf(text))
      await host.routing.provide(await cidOf('transient'), { transient: true })
      await host.routing.forget(await cidOf('forgotten'))
    }
    // another seed, which has never heard of any of them
    await using second = await startTestHost({ role: 'seed' })
    await using host = await startTestHost({ datastore, keyPair, bootstrapPeers: second.addresses() })
    await until(async () => (await findersOf(second, 'kept')).length > 0)
    assert.equal((await findersOf(second, 'kept'))[0]?.peerId, host.peerId)
    assert.deepEqual(await findersOf(second, 'forgotten'), [])
    const heldBySecond = await findersOf(second, 'transient')
    // the node itself still answers for it, but told nobody
    assert.ok(heldBySecond.every(({ peerId }) => peerId === host.peerId))
  })

  it('ends with the reason of the caller who gave up', async () => {
    await using seed = await startTestHost({ role: 'seed' })
    await using host = await startTestHost({ bootstrapPeers: seed.addresses() })
    const reason = new Error('enough')
    const cid = await cidOf('x')
    await assert.rejects(host.routing.provide(cid, { signal: AbortSignal.abort(reason) }), reason)
    await assert.rejects(
      Array.fromAsync(host.routing.findProviders(cid, { signal: AbortSignal.abort(reason) })),
      reason
    )
  })

  it('stock kad-dht: who is gone stays in the routing table; ours: is taken out when asked in vain', async () => {
    await using seed = await startTestHost({ role: 'seed' })
    await using stock = await startStockNode()
    await using ours = await startTestHost({ bootstrapPeers: seed.addresses() })
    const gone = await startTestHost({ bootstrapPeers: seed.addresses() })
    const tables = [tableOf(stock.services.dht), tableOf(ours.libp2p.services.dht)] as const
    await stock.dial(seed.addresses().map((address) => multiaddr(address)))
    await stock.dial(gone.addresses().map((address) => multiaddr(address)))
    await ours.connect(gone.peerId)
    await until(() => tables.every((table) => table.peerIds().includes(gone.peerId)))
    await gone[Symbol.asyncDispose]()
    const isConnected = (node: Libp2p): boolean =>
      node.getConnections().some(({ remotePeer }) => remotePeer.toString() === gone.peerId)
    await until(() => ![stock, ours.libp2p].some(isConnected))
    for (const { services } of [stock, ours.libp2p]) {
      await Array.fromAsync(services.dht.findProviders(await cidOf('anything')))
    }
    assert.ok(tables[0].peerIds().includes(gone.peerId))
    await until(() => !tables[1].peerIds().includes(gone.peerId))
    assert.ok(tables[1].peerIds().includes(seed.peerId))
  })

  it('a seed, which asks nobody, takes out who is gone and keeps who only hung up', async () => {
    await using seed = await startTestHost({ role: 'seed' })
    const bootstrapPeers = seed.addresses()
    await using stays = await startTestHost({ bootstrapPeers })
    const gone = await startTestHost({ bootstrapPeers })
    await until(() => seed.reachability().tableSize === 2)
    await stays.libp2p.hangUp(seed.libp2p.peerId)
    await gone[Symbol.asyncDispose]()
    await until(() => seed.reachability().tableSize === 1)
    assert.deepEqual(tableOf(seed.libp2p.services.dht).peerIds(), [stays.peerId])
  })
})
