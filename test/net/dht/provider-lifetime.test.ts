import assert from 'node:assert/strict'
import fakeTimers from '@sinonjs/fake-timers'
import type { Libp2p } from '@libp2p/interface'
import type { KadDHT } from '@libp2p/kad-dht'
import { peerIdFromString } from '@libp2p/peer-id'
import { multiaddr } from '@multiformats/multiaddr'
import { systemRandom } from '#contracts'
import { createKeyPair, peerIdFromDid } from '#did'
import { cidOf } from '../../support/memory-names.ts'
import { startTestHost, until } from './hosts.ts'
import { startStockNode } from './stock-node.ts'

const HOUR_MS = 3_600_000
const ADDRESS = multiaddr('/ip4/127.0.0.1/tcp/4001')

/** Moves the date, and only the date, forward while `task` runs; real timers go on. */
async function later<T>(byMs: number, task: () => Promise<T>): Promise<T> {
  const clock = fakeTimers.install({ now: Date.now() + byMs, toFake: ['Date'], ignoreMissingTimers: true })
  try {
    return await task()
  } finally {
    clock.uninstall()
  }
}

type DhtNode = Libp2p<{ dht: KadDHT }>

/** How many providers a server names when it is asked over the wire, `undefined` when it fails to answer. */
async function providersNamedBy(server: DhtNode, contentText: string): Promise<number | undefined> {
  await using client = await startStockNode({ dht: { clientMode: true } })
  await client.dial(server.getMultiaddrs())
  await until(
    () => (client.services.dht as unknown as { routingTable: { size: number } }).routingTable.size > 0
  )
  let named: number | undefined
  for await (const event of client.services.dht.findProviders(await cidOf(contentText))) {
    if (event.name === 'PEER_RESPONSE' && event.from.equals(server.peerId)) named = event.providers.length
  }
  return named
}

async function provideTo(server: DhtNode, contentText: string): Promise<void> {
  await using provider = await startStockNode({ dht: { clientMode: true } })
  await provider.dial(server.getMultiaddrs())
  await until(
    () => (provider.services.dht as unknown as { routingTable: { size: number } }).routingTable.size > 0
  )
  let stored = 0
  for await (const event of provider.services.dht.provide(await cidOf(contentText))) {
    if (event.name === 'PEER_RESPONSE' && event.messageName === 'ADD_PROVIDER') stored += 1
  }
  assert.equal(stored, 1)
}

describe('how long provider records serve', () => {
  it('stock kad-dht: no provider is named after one hour; ours: named for 48 hours, and not after', async () => {
    await using stock = await startStockNode()
    await using ours = await startTestHost()
    for (const server of [stock, ours.libp2p]) {
      await provideTo(server, 'film')
      assert.equal(await providersNamedBy(server, 'film'), 1)
    }
    await later(1.1 * HOUR_MS, async () => {
      assert.equal(await providersNamedBy(stock, 'film'), 0)
      assert.equal(await providersNamedBy(ours.libp2p, 'film'), 1)
    })
    await later(7 * HOUR_MS, async () => {
      assert.equal(await providersNamedBy(stock, 'film'), undefined, 'the stream is reset')
      assert.equal(await providersNamedBy(ours.libp2p, 'film'), 1)
    })
    await later(47.5 * HOUR_MS, async () => {
      assert.equal(await providersNamedBy(ours.libp2p, 'film'), 1)
    })
    await later(48.5 * HOUR_MS, async () => {
      assert.equal(await providersNamedBy(ours.libp2p, 'film'), 0)
    })
  })

  it('stock kad-dht: a record past 48 hours is still answered with; ours: it is not', async () => {
    // with ages that keep addresses for ever, so that only the age of the record is at stake
    await using stock = await startStockNode({ peerStore: { maxAddressAge: Infinity, maxPeerAge: Infinity } })
    await using ours = await startTestHost()
    for (const server of [stock, ours.libp2p]) await provideTo(server, 'film')
    await later(30 * 24 * HOUR_MS, async () => {
      assert.equal(await providersNamedBy(stock, 'film'), 1)
      assert.equal(await providersNamedBy(ours.libp2p, 'film'), 0)
    })
  })

  it('stock peer store: an address named anew still dies of its first age; ours: it lives on', async () => {
    await using stock = await startStockNode({
      peerStore: { maxAddressAge: 48 * HOUR_MS, maxPeerAge: 72 * HOUR_MS }
    })
    await using ours = await startTestHost()
    const peer = peerIdFromString(peerIdFromDid(createKeyPair(systemRandom).did))
    const addressesOf = async ({ peerStore }: Libp2p): Promise<number> =>
      (await peerStore.get(peer)).addresses.length
    const named = async (): Promise<void> => {
      for (const { peerStore } of [stock, ours.libp2p]) await peerStore.merge(peer, { multiaddrs: [ADDRESS] })
    }
    await named()
    await later(24 * HOUR_MS, named)
    await later(47 * HOUR_MS, named)
    await later(50 * HOUR_MS, async () => {
      assert.equal(await addressesOf(stock), 0)
      assert.equal(await addressesOf(ours.libp2p), 1)
      // naming it once more does not help there either
      await named()
      assert.equal(await addressesOf(stock), 0)
    })
    await later(130 * HOUR_MS, async () => {
      await assert.rejects(addressesOf(ours.libp2p), { name: 'NotFoundError' })
    })
  })
})
