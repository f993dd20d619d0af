import assert from 'node:assert/strict'
import { errorCode } from '#contracts'
import { createMemoryRoomStore, rendezvousCid, sealMessage } from '#rooms'
import { createParty, type GuestRoom } from '../../support/room-party.ts'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS

function notices({ events }: GuestRoom): string[] {
  return events.flatMap((event) => (event.type === 'notice' ? [event.code] : []))
}

describe('a room', () => {
  it('lets two people who only know its name talk within a second', async () => {
    await using party = createParty()
    const ann = await party.join('ann')
    const bob = await party.join('bob')
    const sending = ann.room.send('hello')
    await party.clock.advance(1_000)
    assert.deepEqual(bob.heard(), ['ann: hello'])
    const { recipients, id } = await sending
    assert.equal(recipients, 1)
    assert.equal(ann.room.counters.sent, 1)
    const own = ann.events.find((event) => event.type === 'message')
    assert.ok(own?.type === 'message' && own.isSelf && own.id === id && own.author === ann.person?.did)
  })

  it('shows everybody who is here, whoever found whom', async () => {
    await using party = createParty()
    const guests: GuestRoom[] = []
    for (const nick of ['ann', 'bob', 'cem', 'dana', 'eve', 'fay', 'gil', 'hui']) {
      guests.push(await party.join(nick))
      await party.clock.advance(700)
    }
    await party.clock.advance(3_000)
    for (const guest of guests) {
      assert.deepEqual(guest.here().sort(), ['ann', 'bob', 'cem', 'dana', 'eve', 'fay', 'gil', 'hui'])
    }
    await Promise.all([guests[0]!.room.send('all here?'), party.clock.advance(500)])
    for (const guest of guests.slice(1)) assert.deepEqual(guest.heard(), ['ann: all here?'])
  })

  it('keeps rooms with different names apart', async () => {
    await using party = createParty()
    const ann = await party.join('ann', { room: 'lobby' })
    const bob = await party.join('bob', { room: 'kitchen' })
    const sending = ann.room.send('anybody?')
    await party.clock.advance(20_000)
    assert.equal((await sending).recipients, 0)
    assert.equal(ann.room.counters.unheard, 1)
    assert.deepEqual(bob.heard(), [])
    assert.ok(notices(ann).includes('alone'))
  })

  it('delivers a text written before anybody came, when somebody comes in time', async () => {
    await using party = createParty()
    const ann = await party.join('ann')
    const sending = Promise.all([ann.room.send('first'), ann.room.send('second')])
    await party.clock.advance(6_000)
    const bob = await party.join('bob')
    await party.clock.advance(3_000)
    assert.deepEqual(bob.heard(), ['ann: first', 'ann: second'])
    assert.deepEqual(
      (await sending).map(({ recipients }) => recipients),
      [1, 1]
    )
  })

  it('tells when somebody leaves, and notices when somebody vanishes', async () => {
    await using party = createParty()
    const ann = await party.join('ann')
    const bob = await party.join('bob')
    const cem = await party.join('cem')
    await party.clock.advance(2_000)
    await Promise.all([bob.room[Symbol.asyncDispose](), party.clock.advance(2_000)])
    assert.deepEqual(ann.here(), ['ann', 'cem'])
    party.network.unplug(cem.peerId)
    await party.clock.advance(60_000)
    assert.deepEqual(ann.here(), ['ann', 'cem'])
    await party.clock.advance(60_000)
    assert.deepEqual(ann.here(), ['ann'])
    const reasons = ann.events.flatMap((event) =>
      event.type === 'left' ? [`${event.member.nick} ${event.reason}`] : []
    )
    assert.deepEqual(reasons, ['bob leave', 'cem timeout'])
  })

  it('stays together for an hour of silence', async () => {
    await using party = createParty()
    const ann = await party.join('ann')
    const bob = await party.join('bob')
    await party.clock.advance(HOUR_MS)
    assert.deepEqual(ann.here(), ['ann', 'bob'])
    assert.deepEqual(bob.here(), ['bob', 'ann'])
    assert.ok(party.network.counts.finds < 150, `${party.network.counts.finds} searches`)
  })

  it('finds each other again after a network failure', async () => {
    await using party = createParty()
    const ann = await party.join('ann')
    const bob = await party.join('bob')
    await party.clock.advance(2_000)
    party.network.unplug(bob.peerId)
    await party.clock.advance(120_000)
    assert.deepEqual(ann.here(), ['ann'])
    party.network.plug(bob.peerId)
    await party.clock.advance(120_000)
    await Promise.all([bob.room.send('back'), party.clock.advance(1_000)])
    assert.deepEqual(ann.heard(), ['bob: back'])
  })

  it('does not wait when everybody is gone all at once', async () => {
    await using party = createParty()
    const ann = await party.join('ann')
    const bob = await party.join('bob')
    await party.clock.advance(30_000)
    party.network.unplug(bob.peerId)
    party.network.plug(bob.peerId)
    await party.clock.advance(8_000)
    await Promise.all([bob.room.send('back'), party.clock.advance(500)])
    assert.deepEqual(ann.heard(), ['bob: back'])
  })

  it('connects to several members though the DHT names one', async () => {
    await using party = createParty()
    party.network.providersMax = 1
    const guests = [await party.join('ann'), await party.join('bob'), await party.join('cem')]
    await party.clock.advance(1_000)
    const dana = await party.join('dana')
    await party.clock.advance(1_000)
    assert.deepEqual(
      guests.map(({ peerId }) => party.network.linkCount(peerId)),
      [3, 3, 3]
    )
    assert.deepEqual(dana.here().sort(), ['ann', 'bob', 'cem', 'dana'])
  })

  it('shows who arrived even when the members exchange fails', async () => {
    await using party = createParty()
    party.network.isExchangeBroken = true
    const ann = await party.join('ann')
    const bob = await party.join('bob')
    await party.clock.advance(2_000)
    assert.deepEqual(ann.here(), ['ann', 'bob'])
    assert.deepEqual(bob.here(), ['bob', 'ann'])
  })

  it('searches quickly at first, then thoroughly for as long as it is alone, and thoroughly later on', async () => {
    await using party = createParty()
    const today = (await rendezvousCid('lobby', Math.floor(party.clock.nowMs() / DAY_MS))).toString()
    const searches: string[] = []
    party.network.onDht = (operation, cid) => {
      if (operation !== 'provide' && cid === today) searches.push(operation)
    }
    await party.join('ann')
    await party.clock.advance(10_000)
    assert.deepEqual(searches.slice(0, 6), [...Array<string>(4).fill('quick find'), 'find', 'find'])
    await party.join('bob')
    await party.clock.advance(5_000)
    searches.length = 0
    await party.clock.advance(30 * 60_000)
    assert.ok(searches.length > 0 && searches.every((search) => search === 'find'), searches.join())
  })

  it('goes on over midnight, and lets newcomers in right before and after', async () => {
    const midnightMs = Date.UTC(2027, 0, 16)
    await using party = createParty({ startMs: midnightMs - HOUR_MS / 3 })
    const ann = await party.join('ann')
    await party.clock.advance(HOUR_MS / 3 - 1_000)
    const bob = await party.join('bob')
    await party.clock.advance(2_000)
    assert.deepEqual(bob.here(), ['bob', 'ann'])
    await party.clock.advance(2 * HOUR_MS)
    const cem = await party.join('cem')
    await party.clock.advance(5_000)
    assert.deepEqual(cem.here().sort(), ['ann', 'bob', 'cem'])
    assert.deepEqual(ann.here().sort(), ['ann', 'bob', 'cem'])
  })

  for (const clockOffMs of [-23 * HOUR_MS, 23 * HOUR_MS]) {
    it(`lets somebody in whose clock is ${clockOffMs / HOUR_MS} hours off, and says so to both`, async () => {
      await using party = createParty()
      const ann = await party.join('ann')
      await party.clock.advance(2_000)
      const bob = await party.join('bob', { clockOffMs })
      await party.clock.advance(400_000)
      await Promise.all([bob.room.send('what day is it?'), party.clock.advance(1_000)])
      assert.deepEqual(ann.heard(), ['bob: what day is it?'])
      const text = ann.events.find((event) => event.type === 'message')
      assert.ok(text?.type === 'message' && text.clockOffMs !== undefined)
      assert.ok([...notices(ann), ...notices(bob)].includes('clock-differs'))
    })
  }

  it('tells somebody whose clock is three days off why nobody hears anything', async () => {
    await using party = createParty()
    // Three days apart they do not look in the same places; somebody else introduced them.
    party.network.isOneRendezvous = true
    const ann = await party.join('ann')
    await party.clock.advance(1_000)
    const bob = await party.join('bob', { clockOffMs: 72 * HOUR_MS })
    await party.clock.advance(10_000)
    assert.deepEqual(ann.here(), ['ann'])
    assert.deepEqual(bob.here(), ['bob'])
    const told = bob.events.find((event) => event.type === 'notice' && event.code === 'clock-differs')
    assert.ok(told?.type === 'notice')
    assert.match(told.text, /72 hours behind this one.*messages are dropped/)
  })

  it('drops what is replayed, altered, unsigned or meant for another room, and counts each', async () => {
    await using party = createParty()
    const ann = await party.join('ann')
    const bob = await party.join('bob')
    await party.clock.advance(2_000)
    await Promise.all([ann.room.send('once'), party.clock.advance(500)])
    const { topic, bytes } = party.network.published.at(-1)!
    const inject = (changed: Uint8Array): unknown =>
      party.network.inject(bob.peerId, { from: 'mallory', topic, bytes: changed })
    assert.equal(inject(bytes), 'ignore')
    const altered = Uint8Array.from(bytes)
    altered[altered.length - 1]! ^= 1
    assert.equal(inject(altered), 'reject')
    assert.equal(inject(new TextEncoder().encode('{"text":"plain"}')), 'reject')
    assert.equal(inject(new Uint8Array(1_000_000)), 'reject')
    const base = { author: ann.device.did, sequence: 1, sentAtMs: party.clock.nowMs(), nick: 'ann' } as const
    const foreign = sealMessage(ann.device, { ...base, room: 'kitchen', kind: 'text', text: 'hi' })
    assert.equal(inject(foreign), 'reject')
    const stolen = { ...base, author: ann.person!.did, room: 'lobby', kind: 'text', text: 'hi' } as const
    assert.equal(inject(sealMessage(party.guest().device, stolen, ann.certificate)), 'reject')
    await party.clock.settle()
    assert.deepEqual(bob.heard(), ['ann: once'])
    assert.deepEqual(
      Object.entries(bob.room.counters.dropped).filter(([, count]) => count > 0),
      [
        ['ERR_MESSAGE_TOO_LARGE', 1],
        ['ERR_MESSAGE_MALFORMED', 1],
        ['ERR_MESSAGE_SIGNATURE', 1],
        ['ERR_MESSAGE_CERTIFICATE', 1],
        ['ERR_MESSAGE_ROOM', 1],
        ['ERR_MESSAGE_REPLAYED', 1]
      ]
    )
    const told = bob.events.flatMap((event) => (event.type === 'dropped' ? [event.code] : []))
    assert.equal(told.length, 5)
  })

  it('tells two people with one nick apart, and the impostor does not take the name', async () => {
    await using party = createParty()
    const ann = await party.join('ann')
    const bob = await party.join('bob')
    await party.clock.advance(2_000)
    const fake = await party.join('Ann')
    await party.clock.advance(2_000)
    await Promise.all([fake.room.send('it is me'), party.clock.advance(500)])
    assert.equal(bob.heard()[0], `Ann (…${fake.person!.did.slice(-6)}): it is me`)
    assert.ok(bob.here().includes(`ann (…${ann.person!.did.slice(-6)})`))
    const shown = bob.events.flatMap((event) =>
      event.type === 'nick' ? [`${event.previousLabel} → ${event.member.label}`] : []
    )
    assert.deepEqual(shown, [`ann → ann (…${ann.person!.did.slice(-6)})`])
    assert.equal(ann.here()[0], `ann (…${ann.person!.did.slice(-6)})`)
  })

  it('passes a new nick on', async () => {
    await using party = createParty()
    const ann = await party.join('ann')
    const bob = await party.join('bob')
    await party.clock.advance(2_000)
    ann.room.setNick('  anna ')
    await party.clock.advance(5_000)
    assert.deepEqual(bob.here(), ['bob', 'anna'])
    assert.throws(() => ann.room.setNick('\u001b[2J'), { code: 'ERR_NICK_INVALID' })
  })

  it('neither hears nor meets who is denied', async () => {
    await using party = createParty()
    const mallory = party.guest()
    const ann = await party.join('ann', { denied: [mallory.person!.did, mallory.device.did] })
    const bad = await party.join('mallory', { guest: mallory })
    await party.clock.advance(2_000)
    await Promise.all([bad.room.send('spam'), party.clock.advance(16_000)])
    assert.deepEqual(ann.heard(), [])
    assert.deepEqual(ann.here(), ['ann'])
  })

  it('limits what one author can make others read', async () => {
    await using party = createParty()
    const ann = await party.join('ann')
    const bob = await party.join('bob')
    await party.clock.advance(2_000)
    const flood = Array.from({ length: 60 }, (_, n) => ann.room.send(`spam ${n}`))
    await Promise.all([...flood, party.clock.advance(1_000)])
    assert.ok(bob.heard().length >= 20 && bob.heard().length <= 30, `${bob.heard().length} heard`)
    assert.ok(bob.room.counters.dropped.ERR_MESSAGE_RATE >= 30)
  })

  it('refuses what cannot be sent, with codes', async () => {
    await using party = createParty()
    const { room } = await party.join('ann')
    await assert.rejects(room.send('x'.repeat(1_048_576)), { code: 'ERR_TEXT_TOO_LONG' })
    await assert.rejects(room.send('é'.repeat(2_049)), { code: 'ERR_TEXT_TOO_LONG' })
    await assert.rejects(room.send('a\u0000b'), { code: 'ERR_TEXT_INVALID' })
    await assert.rejects(room.send('\u001b]0;title\u0007'), { code: 'ERR_TEXT_INVALID' })
    await assert.rejects(room.send('\ud800'), { code: 'ERR_TEXT_INVALID' })
    await assert.rejects(room.send(' \n '), { code: 'ERR_TEXT_INVALID' })
    const posts = Array.from({ length: 65 }, (_, n) => room.send(`${n}`).then(() => 'sent', errorCode))
    await party.clock.advance(20_000)
    assert.equal((await Promise.all(posts)).filter((result) => result === 'ERR_ROOM_BUSY').length, 1)
  })

  it('is heard after a restart, even when its clock was set back meanwhile', async () => {
    await using party = createParty()
    const ann = await party.join('ann')
    const guest = party.guest()
    const before = await party.join('bob', { guest, clockOffMs: 5 * HOUR_MS })
    await party.clock.advance(2_000)
    await Promise.all([before.room[Symbol.asyncDispose](), party.clock.advance(2_000)])
    const after = await party.join('bob', { guest })
    await party.clock.advance(5_000)
    await Promise.all([after.room.send('again'), party.clock.advance(1_000)])
    assert.deepEqual(ann.heard(), ['bob: again'])
  })

  it('is heard after a restart, even when its clock was days ahead of everybody when it spoke before', async () => {
    await using party = createParty()
    const ann = await party.join('ann')
    const [guest, store] = [party.guest(), createMemoryRoomStore()]
    const before = await party.join('bob', { guest, store, clockOffMs: 5 * DAY_MS })
    await party.clock.advance(2_000)
    void before.room.send('of a day to come')
    await party.clock.advance(20_000)
    await Promise.all([before.room[Symbol.asyncDispose](), party.clock.advance(5_000)])
    const after = await party.join('bob', { guest, store })
    await party.clock.advance(5_000)
    await Promise.all([after.room.send('again'), party.clock.advance(60_000)])
    assert.deepEqual(ann.heard(), ['bob: again'])
    assert.ok(after.events.some((event) => event.type === 'message' && event.text === 'again'))
  })

  it('says when it cannot be announced, and works once that is possible', async () => {
    await using party = createParty()
    party.network.onDht = () => {
      throw new Error('no DHT peer')
    }
    const ann = await party.join('ann')
    const bob = await party.join('bob')
    await party.clock.advance(3_000)
    assert.deepEqual(notices(ann), ['unannounced'])
    party.network.onDht = () => undefined
    await party.clock.advance(15_000)
    assert.deepEqual(ann.here(), ['ann', 'bob'])
    assert.deepEqual(bob.here(), ['bob', 'ann'])
  })

  it('leaves no timer behind', async () => {
    const party = createParty()
    const ann = await party.join('ann')
    await party.join('bob')
    await party.clock.advance(2_000)
    await party[Symbol.asyncDispose]()
    assert.equal(party.clock.pendingCount(), 0)
    await assert.rejects(ann.room.send('late'), { code: 'ERR_ROOM_CLOSED' })
    assert.throws(() => ann.room.setNick('late'), { code: 'ERR_ROOM_CLOSED' })
  })
})
