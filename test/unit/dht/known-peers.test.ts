import assert from 'node:assert/strict'
import { MemoryDatastore } from 'datastore-core'
import { multiaddr } from '@multiformats/multiaddr'
import { silentLogger } from '#contracts'
import { createKeyPair, peerIdFromDid } from '#did'
import { KNOWN_PEERS_RENEW_MS, KNOWN_PEERS_SAVE_INTERVAL_MS } from '../../../dht/constants.ts'
import { startKnownPeers, type KnownPeersComponents } from '../../../dht/known-peers.ts'
import { createSeededRandom } from '../../support/seeded-random.ts'
import { createVirtualClock } from '../../support/virtual-clock.ts'

const random = createSeededRandom(11)
const [ann, bob] = [1, 2].map(() => peerIdFromDid(createKeyPair(random).did)) as [string, string]
const ADDRESSES = [{ multiaddr: multiaddr('/ip4/127.0.0.1/tcp/4001') }]

class CountingDatastore extends MemoryDatastore {
  writes = 0
  isFull = false

  override put(...given: Parameters<MemoryDatastore['put']>): ReturnType<MemoryDatastore['put']> {
    this.writes += 1
    if (this.isFull) throw new Error('no space is left')
    return super.put(...given)
  }
}

function createWorld(): {
  readonly datastore: CountingDatastore
  readonly clock: ReturnType<typeof createVirtualClock>
  readonly connected: string[]
  readonly components: KnownPeersComponents
} {
  const [datastore, clock, connected] = [new CountingDatastore(), createVirtualClock(), [ann]]
  const components = {
    ...{ datastore, clock, logger: silentLogger },
    table: { peerIds: () => [ann, bob] },
    libp2p: {
      getConnections: () => connected.map((remotePeer) => ({ remotePeer })),
      peerStore: { get: async () => await Promise.resolve({ addresses: ADDRESSES }) }
    }
  } as unknown as KnownPeersComponents
  return { datastore, clock, connected, components }
}

describe('dht/known-peers', () => {
  it('writes down who serves the DHT when that are others than before, and now and then', async () => {
    const { datastore, clock, connected, components } = createWorld()
    await using known = startKnownPeers(components)
    await clock.advance(KNOWN_PEERS_SAVE_INTERVAL_MS)
    assert.equal(datastore.writes, 1)
    await clock.advance(3 * KNOWN_PEERS_SAVE_INTERVAL_MS)
    assert.equal(datastore.writes, 1, 'nothing is new')
    connected.push(bob)
    await clock.advance(KNOWN_PEERS_SAVE_INTERVAL_MS)
    assert.equal(datastore.writes, 2)
    await clock.advance(KNOWN_PEERS_RENEW_MS)
    assert.equal(datastore.writes, 3, 'when they were last seen is new')
    const ids = (await known.startingPeers()).map(({ peerId }) => peerId)
    assert.deepEqual(ids, [ann, bob])
  })

  it('writes down soon what could not be written down', async () => {
    const { datastore, clock, components } = createWorld()
    await using known = startKnownPeers(components)
    datastore.isFull = true
    await clock.advance(2 * KNOWN_PEERS_SAVE_INTERVAL_MS)
    assert.equal(datastore.writes, 2)
    datastore.isFull = false
    await clock.advance(KNOWN_PEERS_SAVE_INTERVAL_MS)
    assert.equal((await known.startingPeers()).length, 1)
    await clock.advance(3 * KNOWN_PEERS_SAVE_INTERVAL_MS)
    assert.equal(datastore.writes, 3, 'once it is written down that is enough')
  })

  it('writes down at the end who is there then', async () => {
    const { clock, connected, components } = createWorld()
    const known = startKnownPeers(components)
    await clock.advance(KNOWN_PEERS_SAVE_INTERVAL_MS)
    connected.push(bob)
    await known[Symbol.asyncDispose]()
    await using again = startKnownPeers(components)
    assert.equal((await again.startingPeers()).length, 2)
  })
})
