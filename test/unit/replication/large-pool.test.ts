import assert from 'node:assert/strict'
import { MET_MAX } from '../../../replication/constants.ts'
import { createReplicaParty, type PartyMember } from '../../support/replica-party.ts'

const MINUTE_MS = 60_000
const GIB = 2 ** 30

describe('a pool of more than a device remembers as met', function () {
  this.timeout(120_000)

  it('is known to everybody, and then nobody looks for the others again and again, also when somebody comes', async () => {
    const size = MET_MAX + 14
    await using party = createReplicaParty({ size: size + 1 })
    const { members, clock, sent, searches } = party
    const join = async (some: readonly PartyMember[]): Promise<void> => {
      for (const member of some) {
        const replication = await party.start(member)
        await replication.offer({ spaceBytes: GIB, isVolunteer: true })
      }
    }
    await join(members.slice(0, size))
    await clock.advance(3 * MINUTE_MS)
    const [owner] = members
    assert.ok(owner?.replication)
    const root = await party.add(owner, { blocks: 1 })
    await owner.replication.setGoal(root, { copies: 0, isPublic: true })
    assert.equal(owner.replication.status(root).candidates, size - 1)
    const before = sent.count
    await clock.advance(MINUTE_MS)
    // an exchange a minute of at most a few questions; who looked every two seconds would ask hundreds
    const perMinute = (sent.count - before) / size
    assert.ok(perMinute > 0 && perMinute < 8, `${perMinute} questions a minute`)
    const searched = searches.count
    await join(members.slice(size))
    await clock.advance(5 * MINUTE_MS)
    // once or twice into each of two pools; who began anew with two seconds because of the one that came would six times
    const each = (searches.count - searched) / size
    assert.ok(each > 0 && each < 5, `each looked ${each} times`)
    assert.equal(owner.replication.status(root).candidates, size, 'everybody hears of who came')
  })
})
