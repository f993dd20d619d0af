/** Members of a room who cannot reach each other for a while, in virtual time. */
import assert from 'node:assert/strict'
import { CONTACTS_MAX } from '../../../rooms/constants.ts'
import { createParty, type GuestRoom, type Party } from '../../support/room-party.ts'

const SECOND_MS = 1_000
/** How soon members are together again when they can be: the longest wait between attempts, and some seconds. */
const TOGETHER_MS: number = 45 * SECOND_MS

async function meet(party: Party, count: number): Promise<GuestRoom[]> {
  const guests: GuestRoom[] = []
  for (let index = 0; index < count; index++) guests.push(await party.join(`guest ${index}`))
  await party.clock.advance(15 * SECOND_MS)
  for (const guest of guests) assert.equal(guest.here().length, count)
  return guests
}

const idsOf = (guests: readonly GuestRoom[]): string[] => guests.map(({ peerId }) => peerId)

describe('members who were cut off from each other', () => {
  for (const cutS of [19, 60, 600]) {
    it(`hear each other soon after it ends: two, for ${cutS} s`, async () => {
      await using party = createParty({ seed: cutS })
      const [ann, bob] = await meet(party, 2)
      assert.ok(ann && bob)
      party.network.split([ann.peerId])
      await party.clock.advance(cutS * SECOND_MS)
      void ann.room.send('are you there?')
      party.network.heal()
      await party.clock.advance(TOGETHER_MS)
      assert.deepEqual(bob.heard(), ['guest 0: are you there?'])
      void bob.room.send('yes')
      await party.clock.advance(SECOND_MS)
      assert.deepEqual(ann.heard(), ['guest 1: yes'])
    })
  }

  it('hear each other though each side has company enough, and everything that was said meanwhile', async () => {
    await using party = createParty({ seed: 3 })
    const guests = await meet(party, 2 * (CONTACTS_MAX + 1))
    const side = guests.slice(0, guests.length / 2)
    const [one, other] = [guests[0], guests.at(-1)]
    assert.ok(one && other)
    party.network.split(idsOf(side))
    await party.clock.advance(20 * SECOND_MS)
    void one.room.send('from one side')
    void other.room.send('from the other')
    await party.clock.advance(SECOND_MS)
    assert.deepEqual(one.heard(), [])
    party.network.heal()
    await party.clock.advance(15 * SECOND_MS)
    void one.room.send('together')
    await party.clock.advance(15 * SECOND_MS)
    const hearing = (text: string): GuestRoom[] =>
      guests.filter((guest) => guest.heard().join().includes(text))
    assert.equal(hearing('together').length, guests.length - 1)
    // The gap before it is asked for at once; the other side's text is known to none that spoke.
    assert.equal(hearing('from one side').length, guests.length - 1)
    await party.clock.advance(30 * SECOND_MS)
    assert.equal(hearing('from the other').length, guests.length - 1)
  })
})
