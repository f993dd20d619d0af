import assert from 'node:assert/strict'
import type { Host, SearchOptions } from '#dht'
import { createKeyPair, peerIdFromDid, type Did } from '#did'
import type { PoolId } from '#replication'
import { createReplicaNetwork } from '../../../node/replicas/network.ts'
import { createSeededRandom } from '../../support/seeded-random.ts'
import { createVirtualClock } from '../../support/virtual-clock.ts'

const SIGNAL = new AbortController().signal
const POOL: PoolId = 'volunteers'
const SOON_MS = 2_000
const LATER_MS = 5 * 60_000

interface World {
  readonly searches: boolean[]
  readonly find: (pool?: PoolId) => Promise<Did[]>
  readonly advance: (durationMs: number) => Promise<void>
  readonly device: Did
  /** Whether a search fails. */
  isBroken: boolean
  /** Whether nobody answers a search, which ends like one that finds nobody. */
  isSilent: boolean
  /** How many peers are known. */
  tableSize: number
}

function createWorld(): World {
  const clock = createVirtualClock()
  const { did: device } = createKeyPair(createSeededRandom(5))
  const searches: boolean[] = []
  const ownRouting = {
    findProviders: async function* (_cid: unknown, { quick = false, onAnswer }: SearchOptions) {
      searches.push(quick)
      if (world.isBroken) throw new Error('nobody answered')
      if (world.isSilent) return
      onAnswer?.(peerIdFromDid(device))
      yield await Promise.resolve({ peerId: peerIdFromDid(device), multiaddrs: [] })
    }
  }
  const host = { ownRouting, metrics: () => ({ tableSize: world.tableSize }) } as unknown as Pick<
    Host,
    'exchange' | 'metrics' | 'ownRouting'
  >
  const network = createReplicaNetwork(host, clock)
  const world: World = {
    ...{ searches, device, isBroken: false, isSilent: false, tableSize: 1 },
    find: async (pool: PoolId = POOL) => await Array.fromAsync(network.find(pool, { signal: SIGNAL })),
    advance: async (durationMs) => {
      await clock.advance(durationMs)
    }
  }
  return world
}

describe('looking for devices of a pool', () => {
  it('is a search of its own at first and from time to time, and between them asks who is near', async () => {
    const world = createWorld()
    assert.deepEqual(await world.find(), [world.device])
    await world.advance(SOON_MS)
    assert.deepEqual(await world.find(), [world.device], 'who is near names devices too')
    await world.advance(LATER_MS - SOON_MS - 1)
    await world.find()
    await world.advance(1)
    await world.find()
    await world.find()
    assert.deepEqual(world.searches, [false, true, true, false, true])
  })

  it('is a search of its own again after one that failed, or had nobody to ask', async () => {
    const world = createWorld()
    world.isBroken = true
    await assert.rejects(world.find(), /nobody answered/)
    await assert.rejects(world.find(), /nobody answered/)
    world.isBroken = false
    world.tableSize = 0
    await world.find()
    world.tableSize = 1
    await world.find()
    await world.find()
    assert.deepEqual(world.searches, [false, false, false, false, true])
  })

  it('is a search of its own again after one that nobody answered', async () => {
    const world = createWorld()
    world.isSilent = true
    assert.deepEqual(await world.find(), [])
    world.isSilent = false
    assert.deepEqual(await world.find(), [world.device])
    await world.find()
    assert.deepEqual(world.searches, [false, false, true])
  })

  it('is one for each pool, of however many', async () => {
    const world = createWorld()
    const pools = Array.from({ length: 1_025 }, (_, index) => `group ${index}`)
    for (const pool of pools) await world.find(pool)
    assert.ok(world.searches.every((isQuick) => !isQuick))
    const [first = POOL, , third = POOL] = pools
    await world.find(third)
    assert.equal(world.searches.at(-1), true)
    await world.find(first)
    assert.equal(world.searches.at(-1), false, 'forgotten, and so looked for anew')
  })
})
