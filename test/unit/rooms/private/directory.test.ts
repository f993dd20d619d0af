import assert from 'node:assert/strict'
import { silentLogger } from '#contracts'
import { createKeyPair, encodeCanonical, peerIdFromDid, type KeyPair } from '#did'
import { createMemoryRoomStore, createPrekeyDepot, startPrekeyNetwork, type PrekeyNetwork } from '#rooms'
import { PREKEYS_BURST, PREKEYS_EVERY_MS } from '../../../../rooms/constants.ts'
import { PREKEYS_EXCHANGE } from '../../../../rooms/private/constants.ts'
import { createRoomNetwork, type RoomNetwork } from '../../../support/room-network.ts'
import { createSeededRandom } from '../../../support/seeded-random.ts'
import { createVirtualClock, type VirtualClock } from '../../../support/virtual-clock.ts'

const random = createSeededRandom(1)
const [seed, ann, bob] = [createKeyPair(random), createKeyPair(random), createKeyPair(random)]

interface World extends AsyncDisposable {
  readonly clock: VirtualClock
  readonly network: RoomNetwork
  readonly prekeys: PrekeyNetwork
}

async function start(): Promise<World> {
  const clock = createVirtualClock()
  const network = createRoomNetwork(clock)
  const depot = createPrekeyDepot({ store: createMemoryRoomStore(), clock })
  const transport = network.transport(peerIdFromDid(seed.did))
  const prekeys = await startPrekeyNetwork({
    ...{ transport, depot, own: seed.did, clock, logger: silentLogger },
    candidates: () => []
  })
  return { clock, network, prekeys, [Symbol.asyncDispose]: async () => await prekeys[Symbol.asyncDispose]() }
}

async function asker({ network, clock }: World, key: KeyPair): Promise<(times: number) => Promise<number>> {
  const { signal } = new AbortController()
  const transport = network.transport(peerIdFromDid(key.did))
  const seedPeer = { peerId: peerIdFromDid(seed.did), multiaddrs: [] }
  await Promise.all([transport.connect(seedPeer, { signal }), clock.advance(100)])
  const bytes = encodeCanonical({ kind: 'take', person: bob.did, except: [] })
  return async (times) => {
    const asked = Array.from({ length: times }, async () =>
      transport.request(seedPeer.peerId, PREKEYS_EXCHANGE, bytes, { signal, responseBytesMax: 1_024 })
    )
    const [results] = await Promise.all([Promise.allSettled(asked), clock.advance(100)])
    return results.filter(({ status }) => status === 'fulfilled').length
  }
}

describe('who gives out prekeys', () => {
  it('answers one peer no more often than it may ask, and others all the same', async () => {
    await using world = await start()
    const eve = await asker(world, ann)
    assert.equal(await eve(PREKEYS_BURST + 10), PREKEYS_BURST)
    assert.equal(await (await asker(world, bob))(1), 1)
    await world.clock.advance(PREKEYS_EVERY_MS)
    assert.equal(await eve(2), 1)
  })

  it('stops while a dial that hears of nothing hangs', async () => {
    await using world = await start()
    const { network, clock } = world
    const transport = {
      ...network.transport(peerIdFromDid(ann.did)),
      connect: async () => await Promise.withResolvers<never>().promise,
      findProviders: async function* () {
        yield await Promise.resolve({ peerId: peerIdFromDid(seed.did), multiaddrs: [] })
      }
    }
    const depot = createPrekeyDepot({ store: createMemoryRoomStore(), clock })
    await using prekeys = await startPrekeyNetwork({
      ...{ transport, depot, own: ann.did, clock, logger: silentLogger },
      candidates: () => []
    })
    const stopping = new AbortController()
    const taking = prekeys.take(bob.did, { signal: stopping.signal })
    const refused = assert.rejects(taking, /stopped/)
    await clock.advance(100)
    stopping.abort(new Error('stopped'))
    await refused
  })
})
