import assert from 'node:assert/strict'
import { createKeyPair, sealEnvelope, type KeyPair } from '#did'
import {
  createMemoryRoomStore,
  LIST_AGE_MS_MAX,
  LIST_BYTES_MAX,
  roomTopic,
  sealModerationList,
  type ModerationFields
} from '#rooms'
import { createParty, type GuestRoom, type Party } from '../../../support/room-party.ts'
import { createSeededRandom } from '../../../support/seeded-random.ts'
import { APPOINTED_MAX, MUTED_MAX, REMOVED_MAX } from '../../../../rooms/moderation/constants.ts'
import { openModerationBook, type ModerationBook } from '../../../../rooms/moderation/book.ts'

const MINUTE_MS = 60_000

/** What somebody sees: the words of others, with what is hidden in brackets, as events changed that. */
function seen({ events }: GuestRoom): string[] {
  const shown = new Map<string, string>()
  for (const event of events) {
    if (event.type === 'message' && !event.isSelf) {
      shown.set(event.id, event.hiddenBy === undefined ? event.text : `(${event.text})`)
    }
    if (event.type === 'moderated') {
      for (const id of event.hidden) shown.set(id, `(${shown.get(id) ?? ''})`)
      for (const id of event.shown) shown.set(id, (shown.get(id) ?? '').slice(1, -1))
    }
  }
  return [...shown.values()]
}

async function say(party: Party, { room }: GuestRoom, text: string): Promise<string> {
  const [{ id }] = await Promise.all([room.send(text), party.clock.advance(1_000)])
  return id
}

async function change(
  party: Party,
  { room }: GuestRoom,
  ...[what]: Parameters<GuestRoom['room']['moderation']['change']>
): Promise<void> {
  await Promise.all([room.moderation.change(what), party.clock.advance(2_000)])
}

function didOf({ person, device }: GuestRoom): KeyPair['did'] {
  return (person ?? device).did
}

describe('the moderation of a room', () => {
  it('hides what a followed list mutes, from then on and before, for who follows it and for nobody else', async () => {
    await using party = createParty()
    const [moderator, reader, other, spammer] = await joinAll(party, 'mod', 'ann', 'bob', 'spam')
    await change(party, reader, { action: 'follow', did: didOf(moderator) })
    await say(party, spammer, 'buy this')
    assert.deepEqual(seen(reader), ['buy this'])
    await change(party, moderator, { action: 'mute', did: didOf(spammer) })
    assert.deepEqual(seen(reader), ['(buy this)'])
    await say(party, spammer, 'buy more')
    await say(party, other, 'good day')
    assert.deepEqual(seen(reader), ['(buy this)', '(buy more)', 'good day'])
    assert.deepEqual(seen(other), ['buy this', 'buy more'])
    await change(party, moderator, { action: 'unmute', did: didOf(spammer) })
    assert.deepEqual(seen(reader), ['buy this', 'buy more', 'good day'])
  })

  it('removes one message by its id, mutes for a time, and ends when nobody follows any more', async () => {
    await using party = createParty()
    const [moderator, reader, loud] = await joinAll(party, 'mod', 'ann', 'bob')
    await change(party, reader, { action: 'follow', did: didOf(moderator) })
    const id = await say(party, loud, 'a slip')
    await say(party, loud, 'a word')
    const [device, sequence] = [loud.device.did, Number(id.slice(id.lastIndexOf(':') + 1))]
    await change(party, moderator, { action: 'remove', device, sequence })
    assert.deepEqual(seen(reader), ['(a slip)', 'a word'])
    const untilMs = party.clock.nowMs() + 10 * MINUTE_MS
    await change(party, moderator, { action: 'mute', did: didOf(loud), untilMs })
    assert.deepEqual(seen(reader), ['(a slip)', '(a word)'])
    await party.clock.advance(12 * MINUTE_MS)
    assert.deepEqual(seen(reader), ['(a slip)', 'a word'], 'its time is over')
    await change(party, reader, { action: 'unfollow', did: didOf(moderator) })
    assert.deepEqual(seen(reader), ['a slip', 'a word'])
  })

  it('is told to who comes later, also of those whom a followed one appointed, one step far', async () => {
    await using party = createParty()
    const [founder, deputy, stranger, spammer] = await joinAll(party, 'fay', 'dee', 'sue', 'spam')
    await change(party, founder, { action: 'appoint', did: didOf(deputy) })
    await change(party, deputy, { action: 'mute', did: didOf(spammer) })
    await change(party, deputy, { action: 'appoint', did: didOf(stranger) })
    await change(party, stranger, { action: 'mute', did: didOf(founder) })
    const store = createMemoryRoomStore()
    const reader = await party.join('ann', { store })
    await party.clock.advance(3_000)
    await change(party, reader, { action: 'follow', did: didOf(founder) })
    await party.clock.advance(3 * MINUTE_MS)
    await say(party, spammer, 'buy this')
    await say(party, founder, 'welcome')
    assert.deepEqual(seen(reader), ['(buy this)', 'welcome'])
    const authors = reader.room.moderation.status().lists.map(({ author }) => author)
    assert.deepEqual(new Set(authors), new Set([didOf(founder), didOf(deputy)]))
  })

  it('is remembered from visit to visit, and whoever is muted still sees their own words', async () => {
    await using party = createParty()
    const store = createMemoryRoomStore()
    const who = party.guest()
    const [moderator, spammer] = await joinAll(party, 'mod', 'spam')
    const first = await party.join('ann', { guest: who, store })
    await change(party, first, { action: 'follow', did: didOf(moderator) })
    await change(party, spammer, { action: 'follow', did: didOf(moderator) })
    await change(party, moderator, { action: 'mute', did: didOf(spammer) })
    await say(party, spammer, 'buy this')
    await Promise.all([first.room[Symbol.asyncDispose](), party.clock.advance(5_000)])
    const again = await party.join('ann', { guest: who, store, isTold: true })
    await party.clock.advance(2_000)
    assert.deepEqual(seen(again), ['(buy this)'])
    const own = spammer.events.find((event) => event.type === 'message' && event.isSelf)
    assert.ok(own?.type === 'message' && own.hiddenBy === undefined)
  })
})

async function joinAll<N extends readonly string[]>(
  party: Party,
  ...nicks: N
): Promise<{ [K in keyof N]: GuestRoom }> {
  const rooms: GuestRoom[] = []
  for (const nick of nicks) rooms.push(await party.join(nick))
  await party.clock.advance(3_000)
  return rooms as { [K in keyof N]: GuestRoom }
}

describe('lists of moderators that somebody hostile sends', () => {
  const random = createSeededRandom(7)
  const [moderator, stranger, victim] = [createKeyPair(random), createKeyPair(random), createKeyPair(random)]
  const TOPIC = '/elastos/moderation/1/'

  interface Attack {
    readonly party: Party
    readonly reader: GuestRoom
    /** Hands bytes over as a member would, and tells what became of them. */
    publish(bytes: Uint8Array): Promise<string | undefined>
    /** The same at once. */
    inject(bytes: Uint8Array): string | undefined
  }

  async function attack(run: (attack: Attack) => Promise<void>): Promise<void> {
    await using party = createParty()
    const [reader, other] = await joinAll(party, 'ann', 'bob')
    await change(party, reader, { action: 'follow', did: moderator.did })
    const topic = (await roomTopic('lobby')).replace('/elastos/room/1/', TOPIC)
    const inject = (bytes: Uint8Array): string | undefined =>
      party.network.inject(reader.peerId, { from: other.peerId, topic, bytes })
    await run({
      ...{ party, reader, inject },
      publish: async (bytes) => {
        const verdict = inject(bytes)
        await party.clock.advance(1_000)
        return verdict
      }
    })
  }

  function listOf(party: Party, change: Partial<ModerationFields> = {}, signer = moderator): Uint8Array {
    const nowMs = party.clock.nowMs()
    const fields = {
      ...{ room: 'lobby', author: signer.did, sequence: nowMs, issuedAtMs: nowMs },
      ...{ expiresAtMs: nowMs + MINUTE_MS, appointed: [], removed: [] }
    }
    return sealModerationList(signer, { ...fields, muted: [[victim.did, 0]], ...change }).bytes
  }

  const muted = ({ reader }: Attack): readonly string[] =>
    reader.room.moderation.status().lists.flatMap((list) => list.muted.map(({ did }) => did))

  it('are taken from who is followed', async () => {
    await attack(async (one) => {
      assert.equal(await one.publish(listOf(one.party)), 'accept')
      assert.deepEqual(muted(one), [victim.did])
    })
  })

  // What anybody can see to be wrong counts against the peer that relayed it.
  const refused: Readonly<Record<string, (party: Party) => Uint8Array>> = {
    'who is no moderator': (party) => listOf(party, {}, stranger),
    'who signs in the name of one': (party) => listOf(party, { author: moderator.did }, stranger),
    'who plays one of another room': (party) => listOf(party, { room: 'kitchen' }),
    'whose bytes were changed': (party) =>
      listOf(party).map((byte, at, all) => (at === all.length - 1 ? byte ^ 1 : byte)),
    'whose list is over': (party) =>
      listOf(party, { issuedAtMs: party.clock.nowMs() - 2000, expiresAtMs: party.clock.nowMs() - 1000 }),
    'whose list would hold for ever': (party) =>
      listOf(party, { expiresAtMs: party.clock.nowMs() + LIST_AGE_MS_MAX + 1 }),
    'whose list is from the future': (party) => {
      const issuedAtMs = party.clock.nowMs() + 3 * 24 * 60 * MINUTE_MS
      return listOf(party, { issuedAtMs, expiresAtMs: issuedAtMs + 1 })
    },
    'who sends nothing that can be read': () => new Uint8Array(100).fill(0x61),
    'who sends too much': () => new Uint8Array(LIST_BYTES_MAX + 1)
  }
  const MAY_BE_HONEST = ['who is no moderator', 'whose list is over', 'whose list is from the future']
  for (const [name, make] of Object.entries(refused)) {
    it(`are refused of somebody ${name}`, async () => {
      await attack(async (one) => {
        const verdict = await one.publish(make(one.party))
        assert.equal(verdict, MAY_BE_HONEST.includes(name) ? 'ignore' : 'reject')
        assert.deepEqual(muted(one), [])
      })
    })
  }

  it('never go back: an older one that is played again, and one after its author’s last expired', async () => {
    await attack(async (one) => {
      const { party } = one
      const nowMs = party.clock.nowMs()
      const older = listOf(party, { sequence: nowMs, expiresAtMs: nowMs + 60 * MINUTE_MS })
      const newer = listOf(party, { sequence: nowMs + 1, muted: [], expiresAtMs: nowMs + 2 * MINUTE_MS })
      await one.publish(older)
      assert.deepEqual(muted(one), [victim.did])
      await one.publish(newer)
      await one.publish(older)
      assert.deepEqual(muted(one), [])
      await party.clock.advance(3 * MINUTE_MS)
      await one.publish(older)
      assert.deepEqual(one.reader.room.moderation.status().lists, [])
    })
  })

  it('with more than a list holds, unsorted or double are none', async () => {
    const many = <T>(count: number, make: (at: number) => T): T[] =>
      Array.from({ length: count }, (_, at) => make(at))
    const dids = many(MUTED_MAX + 1, () => createKeyPair(random).did)
    await attack(async (one) => {
      const { party } = one
      const full = {
        muted: dids.slice(1).map((did) => [did, Number.MAX_SAFE_INTEGER] as const),
        removed: many(REMOVED_MAX, (at) => [victim.did, Number.MAX_SAFE_INTEGER - at] as const),
        appointed: dids.slice(0, APPOINTED_MAX)
      }
      const whole = listOf(party, full)
      assert.ok(whole.length <= LIST_BYTES_MAX, 'a full list fits')
      await one.publish(whole)
      assert.equal(muted(one).length, MUTED_MAX)
      assert.throws(() => listOf(party, { muted: dids.map((did) => [did, 0] as const) }), {
        code: 'ERR_MODERATION_FULL'
      })
      const nowMs = party.clock.nowMs() + 1
      const base = {
        room: 'lobby',
        author: moderator.did,
        sequence: nowMs,
        issuedAtMs: nowMs,
        expiresAtMs: nowMs + 1000
      }
      const [low = '', high = ''] = dids.slice(0, 2).sort()
      for (const wrong of [
        [
          [high, 0],
          [low, 0]
        ],
        [
          [low, 0],
          [low, 1]
        ],
        dids.toSorted().map((did) => [did, 0])
      ]) {
        const payload = { ...base, appointed: [], removed: [], muted: wrong }
        await one.publish(sealEnvelope(moderator, { domain: 'elastos/moderation/1', type: 'list', payload }))
        assert.equal(muted(one).length, MUTED_MAX, 'the last good one holds')
      }
    })
  })

  it('flood nobody: a peer that sends without end is not listened to for a while', async () => {
    await attack(async (one) => {
      for (let count = 0; count < 40; count += 1) one.inject(new Uint8Array(10).fill(count))
      const list = listOf(one.party)
      assert.equal(one.inject(list), 'ignore')
      assert.deepEqual(muted(one), [])
      await one.party.clock.advance(MINUTE_MS)
      assert.equal(one.inject(listOf(one.party)), 'accept')
    })
  })

  it('keep to their place: lists of those who are followed no more give way', async () => {
    const store = createMemoryRoomStore()
    const topic = await roomTopic('lobby')
    const open = (): Promise<ModerationBook> =>
      openModerationBook(store, { room: 'lobby', topic, self: victim.did, nowMs: () => 1000 })
    const book = await open()
    const fields = {
      room: 'lobby',
      issuedAtMs: 500,
      expiresAtMs: 5000,
      appointed: [],
      muted: [],
      removed: []
    }
    for (let count = 0; count < 70; count += 1) {
      const author = createKeyPair(random)
      book.follow(author.did, true)
      assert.equal(
        book.take(sealModerationList(author, { ...fields, author: author.did, sequence: 1 })),
        true
      )
      book.follow(author.did, false)
    }
    await book.written()
    let kept = 0
    for await (const [key] of store.entries('moderation/')) if (key.includes('/list/')) kept += 1
    assert.equal(kept, 64)
    for (let count = 0; count < 16; count += 1) book.follow(createKeyPair(random).did, true)
    assert.throws(() => book.follow(stranger.did, true), { code: 'ERR_MODERATION_FULL' })
    await book.written()
    assert.equal((await open()).followed.length, 16)
  })

  it('whose number is the last there is are none, as nothing could follow them', async () => {
    await attack(async (one) => {
      const nowMs = one.party.clock.nowMs()
      const payload = {
        ...{ room: 'lobby', author: moderator.did, sequence: Number.MAX_SAFE_INTEGER },
        ...{ issuedAtMs: nowMs, expiresAtMs: nowMs + MINUTE_MS },
        ...{ appointed: [], muted: [[victim.did, 0]], removed: [] }
      }
      const seal = (sequence: number): Uint8Array =>
        sealEnvelope(moderator, {
          ...{ domain: 'elastos/moderation/1', type: 'list', payload: { ...payload, sequence } }
        })
      assert.equal(await one.publish(seal(Number.MAX_SAFE_INTEGER)), 'reject')
      assert.equal(await one.publish(seal(Number.MAX_SAFE_INTEGER - 1)), 'accept')
      assert.throws(() => listOf(one.party, { sequence: Number.MAX_SAFE_INTEGER }), {
        code: 'ERR_MODERATION_FULL'
      })
    })
  })
})
