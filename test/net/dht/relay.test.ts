import assert from 'node:assert/strict'
import { PING_PROTOCOL } from '@libp2p/ping'
import { multiaddr } from '@multiformats/multiaddr'
import { systemRandom } from '#contracts'
import type { Host } from '#dht'
import { createKeyPair } from '#did'
import { startTestHost, until } from './hosts.ts'
import { startStockNode } from './stock-node.ts'

const LOOPBACK = ['/ip4/127.0.0.1/tcp/0']

/** A node that others reach through the relay alone, as behind a NAT: it announces nothing else. */
async function startHidden(relay: Host): Promise<Host> {
  const relays = relay.addresses()
  return await startTestHost({ reach: 'lan', mdns: false, listen: [], relays, bootstrapPeers: relays })
}

const relayedAddress = (host: Host): string | undefined => host.reachability().relayed[0]

describe('relay', () => {
  it('carries chat and requests between two nodes that cannot reach each other', async () => {
    await using relay = await startTestHost({ role: 'seed', reach: 'lan', mdns: false, listen: LOOPBACK })
    await using hidden = await startHidden(relay)
    await until(() => relayedAddress(hidden) !== undefined)
    await using other = await startTestHost({ reach: 'lan', mdns: false, listen: [], bootstrapPeers: [] })
    await other.connect(relayedAddress(hidden) ?? 'none')
    assert.equal(other.peers().find(({ peerId }) => peerId === hidden.peerId)?.relayed, true)

    await using _serving = await hidden.exchange.serve('/elastos/echo/1.0.0', ({ bytes }) => bytes)
    const answer = await other.exchange.request(hidden.peerId, '/elastos/echo/1.0.0', Uint8Array.of(5))
    assert.deepEqual([...answer], [5])

    const heard = Promise.withResolvers<Uint8Array>()
    using _hearing = hidden.pubsub.subscribe('/elastos/relayed', ({ bytes }) => {
      heard.resolve(bytes)
      return 'accept'
    })
    using _member = other.pubsub.subscribe('/elastos/relayed', () => 'accept')
    await other.pubsub.publishUntilHeard('/elastos/relayed', Uint8Array.of(6))
    assert.deepEqual([...(await heard.promise)], [6])
  })

  it('stock libp2p: a reservation is not made again after the relay was restarted; ours: it is', async () => {
    const keyPair = createKeyPair(systemRandom)
    const init = { role: 'seed', reach: 'lan', mdns: false, keyPair } as const
    const relay = await startTestHost({ ...init, listen: LOOPBACK })
    const [relayAddress = ''] = relay.addresses()
    const listen = [relayAddress.slice(0, relayAddress.indexOf('/p2p/'))]
    await using ours = await startHidden(relay)
    await using stock = await startStockNode({
      listen: [`${relayAddress}/p2p-circuit`],
      dht: { clientMode: true }
    })
    await until(() => stock.getMultiaddrs().length > 0 && relayedAddress(ours) !== undefined)

    await relay[Symbol.asyncDispose]()
    await until(() => stock.getMultiaddrs().length === 0 && relayedAddress(ours) === undefined)

    await using _restarted = await startTestHost({ ...init, listen })
    await until(() => relayedAddress(ours) !== undefined)
    // even when it is connected again, which it may be by itself
    await stock.dial(multiaddr(relayAddress))
    assert.deepEqual(stock.getMultiaddrs(), [])
  })

  it('is asked whether it is there while its connection is being checked too', async () => {
    await using relay = await startTestHost({ role: 'seed', reach: 'lan', mdns: false, listen: LOOPBACK })
    await using hidden = await startHidden(relay)
    await until(() => relayedAddress(hidden) !== undefined)
    const [connection] = hidden.libp2p.getConnections()
    assert.ok(connection)
    // as the connection monitor has it
    const checking = await connection.newStream(PING_PROTOCOL)
    await hidden.libp2p.services.ping.ping(connection.remotePeer, { signal: AbortSignal.timeout(10_000) })
    checking.abort(new Error('checked'))
  })

  it('refuses relays to a node that is to stay on this machine', async () => {
    await using relay = await startTestHost({ role: 'seed' })
    await using host = await startTestHost({ relays: relay.addresses(), bootstrapPeers: relay.addresses() })
    await host.ready(AbortSignal.timeout(10_000))
    assert.deepEqual(host.reachability().relayed, [])
  })
})
