import assert from 'node:assert/strict'
import { createKeyPair } from '#did'
import { createMemoryRoomStore, MAILBOX_BOX_PEER_ITEMS_MAX } from '#rooms'
import { createPrivateDelivery, type PrivateDelivery } from '../../../node/private-delivery.ts'
import { createSeededRandom } from '../../support/seeded-random.ts'
import { createVirtualClock } from '../../support/virtual-clock.ts'

const WEEK_MS = 7 * 24 * 3_600_000
const { signal } = new AbortController()
const bob = createKeyPair(createSeededRandom(1)).did
const frame = Uint8Array.of(1)

function start(known: number): {
  /** How many keepers take a frame. */
  keepers: number
  isThere: boolean
  readonly clock: ReturnType<typeof createVirtualClock>
  restart(): PrivateDelivery
} {
  const [clock, store] = [createVirtualClock(), createMemoryRoomStore()]
  const world = {
    ...{ keepers: 3, isThere: false, clock },
    restart: () =>
      createPrivateDelivery({
        ...{ clock, store },
        host: {
          peers: () => Array.from({ length: known }, (_, index) => ({ peerId: String(index) })),
          exchange: {
            request: async () => {
              await Promise.resolve()
              if (!world.isThere) throw new Error('not reached')
              return frame
            }
          }
        },
        mailbox: { deposit: async () => await Promise.resolve(world.keepers) }
      })
  }
  return world
}

describe('the way of a private frame', () => {
  it('ends at two keepers, or at one where nobody else is known', async () => {
    const crowd = start(8)
    const deliver = crowd.restart()
    await deliver(bob, frame, { signal })
    crowd.keepers = 1
    await assert.rejects(deliver(bob, frame, { signal }), /not reached/)
    crowd.isThere = true
    await deliver(bob, frame, { signal })
    const pair = start(1)
    pair.keepers = 1
    await pair.restart()(bob, frame, { signal })
    pair.keepers = 0
    await assert.rejects(pair.restart()(bob, frame, { signal }), /not reached/)
  })

  it('is not barred for ever by peers that keep nothing', async () => {
    const crowd = start(8)
    const deliver = crowd.restart()
    crowd.keepers = 1
    for (let tries = 0; tries < 3; tries++) await assert.rejects(deliver(bob, frame, { signal }))
    await deliver(bob, frame, { signal })
    crowd.keepers = 0
    for (let tries = 0; tries < 9; tries++) await assert.rejects(deliver(bob, frame, { signal }))
  })

  it('stays with its sender while keepers have as many as they keep', async () => {
    const world = start(8)
    const deliver = world.restart()
    for (let count = 0; count < MAILBOX_BOX_PEER_ITEMS_MAX; count++) await deliver(bob, frame, { signal })
    await assert.rejects(deliver(bob, frame, { signal }))
    await assert.rejects(world.restart()(bob, frame, { signal }))
    world.clock.shiftWallClock(WEEK_MS + 24 * 3_600_000)
    await deliver(bob, frame, { signal })
  })
})
