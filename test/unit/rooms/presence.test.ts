/** Signs of life, in virtual time: how many are sent, and that everybody is known all the same. */
import assert from 'node:assert/strict'
import { openMessage } from '#rooms'
import { GREETERS, PRESENCE_EXPIRY_MS, PRESENCE_INTERVAL_MS } from '../../../rooms/constants.ts'
import { createParty, type GuestRoom, type Party } from '../../support/room-party.ts'

const SECOND_MS = 1_000
const MEMBERS = 24

/** How many presences the devices of some sent since the wire had `since` messages. */
function presencesOf(party: Party, guests: readonly GuestRoom[], since: number): number {
  const devices = new Set(guests.map(({ device }) => device.did))
  const sent = party.network.published
    .slice(since)
    .map(({ bytes }) => openMessage(bytes, { room: 'lobby' }))
    .filter(({ kind, device }) => kind === 'presence' && devices.has(device))
  return sent.length
}

async function meet(party: Party, count: number): Promise<GuestRoom[]> {
  const guests: GuestRoom[] = []
  for (let index = 0; index < count; index++) guests.push(await party.join(`guest ${index}`))
  await party.clock.advance(30 * SECOND_MS)
  for (const guest of guests) assert.equal(guest.here().length, count)
  return guests
}

describe('signs of life', () => {
  it('greet a newcomer by lot in a large room, and it knows everybody at once', async () => {
    await using party = createParty({ seed: 5 })
    const guests = await meet(party, MEMBERS)
    // It is connected already, as a node is to others of a small network, and finds nobody by the rendezvous.
    party.network.providersMax = 0
    const since = party.network.published.length
    const newcomer = await party.join('newcomer')
    const { signal } = new AbortController()
    const connecting = guests.map(async ({ peerId }) => {
      await party.network.linkOf(peerId).connect({ peerId: newcomer.peerId, multiaddrs: [] }, { signal })
    })
    await party.clock.advance(4 * SECOND_MS)
    await Promise.all(connecting)
    assert.equal(newcomer.here().length, MEMBERS + 1)
    for (const guest of guests) assert.ok(guest.here().includes('newcomer'))
    const greetings = presencesOf(party, guests, since)
    assert.ok(greetings > 0 && greetings < MEMBERS - GREETERS, `${greetings} greeted`)
  })

  it('are told by everybody in a small one', async () => {
    await using party = createParty({ seed: 6 })
    party.network.isExchangeBroken = true
    const guests = await meet(party, GREETERS)
    const newcomer = await party.join('newcomer')
    await party.clock.advance(5 * SECOND_MS)
    assert.equal(newcomer.here().length, guests.length + 1)
  })

  it('are left out by who has just spoken, and nobody takes them for gone', async () => {
    await using party = createParty({ seed: 7 })
    const [speaker, listener] = await meet(party, 2)
    assert.ok(speaker && listener)
    const since = party.network.published.length
    for (let at = 0; at < 4 * PRESENCE_EXPIRY_MS; at += 5 * SECOND_MS) {
      void speaker.room.send('still here')
      await party.clock.advance(5 * SECOND_MS)
    }
    const ofListener = presencesOf(party, [listener], since)
    const ofSpeaker = presencesOf(party, [speaker], since)
    assert.ok(ofSpeaker > 0 && ofSpeaker <= Math.ceil(ofListener / 2) + 1, `${ofSpeaker} of ${ofListener}`)
    assert.ok(ofSpeaker >= Math.floor((4 * PRESENCE_EXPIRY_MS) / (2.4 * PRESENCE_INTERVAL_MS)) - 1)
    // It falls silent: what it leaves out is no more than that.
    await party.clock.advance(4 * PRESENCE_EXPIRY_MS)
    const gone = listener.events.filter(({ type }) => type === 'left')
    assert.deepEqual([gone, listener.here().length], [[], 2])
  })
})
