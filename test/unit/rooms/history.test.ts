import assert from 'node:assert/strict'
import { silentLogger, systemRandom, type Clock } from '#contracts'
import { createKeyPair, type Did } from '#did'
import { createMemoryRoomStore, sealMessage, type RoomStore, type RoomStoreChange } from '#rooms'
import { startChronicle } from '../../../rooms/chronicle.ts'
import {
  DEVICES_MARKED_MAX,
  HISTORY_PROTOCOL,
  HISTORY_SHOWN,
  SEQUENCES_PER_MS
} from '../../../rooms/constants.ts'
import { openHistory } from '../../../rooms/history.ts'
import type { ReceivedMessage } from '../../../rooms/receiver.ts'
import {
  decodeHistoryAnswer,
  encodeHistoryAnswer,
  encodeHistoryRequest
} from '../../../rooms/history-exchange.ts'
import { createParty, type GuestRoom, type Party } from '../../support/room-party.ts'

const DAY_MS = 86_400_000
const TOPIC = /^\/elastos\/room\/1\//

async function says(party: Party, who: GuestRoom, ...texts: string[]): Promise<void> {
  for (const text of texts) {
    // Not awaited: with nobody there it takes its time.
    void who.room.send(text)
    await party.clock.advance(300)
  }
}

async function leaves(party: Party, who: GuestRoom): Promise<void> {
  await Promise.all([who.room[Symbol.asyncDispose](), party.clock.advance(2_000)])
}

/** A store that remembers every state it was in after a write, as a disk would show after a crash there. */
function createRecordedStore(): RoomStore & { readonly states: readonly RoomStoreChange[][] } {
  const store = createMemoryRoomStore()
  const states: RoomStoreChange[][] = [[]]
  return {
    ...store,
    states,
    write: async (changes) => {
      states.push([...(states.at(-1) ?? []), ...changes])
      await store.write(changes)
    }
  }
}

describe('the history of a room', () => {
  it('lets go of the marks of devices that were forgotten to make room, so that no crowd of them fills the disk', async () => {
    const store = createMemoryRoomStore()
    const clock = {
      nowMs: () => DAY_MS * 20_000,
      monotonicMs: () => 0,
      after: () => ({ [Symbol.dispose]() {} })
    }
    const old = Array.from({ length: DEVICES_MARKED_MAX }, (): Did => createKeyPair(systemRandom).did)
    const topic = '/elastos/room/1/crowd'
    const before = await openHistory(store, topic)
    await before.append([], new Map(old.map((device) => [device, { high: 1, holes: [] }])))
    const history = await openHistory(store, topic)
    assert.equal(history.marks.size, DEVICES_MARKED_MAX)
    const parts = { history, clock: clock as unknown as Clock, logger: silentLogger }
    await using chronicle = startChronicle({ ...parts, show: () => undefined, onGap: () => undefined })
    const { did: device } = createKeyPair(systemRandom)
    const sequence = clock.nowMs() * SEQUENCES_PER_MS
    const text = { device, sequence, previous: 0, bytes: new Uint8Array(1), receivedAtMs: 1, isPast: true }
    assert.ok(chronicle.take({ ...text, message: {} as ReceivedMessage }))
    await chronicle.written()
    assert.deepEqual([...(await openHistory(store, topic)).marks.keys()], [device])
  })

  it('gives a returning member what it missed, in order, once, from whoever is there', async () => {
    await using party = createParty()
    const store = createMemoryRoomStore()
    const guest = party.guest()
    const ann = await party.join('ann')
    const bob = await party.join('bob', { guest, store })
    const cem = await party.join('cem')
    await party.clock.advance(3_000)
    await says(party, ann, 'one')
    assert.deepEqual(bob.heard(), ['ann: one'])
    await leaves(party, bob)
    await says(party, ann, 'two', 'three')
    await says(party, cem, 'four')
    // Who said it is gone; cem still has it.
    await leaves(party, ann)
    const back = await party.join('bob', { guest, store, isTold: true })
    await party.clock.advance(5_000)
    const texts = back.events.flatMap((event) => (event.type === 'message' ? [event.text] : []))
    assert.deepEqual(texts, ['one', 'two', 'three', 'four'])
    const seen = back.events.map((event) => event.type === 'message' && event.isSeen === true)
    assert.deepEqual(seen.filter(Boolean).length, 0)
    await party.clock.advance(60_000)
    assert.equal(back.heard().length, 4)
  })

  it('tells a person first what was seen before, and marks it', async () => {
    await using party = createParty()
    const store = createMemoryRoomStore()
    const guest = party.guest()
    const ann = await party.join('ann')
    const bob = await party.join('bob', { guest, store, isTold: true })
    await party.clock.advance(3_000)
    await says(party, ann, 'one')
    await says(party, bob, 'hi')
    await leaves(party, bob)
    await says(party, ann, 'two')
    const back = await party.join('bob', { guest, store, isTold: true })
    await party.clock.advance(5_000)
    const told = back.events.flatMap((event) =>
      event.type === 'message' ? [[event.text, event.isSelf, event.isSeen ?? false]] : []
    )
    assert.deepEqual(told, [
      ['one', false, true],
      ['hi', true, true],
      ['two', false, false]
    ])
  })

  it('shows a newcomer what was said before it came, and no more than is asked for', async () => {
    await using party = createParty()
    const ann = await party.join('ann', { store: createMemoryRoomStore() })
    await says(party, ann, ...Array.from({ length: 20 }, (_, index) => `line ${index}`))
    await party.clock.advance(400_000)
    const bob = await party.join('bob')
    await party.clock.advance(5_000)
    assert.equal(bob.heard().length, 20)
    assert.equal(bob.heard().at(-1), 'ann: line 19')
    assert.ok(HISTORY_SHOWN >= 20)
  })

  it('hands on what somebody said before it crashed, when it comes back', async () => {
    await using party = createParty()
    const store = createMemoryRoomStore()
    const guest = party.guest()
    const ann = await party.join('ann', { guest, store })
    const bob = await party.join('bob')
    await party.clock.advance(3_000)
    party.network.unplug(ann.peerId)
    const sending = ann.room.send('into the void')
    await party.clock.advance(16_000)
    assert.equal((await sending).recipients, 0)
    await leaves(party, ann)
    assert.deepEqual(bob.heard(), [])
    party.network.plug(ann.peerId)
    const back = await party.join('ann', { guest, store })
    await party.clock.advance(10_000)
    assert.deepEqual(bob.heard(), ['ann: into the void'])
    await says(party, back, 'back')
    assert.deepEqual(bob.heard(), ['ann: into the void', 'ann: back'])
  })

  it('has each text once, whichever write a crash came after', async () => {
    await using party = createParty()
    const recorded = createRecordedStore()
    const guest = party.guest()
    const ann = await party.join('ann', { store: createMemoryRoomStore() })
    const bob = await party.join('bob', { guest, store: recorded, isTold: true })
    await party.clock.advance(3_000)
    await says(party, ann, 'one', 'two')
    await says(party, bob, 'mine')
    await says(party, ann, 'three')
    await leaves(party, bob)
    assert.ok(recorded.states.length >= 5)
    for (const state of recorded.states) {
      const store = createMemoryRoomStore()
      await store.write(state)
      const back = await party.join('bob', { guest, store, isTold: true })
      await party.clock.advance(5_000)
      const texts = back.events.flatMap((event) => (event.type === 'message' ? [event.text] : []))
      assert.deepEqual([...texts].sort(), ['mine', 'one', 'three', 'two'])
      const ofAnn = texts.filter((text) => text !== 'mine')
      assert.deepEqual(ofAnn, ['one', 'two', 'three'])
      await leaves(party, back)
    }
  })

  it('fills a gap from another member before it shows what came after', async () => {
    await using party = createParty()
    const ann = await party.join('ann')
    const bob = await party.join('bob')
    await party.clock.advance(3_000)
    await says(party, ann, 'one')
    const before = party.network.published.length
    party.network.unplug(bob.peerId)
    await says(party, ann, 'two')
    await party.clock.advance(16_000)
    const sending = ann.room.send('three')
    party.network.plug(bob.peerId)
    await party.clock.advance(400_000)
    await sending
    assert.ok(party.network.published.length > before)
    assert.deepEqual(bob.heard(), ['ann: one', 'ann: two', 'ann: three'])
  })

  it('shows after 30 seconds what follows on a text that nobody has', async () => {
    await using party = createParty()
    const bob = await party.join('bob')
    const eve = party.guest({ isPerson: false })
    const base = { room: 'lobby', author: eve.device.did, nick: 'eve', kind: 'text' } as const
    const say = (sequence: number, text: string, previous?: number): void => {
      const order = previous === undefined ? {} : { previous }
      const fields = { ...base, sequence, sentAtMs: party.clock.nowMs(), text, ...order }
      const topic = party.network.published.find((message) => TOPIC.test(message.topic))?.topic ?? ''
      party.network.inject(bob.peerId, { from: eve.peerId, topic, bytes: sealMessage(eve.device, fields) })
    }
    await party.join('ann')
    await party.clock.advance(3_000)
    say(10, 'one')
    say(30, 'three', 20)
    await party.clock.advance(29_000)
    assert.deepEqual(bob.heard(), ['eve: one'])
    await party.clock.advance(2_000)
    assert.deepEqual(bob.heard(), ['eve: one', 'eve: three'])
    say(20, 'two', 10)
    await party.clock.advance(100)
    assert.deepEqual(bob.heard(), ['eve: one', 'eve: three', 'eve: two'])
  })
})

describe('a hostile history', () => {
  it('is told to nobody who does not show that it belongs to the room', async () => {
    await using party = createParty()
    const ann = await party.join('ann')
    await says(party, ann, 'secret')
    const topic = party.network.published.find((message) => TOPIC.test(message.topic))?.topic ?? ''
    const eve = party.guest({ isPerson: false })
    const stranger = party.network.transport(eve.peerId)
    const { signal } = new AbortController()
    await Promise.all([
      stranger.connect({ peerId: ann.peerId, multiaddrs: [] }, { signal }),
      party.clock.advance(100)
    ])
    const base = { author: eve.device.did, sequence: 1, sentAtMs: party.clock.nowMs(), nick: 'eve' } as const
    const ask = async (presence: Uint8Array): Promise<Uint8Array> => {
      const request = encodeHistoryRequest({ topic, presence, marks: new Map() })
      const options = { signal, responseBytesMax: 300_000 }
      const asked = stranger.request(ann.peerId, HISTORY_PROTOCOL, request, options)
      asked.catch(() => undefined)
      await party.clock.advance(100)
      return await asked
    }
    const elsewhere = sealMessage(eve.device, { ...base, room: 'kitchen', kind: 'presence' })
    await assert.rejects(ask(elsewhere))
    const ofAnn = party.network.published.map(({ bytes }) => bytes)
    for (const bytes of ofAnn) await assert.rejects(ask(bytes))
    const own = sealMessage(eve.device, { ...base, room: 'lobby', kind: 'presence' })
    assert.equal(decodeHistoryAnswer(await ask(own)).messages.length, 1)
    // More often than any member needs it, it is not told.
    await assert.rejects(async () => {
      for (let n = 0; n < 100; n++) await ask(own)
    })
  })

  it('is believed in nothing that its author did not sign for this room', async () => {
    await using party = createParty()
    const bob = await party.join('bob')
    const eve = party.guest({ isPerson: false })
    const ann = party.guest({ isPerson: false })
    const nowMs = party.clock.nowMs()
    const base = { room: 'lobby', author: ann.device.did, nick: 'ann', kind: 'text' } as const
    const day = 86_400_000
    const sealed = (sequence: number, fields: object): Uint8Array =>
      sealMessage(ann.device, { ...base, sequence, sentAtMs: nowMs, text: 'bad', ...fields })
    const forged = sealed(5, {})
    forged[forged.length - 1] = (forged[forged.length - 1] ?? 0) ^ 1
    const messages = [
      sealed(1, { room: 'kitchen' }),
      forged,
      sealed(7, { sentAtMs: nowMs - 10 * day }),
      sealed(8, { sentAtMs: nowMs + 3 * day }),
      sealMessage(eve.device, { ...base, sequence: 9, sentAtMs: nowMs, text: 'bad' }),
      Uint8Array.of(1, 2, 3),
      sealed(20, { text: 'old', sentAtMs: nowMs - 6 * day }),
      sealed(20, { text: 'old', sentAtMs: nowMs - 6 * day })
    ]
    const transport = party.network.transport(eve.peerId)
    await transport.serve(HISTORY_PROTOCOL, () => encodeHistoryAnswer({ messages, hasMore: true }), {
      requestBytesMax: 300_000
    })
    const topic = party.network.published.find((message) => TOPIC.test(message.topic))?.topic
    assert.equal(topic, undefined)
    const lure = await party.join('cem')
    await party.clock.advance(3_000)
    const known = party.network.published.find((message) => TOPIC.test(message.topic))?.topic ?? ''
    transport.subscribe(known, () => 'accept')
    const { signal } = new AbortController()
    await Promise.all([
      transport.connect({ peerId: bob.peerId, multiaddrs: [] }, { signal }),
      transport.connect({ peerId: lure.peerId, multiaddrs: [] }, { signal }),
      party.clock.advance(120_000)
    ])
    assert.deepEqual(bob.heard(), ['ann: old'])
    assert.ok(bob.room.counters.dropped.ERR_MESSAGE_SIGNATURE > 0)
    assert.ok(bob.room.counters.dropped.ERR_MESSAGE_CERTIFICATE > 0)
    assert.ok(bob.room.counters.dropped.ERR_MESSAGE_TIME > 0)
  })
})
