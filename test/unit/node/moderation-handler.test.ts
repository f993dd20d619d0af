import assert from 'node:assert/strict'
import { silentLogger, systemClock, type ControlParams } from '#contracts'
import { createKeyPair } from '#did'
import { createMemoryRoomStore, startRooms, type Rooms } from '#rooms'
import { createModerationHandler } from '../../../node/control/moderation-handler.ts'
import { createRoomNetwork } from '../../support/room-network.ts'
import { createSeededRandom } from '../../support/seeded-random.ts'
import { createVirtualClock } from '../../support/virtual-clock.ts'

const random = createSeededRandom(3)
const [ann, bob] = [createKeyPair(random), createKeyPair(random)]

async function openRooms(): Promise<Rooms> {
  const clock = createVirtualClock(systemClock.nowMs())
  return await startRooms({
    ...{ signer: ann, clock, random, logger: silentLogger, store: createMemoryRoomStore() },
    transport: createRoomNetwork(clock).transport('ann')
  })
}

describe('room.moderate', () => {
  it('changes a room that this node is not in, and knows people by their petnames', async () => {
    await using rooms = await openRooms()
    const contacts = { didOf: (name: string) => (name === 'bob' ? bob.did : ann.did) }
    const handle = createModerationHandler({ rooms, contacts })
    const call = async (params: Omit<ControlParams<'room.moderate'>, 'room'>): ReturnType<typeof handle> =>
      await handle({ room: 'garden', ...params }, undefined as never)
    await call({ action: 'follow', subject: 'bob' })
    await call({ action: 'mute', subject: bob.did })
    await call({ action: 'remove', subject: `${bob.did}:7` })
    const status = await call({ action: 'list' })
    assert.deepEqual(status.followed, [bob.did])
    assert.deepEqual(
      status.lists.map(({ author, isOwn, muted, removed }) => ({ author, isOwn, muted, removed })),
      [{ author: ann.did, isOwn: true, muted: [{ did: bob.did }], removed: [`${bob.did}:7`] }]
    )
    const untilMs = systemClock.nowMs() + 3_600_000
    const timed = await call({ action: 'mute', subject: 'bob', untilMs: Math.floor(untilMs) })
    assert.deepEqual(timed.lists[0]?.muted, [{ did: bob.did, untilMs: Math.floor(untilMs) }])
    const endless = await call({ action: 'mute', subject: 'bob', untilMs: Number.MAX_SAFE_INTEGER })
    const [list] = endless.lists
    assert.deepEqual(list?.muted, [{ did: bob.did, untilMs: list?.expiresAtMs }], 'as long as the list holds')
    await call({ action: 'restore', subject: `${bob.did}:7` })
    await call({ action: 'unmute', subject: 'bob' })
    await call({ action: 'unfollow', subject: 'bob' })
    const after = await call({ action: 'list' })
    assert.deepEqual([after.followed, after.lists[0]?.muted, after.lists[0]?.removed], [[], [], []])
  })

  it('refuses what is no message and no person', async () => {
    await using rooms = await openRooms()
    const handle = createModerationHandler({ rooms, contacts: { didOf: () => bob.did } })
    for (const subject of ['nothing', `${bob.did}:x`, ':7']) {
      const params = { room: 'garden', action: 'remove', subject } as const
      await assert.rejects(async () => await handle(params, undefined as never))
    }
    const wrong = { room: 'garden', action: 'follow', subject: 'did:key:zNobody' } as const
    await assert.rejects(async () => await handle(wrong, undefined as never), { code: 'ERR_DID_INVALID' })
  })
})
