import assert from 'node:assert/strict'
import { silentLogger } from '#contracts'
import { createKeyPair, peerIdFromDid } from '#did'
import { startRooms, type Rooms } from '#rooms'
import { createRoomNetwork } from '../../support/room-network.ts'
import { createSeededRandom } from '../../support/seeded-random.ts'
import { createVirtualClock } from '../../support/virtual-clock.ts'

describe('the rooms of a node', () => {
  const setUp = async () => {
    const clock = createVirtualClock()
    const network = createRoomNetwork(clock)
    const random = createSeededRandom(3)
    const start = async (): Promise<Rooms> => {
      const signer = createKeyPair(random)
      const transport = network.transport(peerIdFromDid(signer.did))
      return startRooms({ signer, transport, clock, random, logger: silentLogger })
    }
    const nodes = [await start(), await start()] as const
    const stop = async (): Promise<void> => {
      const stopping = Promise.all(nodes.map((rooms) => rooms[Symbol.asyncDispose]()))
      await clock.advance(5_000)
      await stopping
    }
    return { clock, nodes, stop }
  }

  it('are several at a time over one members protocol', async () => {
    const { clock, nodes, stop } = await setUp()
    const [one, two] = nodes
    const [lobby, kitchen] = [
      await one.join({ room: 'lobby', nick: 'ann' }),
      await one.join({ room: 'kitchen', nick: 'cook' })
    ]
    const others = [
      await two.join({ room: 'lobby', nick: 'bob' }),
      await two.join({ room: 'kitchen', nick: 'chef' })
    ]
    await clock.advance(2_000)
    assert.deepEqual(
      lobby.members().map(({ nick }) => nick),
      ['ann', 'bob']
    )
    assert.deepEqual(
      kitchen.members().map(({ nick }) => nick),
      ['cook', 'chef']
    )
    assert.equal(others.length, 2)
    await stop()
    assert.equal(clock.pendingCount(), 0)
  })

  it('are joined once, left, and joined again', async () => {
    const { clock, nodes, stop } = await setUp()
    const [rooms] = nodes
    const room = await rooms.join({ room: 'lobby', nick: 'ann' })
    await assert.rejects(rooms.join({ room: ' lobby', nick: 'ann' }), { code: 'ERR_ROOM_JOINED' })
    await assert.rejects(rooms.join({ room: '', nick: 'ann' }), { code: 'ERR_ROOM_NAME_INVALID' })
    await assert.rejects(rooms.join({ room: 'kitchen', nick: '' }), { code: 'ERR_NICK_INVALID' })
    await room[Symbol.asyncDispose]()
    await rooms.join({ room: 'lobby', nick: 'ann' })
    await rooms.join({ room: 'kitchen', nick: 'ann' })
    await stop()
    await assert.rejects(rooms.join({ room: 'attic', nick: 'ann' }), { code: 'ERR_ROOM_CLOSED' })
    assert.equal(clock.pendingCount(), 0)
  })
})
