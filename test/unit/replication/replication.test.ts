import assert from 'node:assert/strict'
import type { Replication } from '#replication'
import { createReplicaParty, type PartyMember, type ReplicaParty } from '../../support/replica-party.ts'

const MINUTE_MS = 60_000
const GIB = 2 ** 30

/** A publisher, and followers who give space; all run and have met. */
async function meet(
  size: number,
  init: { readonly seed?: number } = {}
): Promise<{
  party: ReplicaParty
  owner: PartyMember
  publisher: Replication
  followers: readonly PartyMember[]
}> {
  const party = createReplicaParty({ size, ...init })
  const [owner, ...followers] = party.members
  assert.ok(owner)
  const publisher = await party.start(owner)
  for (const follower of followers) {
    const replication = await party.start(follower)
    await replication.offer({ spaceBytes: GIB })
    await replication.follow(owner.person)
  }
  await party.clock.advance(2 * MINUTE_MS)
  return { party, owner, publisher, followers }
}

describe('replication', function () {
  this.timeout(30_000)

  it('keeps as many copies as the goal says, on devices of those who follow', async () => {
    const { party, owner, publisher, followers } = await meet(8)
    await using _party = party
    const root = await party.add(owner, { blocks: 3 })
    await publisher.setGoal(root, { copies: 3, isPublic: true })
    await party.clock.advance(MINUTE_MS)
    const holders = party.holders(root)
    assert.equal(holders.length, 3)
    assert.ok(holders.every((holder) => followers.includes(holder)))
    const { copies, wanted } = publisher.status(root)
    assert.equal(wanted, 3)
    assert.deepEqual(
      new Set(copies.map(({ holder }) => holder)),
      new Set(holders.map(({ device }) => device.did))
    )
  })

  it('has a copy again within five minutes of a holder’s death, without the owner', async () => {
    const { party, owner, publisher } = await meet(8)
    await using _party = party
    const root = await party.add(owner, { blocks: 3 })
    await publisher.setGoal(root, { copies: 3, isPublic: true })
    await party.clock.advance(3 * MINUTE_MS)
    await party.kill(owner)
    const [victim] = party.holders(root)
    assert.ok(victim)
    await party.kill(victim)
    assert.equal(party.holders(root).length, 2)
    await party.clock.advance(5 * MINUTE_MS)
    assert.equal(party.holders(root).length, 3)
  })

  it('asks no stranger, and nothing of a stranger is kept', async () => {
    const { party, publisher, owner, followers } = await meet(4)
    await using _party = party
    const [stranger] = followers
    assert.ok(stranger?.replication)
    // It follows the publisher, whom it does not ask to keep anything: nobody follows the stranger.
    const own = await party.add(stranger, { blocks: 3 })
    await stranger.replication.setGoal(own, { copies: 3, isPublic: true })
    const root = await party.add(owner, { blocks: 3 })
    await publisher.setGoal(root, { copies: 5, isPublic: true })
    await party.clock.advance(5 * MINUTE_MS)
    assert.deepEqual(party.holders(own), [])
    assert.equal(party.holders(root).length, 3)
    assert.equal(publisher.status(root).wanted, 5)
  })

  it('lets go of a copy too many after a holder came back, never below the goal', async () => {
    const { party, owner, publisher } = await meet(8)
    await using _party = party
    const root = await party.add(owner, { blocks: 3 })
    await publisher.setGoal(root, { copies: 3, isPublic: true })
    await party.clock.advance(3 * MINUTE_MS)
    const [victim] = party.holders(root)
    assert.ok(victim)
    await party.kill(victim)
    await party.clock.advance(6 * MINUTE_MS)
    await party.start(victim)
    for (let minute = 0; minute < 20; minute++) {
      await party.clock.advance(MINUTE_MS)
      assert.ok(party.holders(root).length >= 3)
    }
    assert.equal(party.holders(root).length, 3)
  })
})
