import assert from 'node:assert/strict'
import { connect, createServer } from 'node:net'
import type { Socket } from 'node:net'
import { tcp } from '@libp2p/tcp'
import { multiaddr } from '@multiformats/multiaddr'
import { MemoryDatastore } from 'datastore-core'
import { systemRandom } from '#contracts'
import { DEFAULT_PORT } from '#dht'
import { createKeyPair, peerIdFromDid } from '#did'
import { cidOf } from '../../support/memory-names.ts'
import { startTestHost, until } from './hosts.ts'
import { startStockNode } from './stock-node.ts'

const { signal } = new AbortController()

/** Opens plain TCP connections at once and counts those that the other side speaks on. */
async function countAccepted(address: string, connectionCount: number): Promise<number> {
  const { host, port } = multiaddr(address)
    .getComponents()
    .reduce(
      (found, { name, value = '' }) => ({
        ...found,
        [name === 'tcp' ? 'port' : name === 'ip4' ? 'host' : name]: value
      }),
      {
        host: '',
        port: ''
      }
    )
  const sockets = Array.from({ length: connectionCount }, () => connect(Number(port), host))
  const accepted = await Promise.all(sockets.map(async (socket) => await isSpokenTo(socket)))
  for (const socket of sockets) socket.destroy()
  return accepted.filter(Boolean).length
}

async function isSpokenTo(socket: Socket): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>()
  socket.once('error', () => {
    resolve(false)
  })
  socket.once('close', () => {
    resolve(false)
  })
  // the listener of a libp2p connection answers the first line of multistream-select
  socket.once('data', () => {
    resolve(true)
  })
  socket.write(Buffer.from('\u0013/multistream/1.0.0\n', 'latin1'))
  return await promise
}

describe('host', () => {
  it('is the device: its peer id and did come from the key', async () => {
    const keyPair = createKeyPair(systemRandom)
    await using host = await startTestHost({ keyPair })
    assert.equal(host.did, keyPair.did)
    assert.equal(host.peerId, peerIdFromDid(keyPair.did))
    assert.match(host.addresses()[0] ?? '', new RegExp(`^/ip4/127.0.0.1/tcp/\\d+/p2p/${host.peerId}$`))
  })

  it('says at once that nobody is reachable, and which flags could help', async () => {
    await using lone = await startTestHost()
    const { tableSize, advice } = await lone.ready(signal)
    assert.equal(tableSize, 0)
    assert.deepEqual(advice[0], {
      flag: '--bootstrap ADDRESS',
      reason: 'no seed or peer to start from was given'
    })
    await using seedGone = await startTestHost()
    const bootstrapPeers = seedGone.addresses()
    await seedGone[Symbol.asyncDispose]()
    await using host = await startTestHost({ bootstrapPeers })
    assert.match((await host.ready(signal)).advice[0]?.reason ?? '', /none of 1 seeds answered/)
  })

  it('is ready, without advice, when a seed answers', async () => {
    await using seed = await startTestHost({ role: 'seed' })
    await using host = await startTestHost({ bootstrapPeers: seed.addresses() })
    const { tableSize, advice } = await host.ready(signal)
    assert.equal(tableSize, 1)
    assert.deepEqual(advice, [])
    const [peer] = host.peers()
    assert.equal(peer?.did, seed.did)
    assert.equal(peer.inTable, true)
    assert.equal(host.metrics().peers, 1)
  })

  it('takes a free port when the default one is occupied, and says so', async () => {
    // occupied by this test, unless something on this machine occupies it already
    const blocker = createServer()
    await new Promise<void>((resolve) => {
      blocker.once('error', () => {
        resolve()
      })
      blocker.listen(DEFAULT_PORT, '127.0.0.1', resolve)
    })
    try {
      await using host = await startTestHost({ port: undefined })
      assert.deepEqual(host.portFallback, { wanted: DEFAULT_PORT })
      assert.ok(!host.addresses()[0]?.includes(`/tcp/${DEFAULT_PORT}/`))
      const asked = startTestHost({ port: DEFAULT_PORT })
      await assert.rejects(asked, { code: 'ERR_HOST_LISTEN', message: /the port is occupied/ })
    } finally {
      blocker.close()
    }
  })

  it('listens for WebSockets when told, and is dialled that way', async () => {
    await using host = await startTestHost({ webSocketPort: 0 })
    const webSocket = host.addresses().find((address) => address.includes('/ws/'))
    await using other = await startTestHost()
    await other.connect(webSocket ?? 'none')
    assert.match(other.peers()[0]?.address ?? '', /\/ws/)
  })

  it('refuses what is no address, no seed, or wider than its reach', async () => {
    await using host = await startTestHost()
    await assert.rejects(host.connect('nonsense'), { code: 'ERR_ADDRESS_INVALID' })
    await assert.rejects(host.connect('/ip4/127.0.0.1/tcp/x'), { code: 'ERR_ADDRESS_INVALID' })
    await assert.rejects(startTestHost({ bootstrapPeers: ['/ip4/127.0.0.1/tcp/1'] }), {
      code: 'ERR_ADDRESS_INVALID'
    })
    await assert.rejects(startTestHost({ listen: ['/ip4/0.0.0.0/tcp/0'] }), {
      code: 'ERR_ADDRESS_OUT_OF_REACH'
    })
  })

  it('neither dials nor lets in who is denied', async () => {
    const denied = createKeyPair(systemRandom)
    await using stranger = await startTestHost({ keyPair: denied })
    await using host = await startTestHost({ isDenied: (did) => did === denied.did })
    const [address = ''] = stranger.addresses()
    await assert.rejects(host.connect(address), { code: 'ERR_PEER_DENIED' })
    // the dialler's side of a handshake may be done before the other side hangs up
    await stranger.connect(host.addresses()[0] ?? '').catch(() => undefined)
    await until(() => stranger.peers().length === 0)
    assert.deepEqual(host.peers(), [])
  })

  it('asks the limiter about each inbound connection', async () => {
    const asked: string[] = []
    const allowInbound = (remote: string): boolean => asked.push(remote) <= 1
    await using host = await startTestHost({ allowInbound })
    const address = host.addresses()[0] ?? ''
    assert.equal(await countAccepted(address, 3), 1)
    assert.equal(asked.length, 3)
    assert.match(asked[0] ?? '', /^\/ip4\/127\.0\.0\.1\/tcp\/\d+$/)
  })

  it('stock libp2p: more than five neighbours behind one address are refused; ours: all get in', async () => {
    await using stock = await startStockNode()
    assert.ok((await countAccepted(stock.getMultiaddrs()[0]?.toString() ?? '', 20)) < 20)
    await using ours = await startTestHost()
    assert.equal(await countAccepted(ours.addresses()[0] ?? '', 20), 20)
  })

  it('comes back with every seed down', async () => {
    const datastore = new MemoryDatastore()
    const keyPair = createKeyPair(systemRandom)
    await using seed = await startTestHost({ role: 'seed' })
    const bootstrapPeers = seed.addresses()
    await using neighbour = await startTestHost({ bootstrapPeers })
    await until(() => seed.reachability().tableSize === 1)
    {
      await using host = await startTestHost({ bootstrapPeers, datastore, keyPair })
      await host.connect(neighbour.peerId, AbortSignal.timeout(10_000))
      await until(() => host.reachability().tableSize === 2)
    }
    await seed[Symbol.asyncDispose]()
    // what libp2p itself remembers is not what the node comes back with: it may be off for weeks
    const remembered = new MemoryDatastore()
    for await (const { key, value } of datastore.query({ prefix: '/elastos/' }))
      await remembered.put(key, value)
    await using again = await startTestHost({ bootstrapPeers, datastore: remembered, keyPair })
    await again.ready(signal)
    assert.deepEqual(
      again.peers().map(({ peerId }) => peerId),
      [neighbour.peerId]
    )
  })

  it('joins a seed that comes up later, and again when that was restarted', async () => {
    const keyPair = createKeyPair(systemRandom)
    let seed = await startTestHost({ role: 'seed', keyPair })
    const bootstrapPeers = seed.addresses()
    const listen = bootstrapPeers.map((address) => address.slice(0, address.indexOf('/p2p/')))
    await seed[Symbol.asyncDispose]()
    await using host = await startTestHost({ bootstrapPeers })
    await host.ready(signal)
    for (let start = 0; start < 2; start += 1) {
      assert.deepEqual(host.peers(), [])
      seed = await startTestHost({ role: 'seed', keyPair, listen })
      await until(() => host.peers().length === 1)
      await seed[Symbol.asyncDispose]()
      await until(() => host.peers().length === 0)
    }
  })

  it('connects to a peer whose addresses somebody else gave, and says when it cannot', async () => {
    await using host = await startTestHost()
    await using other = await startTestHost()
    const multiaddrs = [...other.addresses(), 'nonsense']
    await host.connect({ peerId: other.peerId, multiaddrs })
    await host.connect(other.peerId)
    assert.equal(host.libp2p.getConnections().length, 1)
    const nobody = peerIdFromDid(createKeyPair(systemRandom).did)
    const dead = { peerId: nobody, multiaddrs: ['/ip4/127.0.0.1/tcp/9'] }
    await assert.rejects(host.connect(dead), { code: 'ERR_PEER_UNREACHABLE' })
  })

  it('does nothing any more once it is disposed', async () => {
    const host = await startTestHost()
    await host[Symbol.asyncDispose]()
    await host[Symbol.asyncDispose]()
    await assert.rejects(host.pubsub.publish('/elastos/x', new Uint8Array(1)), { code: 'ERR_HOST_CLOSED' })
    const asked = host.exchange.request(host.peerId, '/elastos/echo/1.0.0', new Uint8Array(1))
    await assert.rejects(asked, { code: 'ERR_HOST_CLOSED' })
    await assert.rejects(host.routing.provide(await cidOf('x')), { code: 'ERR_HOST_CLOSED' })
  })

  it('runs over transports it is given', async () => {
    await using host = await startTestHost({ transports: [tcp()] })
    await using other = await startTestHost({ transports: [tcp()], bootstrapPeers: host.addresses() })
    assert.equal((await other.ready(signal)).tableSize, 1)
  })
})
