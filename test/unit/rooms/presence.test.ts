/** Signs of life, in virtual time: how many are sent, and that everybody is known all the same. */
import assert from 'node:assert/strict'
import { openMessage } from '#rooms'
import { silentLogger } from '#contracts'
import { GREETERS, NEWCOMER_MS, PRESENCE_EXPIRY_MS, PRESENCE_INTERVAL_MS } from '../../../rooms/constants.ts'
import { startPresence } from '../../../rooms/presence.ts'
import type { Speaker } from '../../../rooms/speaker.ts'
import { createParty, type GuestRoom, type Party } from '../../support/room-party.ts'
import { createSeededRandom } from '../../support/seeded-random.ts'
import { createVirtualClock } from '../../support/virtual-clock.ts'

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

  it('greet who arrives by as many as are connected to it, however large the room is', async () => {
    const greeted = async (peers: number): Promise<number> => {
      const clock = createVirtualClock()
      const random = createSeededRandom(9)
      let count = 0
      await using presence = startPresence(
        { clock, random, logger: silentLogger },
        {
          speaker: { say: () => new Uint8Array() } as unknown as Speaker,
          outbox: { publishOnce: async () => await Promise.resolve(count++) },
          memberCount: () => 50,
          peerCount: () => peers
        }
      )
      await clock.advance(NEWCOMER_MS)
      for (let arrival = 0; arrival < 100; arrival++) {
        const before = count
        presence.greet()
        await clock.advance(PRESENCE_INTERVAL_MS / 2)
        count = Math.min(count, before + 1)
      }
      return count
    }
    // its signs of life come every other arrival as well
    const beats = await greeted(1_000_000)
    assert.equal(await greeted(GREETERS), 100)
    assert.ok((await greeted(8 * GREETERS)) < 100)
    assert.ok(beats < 70, `${beats}`)
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
