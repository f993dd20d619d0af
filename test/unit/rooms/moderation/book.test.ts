import assert from 'node:assert/strict'
import { silentLogger } from '#contracts'
import { certifyDevice, createKeyPair, peerIdFromDid, type KeyPair } from '#did'
import {
  createMemoryRoomStore,
  LIST_AGE_MS_MAX,
  roomTopic,
  sealModerationList,
  startRooms,
  type ModerationFields,
  type ModerationList,
  type RoomStore
} from '#rooms'
import { createParty } from '../../../support/room-party.ts'
import { createRoomNetwork } from '../../../support/room-network.ts'
import { createSeededRandom } from '../../../support/seeded-random.ts'
import { createVirtualClock } from '../../../support/virtual-clock.ts'
import { openModerationBook, type ModerationBook } from '../../../../rooms/moderation/book.ts'
import { APPOINTED_MAX, LISTS_MAX } from '../../../../rooms/moderation/constants.ts'
import { changeBook } from '../../../../rooms/moderation/moderation.ts'

const MINUTE_MS = 60_000

describe('what a node keeps of the moderation of a room', () => {
  const random = createSeededRandom(8)
  const [self, person] = [createKeyPair(random), createKeyPair(random)]
  const NOW_MS = 1_800_000_000_000
  const times = { issuedAtMs: NOW_MS, expiresAtMs: NOW_MS + MINUTE_MS }

  async function open(
    store: RoomStore,
    init: Partial<Parameters<typeof openModerationBook>[1]> = {}
  ): Promise<ModerationBook> {
    const topic = await roomTopic('lobby')
    return await openModerationBook(store, {
      ...{ room: 'lobby', topic, self: self.did, nowMs: () => NOW_MS, ...init }
    })
  }

  function listBy(device: KeyPair, fields: Partial<ModerationFields> = {}): ModerationList {
    const whole = { room: 'lobby', author: device.did, sequence: 1, ...times, ...fields }
    const sorts = { appointed: [], muted: [], removed: [], ...fields }
    const isOwn = whole.author === device.did
    const certificate = isOwn ? undefined : certifyDevice(person, { device: device.did, issuedAtMs: 1 })
    return sealModerationList(device, { ...whole, ...sorts }, certificate)
  }

  it('lets a person go on whose stolen device signed a list above all others, once it is revoked', async () => {
    const store = createMemoryRoomStore()
    const revoked = new Set<string>()
    const isRevoked = (_: unknown, device: string): boolean => revoked.has(device)
    const book = await open(store, { isRevoked })
    const [stolen, other] = [createKeyPair(random), createKeyPair(random)]
    book.follow(person.did, true)
    assert.ok(book.take(listBy(stolen, { author: person.did, sequence: Number.MAX_SAFE_INTEGER - 1 })))
    assert.equal(book.take(listBy(other, { author: person.did, sequence: NOW_MS })), false)
    revoked.add(stolen.did)
    assert.deepEqual([book.current(), book.highest(person.did)], [[], 0])
    await book.written()
    for (const after of [await open(store, { isRevoked }), book]) {
      assert.ok(after.take(listBy(other, { author: person.did, sequence: NOW_MS })))
      assert.deepEqual(
        after.current().map(({ device }) => device),
        [other.did]
      )
    }
  })

  it('is all there again after a start with a clock that was far behind', async () => {
    const store = createMemoryRoomStore()
    const book = await open(store)
    book.follow(person.did, true)
    assert.ok(book.take(listBy(person, { sequence: 7 })))
    await book.written()
    let nowMs = NOW_MS - LIST_AGE_MS_MAX
    const behind = await open(store, { nowMs: () => nowMs })
    nowMs = NOW_MS
    assert.deepEqual(
      behind.current().map(({ author }) => author),
      [person.did]
    )
    assert.equal(behind.highest(person.did), 7)
  })

  it('counts no number of what is damaged', async () => {
    const store = createMemoryRoomStore()
    const book = await open(store)
    book.follow(person.did, true)
    assert.ok(book.take(listBy(person, { sequence: 7 })))
    await book.written()
    for await (const [key, value] of store.entries('moderation/'))
      if (key.includes('/list/'))
        await store.write([
          { key, value: value.map((byte, at) => (at === value.length - 1 ? byte ^ 1 : byte)) }
        ])
    const again = await open(store)
    assert.equal(again.highest(person.did), 0)
    assert.ok(again.take(listBy(person, { sequence: 7 })))
  })

  it('has room for our own list and those who are followed, however many others these appoint', async () => {
    const book = await open(createMemoryRoomStore())
    const followed = Array.from({ length: 4 }, () => createKeyPair(random))
    for (const one of followed) {
      const deputies = Array.from({ length: APPOINTED_MAX }, () => createKeyPair(random))
      book.follow(one.did, true)
      assert.ok(book.take(listBy(one, { appointed: deputies.map(({ did }) => did) })))
      for (const deputy of deputies) book.take(listBy(deputy))
    }
    assert.equal(book.current().length, LISTS_MAX)
    const clock = { ...createVirtualClock(NOW_MS) }
    const mute = { action: 'mute', did: person.did } as const
    changeBook({ signer: self, clock }, { room: 'lobby', author: self.did }, { book, change: mute })
    const authors = book.current().map(({ author }) => author)
    assert.equal(authors.length, LISTS_MAX)
    assert.ok([self, ...followed].every(({ did }) => authors.includes(did)))
    const full = { ...book, take: () => false, highest: () => 0, current: () => [] }
    assert.throws(
      () =>
        changeBook(
          { signer: self, clock },
          { room: 'lobby', author: self.did },
          { book: full, change: mute }
        ),
      { code: 'ERR_MODERATION_FULL' }
    )
  })

  it('does not hold while its author or device is denied', async () => {
    const denied = new Set<string>()
    const book = await open(createMemoryRoomStore(), { isDenied: (did) => denied.has(did) })
    const device = createKeyPair(random)
    book.follow(person.did, true)
    assert.ok(book.take(listBy(device, { author: person.did })))
    for (const did of [person.did, device.did]) {
      assert.equal(book.current().length, 1)
      denied.add(did)
      assert.deepEqual(book.current(), [])
      denied.delete(did)
    }
  })

  it('is asked of nobody and told to nobody while nothing is followed or said', async () => {
    await using party = createParty()
    const reader = await party.join('ann')
    const change = async (what: Parameters<typeof reader.room.moderation.change>[0]): Promise<void> => {
      await Promise.all([reader.room.moderation.change(what), party.clock.advance(2_000)])
    }
    const topic = (await roomTopic('lobby')).replace('/elastos/room/1/', '/elastos/moderation/1/')
    const hears = (): boolean =>
      party.network.inject(reader.peerId, { from: 'x', topic, bytes: Uint8Array.of(1) }) !== undefined
    await change({ action: 'list' })
    await change({ action: 'unfollow', did: person.did })
    assert.equal(hears(), false)
    await change({ action: 'follow', did: person.did })
    assert.equal(hears(), true)
  })

  it('has every change of those made at once, before the room is joined and while it is', async () => {
    const clock = createVirtualClock(NOW_MS)
    const transport = createRoomNetwork(clock).transport(peerIdFromDid(self.did))
    const store = createMemoryRoomStore()
    const rooms = await startRooms({ signer: self, clock, random, transport, store, logger: silentLogger })
    const dids = Array.from({ length: 6 }, () => createKeyPair(random).did)
    const mute = async (did: KeyPair['did']): Promise<unknown> =>
      await rooms.moderate('lobby', { action: 'mute', did })
    await Promise.all([
      ...dids.slice(0, 3).map(mute),
      rooms.join({ room: 'lobby', nick: 'ann' }),
      ...dids.slice(3).map(mute)
    ])
    const { lists } = await rooms.moderate('lobby', { action: 'list' })
    assert.deepEqual(
      lists[0]?.muted,
      dids.toSorted().map((did) => ({ did }))
    )
    await Promise.all([rooms[Symbol.asyncDispose](), clock.advance(5_000)])
  })
})
