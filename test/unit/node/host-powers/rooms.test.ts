import assert from 'node:assert/strict'
import { errorCode } from '#contracts'
import type { ProviderRequest } from '#capsule-host'
import type { Room, RoomEvent, RoomInit } from '#rooms'
import { createRoomsPower } from '../../../../node/host-powers/rooms.ts'

const DID = 'did:key:z6MkpTHR8VNsBxYAAWHut2Geadd9jSwuBV8xRoAnwWsdvktH'

/** Rooms in which what one says comes back as an event. */
class EchoRooms {
  readonly left: string[] = []
  used = 0

  async join({ room: name }: RoomInit): Promise<Room> {
    const heard: RoomEvent[] = []
    let wake = Promise.withResolvers<undefined>()
    let isLeft = false
    const room = {
      name,
      counters: {},
      send: async (text: string) => {
        heard.push({ type: 'notice', code: 'alone', text })
        wake.resolve(undefined)
        return await Promise.resolve({ id: 'm1', recipients: 2 })
      },
      members: () => [],
      setNick: () => undefined,
      told: async function* () {
        for (;;) {
          yield* heard.splice(0)
          if (isLeft) return
          wake = Promise.withResolvers()
          await wake.promise
        }
      },
      [Symbol.asyncDispose]: async () => {
        isLeft = true
        this.left.push(name)
        wake.resolve(undefined)
        await Promise.resolve()
      }
    }
    return await Promise.resolve(room as unknown as Room)
  }
}

describe('the power to be in rooms', () => {
  let rooms: EchoRooms
  let power: ReturnType<typeof createRoomsPower>
  const sessions = new Map<string, AbortController>()

  beforeEach(() => {
    rooms = new EchoRooms()
    sessions.clear()
    power = createRoomsPower({
      rooms,
      noteUse: async () => {
        rooms.used++
        await Promise.resolve()
      }
    })
  })

  const requestOf = (session: string, verb: string, params: object): ProviderRequest => {
    const ending = sessions.get(session) ?? new AbortController()
    sessions.set(session, ending)
    return {
      caller: { lineage: `${DID}/chat`, name: 'chat', version: '1.0.0', audience: DID },
      sessionId: session,
      sessionSignal: ending.signal,
      subject: DID,
      command: `peer/${verb}`,
      resource: 'elastos://peer/room/garden',
      params,
      signal: ending.signal
    }
  }
  const call = async (session: string, verb: string, params: object = { room: 'garden' }): Promise<unknown> =>
    await power.provider.call(requestOf(session, verb, params))
  const refused = async (session: string, verb: string, params?: object): Promise<string | undefined> => {
    try {
      await call(session, verb, params)
      return undefined
    } catch (thrown) {
      return errorCode(thrown)
    }
  }
  const join = async (session: string, room = 'garden'): Promise<unknown> =>
    await call(session, 'join', { room, nick: 'ann' })

  it('speaks and hears where it joined', async () => {
    await join('one')
    assert.equal(rooms.used, 1)
    assert.deepEqual(await call('one', 'publish', { room: 'garden', text: 'hello' }), {
      id: 'm1',
      recipients: 2
    })
    const events = power.provider.open(requestOf('one', 'subscribe', { room: 'garden' }), nothing())
    for await (const event of events) {
      assert.deepEqual(event, { type: 'notice', code: 'alone', text: 'hello' })
      break
    }
  })

  it('is in no room that another session joined', async () => {
    await join('one')
    for (const verb of ['publish', 'members', 'nick', 'leave']) {
      assert.equal(
        await refused('two', verb, { room: 'garden', nick: 'eve', text: 'x' }),
        'ERR_ROOM_NOT_JOINED'
      )
    }
    assert.equal(await refused('two', 'join', { room: 'garden', nick: 'eve' }), 'ERR_ROOM_JOINED')
    const events = power.provider.open(requestOf('two', 'subscribe', { room: 'garden' }), nothing())
    await assert.rejects(Array.fromAsync(events), /ERR_ROOM_NOT_JOINED|joined/)
  })

  it('is in few rooms at a time', async () => {
    for (const room of ['a', 'b', 'c', 'd']) await join('one', room)
    assert.equal(await refused('one', 'join', { room: 'e', nick: 'ann' }), 'ERR_ROOM_BUSY')
    await call('one', 'leave', { room: 'a' })
    await join('one', 'e')
  })

  it('stays in a room that another left before and then ended', async () => {
    await join('one')
    await call('one', 'leave')
    await join('two')
    sessions.get('one')?.abort()
    assert.deepEqual(await call('two', 'members'), { members: [] })
    assert.deepEqual(rooms.left, ['garden'])
  })

  it('leaves with its session, and whoever listened is let go', async () => {
    await join('one')
    const events = power.provider.open(requestOf('one', 'subscribe', { room: 'garden' }), nothing())
    const heard = Array.fromAsync(events)
    sessions.get('one')?.abort()
    assert.deepEqual(await heard, [])
    assert.deepEqual(rooms.left, ['garden'])
    await join('two')
  })
})

async function* nothing(): AsyncGenerator<never> {
  // The caller sends nothing.
}
