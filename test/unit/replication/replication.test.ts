import assert from 'node:assert/strict'
import { systemRandom } from '#contracts'
import { createKeyPair } from '#did'
import { meet } from '../../support/met-party.ts'
import { createReplicaParty } from '../../support/replica-party.ts'

const MINUTE_MS = 60_000
const GIB = 2 ** 30

describe('replication', function () {
  this.timeout(120_000)

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

  it('withdraws a goal: holders let it go', async () => {
    const { party, owner, publisher } = await meet(6)
    await using _party = party
    const root = await party.add(owner, { blocks: 3 })
    await publisher.setGoal(root, { copies: 3, isPublic: true })
    await party.clock.advance(MINUTE_MS)
    await publisher.setGoal(root, { copies: 0 })
    await party.clock.advance(2 * MINUTE_MS)
    assert.deepEqual(party.holders(root), [])
  })

  it('keeps what is private and serves it to whom the publisher named, after the publisher is gone', async () => {
    const { party, owner, publisher } = await meet(8)
    await using _party = party
    const [reader, stranger] = [createKeyPair(systemRandom).did, createKeyPair(systemRandom).did]
    const root = await party.add(owner, { blocks: 3, access: { isPublic: false, readers: [] } })
    await publisher.setGoal(root, { copies: 3, readers: [reader] })
    await party.clock.advance(2 * MINUTE_MS)
    await party.kill(owner)
    const [victim] = party.holders(root)
    assert.ok(victim)
    await party.kill(victim)
    await party.clock.advance(6 * MINUTE_MS)
    assert.equal(party.holders(root).length, 3, 'a holder could not fetch it from the others')
    assert.ok(party.canFetch(reader, root))
    assert.ok(!party.canFetch(stranger, root))
  })

  it('makes few copies while a third is cut off, and trims them when it is back', async () => {
    const { party, owner, publisher, followers } = await meet(11)
    await using _party = party
    const roots: string[] = []
    for (let index = 0; index < 8; index++) {
      const root = await party.add(owner, { blocks: 2 })
      await publisher.setGoal(root, { copies: 4, isPublic: true })
      roots.push(root)
    }
    await party.clock.advance(5 * MINUTE_MS)
    const published = party.fetched.bytes
    const away = followers.slice(0, 3)
    const needed = roots.reduce((sum, root) => {
      const lost = party.holders(root).filter((holder) => away.includes(holder)).length
      return sum + lost * 2_000
    }, 0)
    party.cut(away)
    await party.clock.advance(15 * MINUTE_MS)
    party.cut([])
    await party.clock.advance(18 * MINUTE_MS)
    for (const root of roots) assert.equal(party.holders(root).length, 4)
    const repaired = party.fetched.bytes - published
    assert.ok(repaired >= needed, 'nothing was repaired')
    assert.ok(repaired <= 2 * needed, `${repaired} bytes where ${needed} were needed`)
  })

  it('repairs in full while it is cut off what nobody beyond the cut held', async () => {
    const { party, owner, publisher, followers } = await meet(17)
    await using _party = party
    const roots: string[] = []
    for (let index = 0; index < 16; index++) {
      const root = await party.add(owner, { blocks: 2 })
      await publisher.setGoal(root, { copies: 4, isPublic: true })
      roots.push(root)
    }
    await party.clock.advance(4 * MINUTE_MS)
    const [root = ''] = roots
    const held = party.holders(root)
    const spare = followers.filter((one) => !held.includes(one)).slice(0, 2)
    const away = [...held, ...spare]
    party.cut(away)
    await party.clock.advance(6 * MINUTE_MS)
    for (const victim of held.slice(0, 2)) await party.kill(victim)
    await party.clock.advance(6 * MINUTE_MS)
    assert.equal(party.holders(root).filter((holder) => away.includes(holder)).length, 4)
  })

  it('hands off what it has when it leaves, and no copy is missing meanwhile', async () => {
    const { party, owner, publisher } = await meet(7)
    await using _party = party
    const root = await party.add(owner, { blocks: 3 })
    await publisher.setGoal(root, { copies: 3, isPublic: true })
    await party.clock.advance(2 * MINUTE_MS)
    const [leaving] = party.holders(root)
    assert.ok(leaving?.replication)
    let hasLeft = false
    const left = leaving.replication.leave().then(() => (hasLeft = true))
    for (let second = 0; second < 120 && !hasLeft; second++) {
      await party.clock.advance(1_000)
      assert.ok(party.holders(root).length >= 3)
    }
    assert.ok(hasLeft, 'it never left')
    await left
    assert.equal(leaving.replication.quota().usedBytes, 0)
  })

  it('keeps within its space and the share of a publisher, and puts nothing wanted out for something new', async () => {
    const { party, owner, publisher, followers } = await meet(2)
    await using _party = party
    const [follower] = followers
    assert.ok(follower?.replication)
    await follower.replication.offer({ spaceBytes: 10_000, publisherBytesMax: 6_000 })
    const roots: string[] = []
    for (let index = 0; index < 4; index++) {
      const root = await party.add(owner, { blocks: 3 })
      await publisher.setGoal(root, { copies: 1, isPublic: true })
      roots.push(root)
      await party.clock.advance(2 * MINUTE_MS)
    }
    assert.deepEqual(
      roots.map((root) => party.holders(root).length),
      [1, 1, 0, 0]
    )
    assert.equal(follower.replication.quota().usedBytes, 6_000)
    // What is smaller now is handed off and, with nobody to take it, let go in the end.
    await follower.replication.offer({ spaceBytes: 3_000 })
    await party.clock.advance(7 * MINUTE_MS)
    assert.ok(follower.replication.quota().usedBytes <= 3_000)
  })

  it('does not count on somebody who has other bytes', async () => {
    const { party, owner, publisher, followers } = await meet(6)
    await using _party = party
    const [liar] = followers
    assert.ok(liar)
    liar.isLiar = true
    const root = await party.add(owner, { blocks: 40 })
    await publisher.setGoal(root, { copies: 5, isPublic: true })
    await party.clock.advance(2 * MINUTE_MS)
    const { copies } = await publisher.challenge(root)
    const others = copies.filter(({ holder }) => holder !== liar.device.did)
    assert.equal(copies.length, others.length, 'the liar still counts')
    assert.ok(others.length === 4 && others.every(({ challenge }) => challenge?.isPassed === true))
  })

  it('keeps for a group, and for whoever asks as a volunteer', async () => {
    const party = createReplicaParty({ size: 4 })
    await using _party = party
    const [alice, bob, carol, volunteer] = party.members
    assert.ok(alice && bob && carol && volunteer)
    const [a, b, c, v] = await Promise.all(
      [alice, bob, carol, volunteer].map(async (one) => await party.start(one))
    )
    assert.ok(a && b && c && v)
    const group = await a.createGroup('friends', [bob.person])
    await b.joinGroup(group.id)
    await assert.rejects(c.joinGroup(group.id), { code: 'ERR_GROUP_NOT_MEMBER' })
    await v.offer({ spaceBytes: GIB, isVolunteer: true })
    const root = await party.add(alice, { blocks: 3 })
    await a.setGoal(root, { copies: 3, isPublic: true })
    await party.clock.advance(3 * MINUTE_MS)
    assert.deepEqual(party.holders(root), [bob, volunteer])
  })

  it('gives what is private to people who were chosen and not to volunteers, who let go of what was made private', async () => {
    const party = createReplicaParty({ size: 3 })
    await using _party = party
    const [alice, bob, volunteer] = party.members
    assert.ok(alice && bob && volunteer)
    const [a, b, v] = [await party.start(alice), await party.start(bob), await party.start(volunteer)]
    const group = await a.createGroup('friends', [bob.person])
    await b.joinGroup(group.id)
    await v.offer({ spaceBytes: GIB, isVolunteer: true })
    const root = await party.add(alice, { blocks: 3, access: { isPublic: false, readers: [] } })
    await a.setGoal(root, { copies: 2 })
    await party.clock.advance(3 * MINUTE_MS)
    assert.deepEqual(party.holders(root), [bob])
    assert.ok(!volunteer.disk.has(root), 'a stranger was given what is private')

    await a.setGoal(root, { isPublic: true })
    await party.clock.advance(3 * MINUTE_MS)
    assert.deepEqual(party.holders(root), [bob, volunteer])
    await a.setGoal(root, { isPublic: false })
    await party.clock.advance(10 * MINUTE_MS)
    assert.deepEqual(party.holders(root), [bob])
  })

  it('goes on after a restart with what it agreed to and holds', async () => {
    const { party, owner, publisher, followers } = await meet(4)
    await using _party = party
    const root = await party.add(owner, { blocks: 3 })
    await publisher.setGoal(root, { copies: 3, isPublic: true })
    await party.clock.advance(2 * MINUTE_MS)
    const [follower] = followers
    assert.ok(follower)
    await party.kill(follower)
    const fetched = party.fetched.bytes
    const again = await party.start(follower)
    assert.deepEqual(again.followed(), [owner.person])
    assert.ok(again.holds(root))
    await party.clock.advance(5 * MINUTE_MS)
    assert.equal(party.holders(root).length, 3)
    assert.equal(party.fetched.bytes, fetched, 'what was there was fetched again')
  })

  it('makes more copies of what many ask for, and fewer when they no longer do', async () => {
    const { party, owner, publisher } = await meet(6)
    await using _party = party
    const root = await party.add(owner, { blocks: 3 })
    await publisher.setGoal(root, { copies: 2, isPublic: true })
    await party.clock.advance(2 * MINUTE_MS)
    for (let minute = 0; minute < 6; minute++) {
      for (const holder of party.holders(root)) holder.demand.set(root, 60)
      await party.clock.advance(MINUTE_MS)
    }
    assert.ok(party.holders(root).length > 2)
    await party.clock.advance(40 * MINUTE_MS)
    assert.equal(party.holders(root).length, 2)
  })

  it('makes more copies of what many ask its publisher for, as of a new release, and holders keep them while they do', async () => {
    const { party, owner, publisher } = await meet(6)
    await using _party = party
    const root = await party.add(owner, { blocks: 3 })
    await publisher.setGoal(root, { copies: 2, isPublic: true })
    await party.clock.advance(2 * MINUTE_MS)
    for (let minute = 0; minute < 6; minute++) {
      owner.demand.set(root, 120)
      await party.clock.advance(MINUTE_MS)
    }
    const copies = party.holders(root).length
    assert.ok(copies > 2, 'nobody made a copy more')
    const { bytes } = party.fetched
    for (let minute = 0; minute < 20; minute++) {
      owner.demand.set(root, 120)
      await party.clock.advance(MINUTE_MS)
      assert.ok(party.holders(root).length >= copies, 'holders let go of it at once')
    }
    assert.ok(party.fetched.bytes <= bytes + 2 * 3_000, 'copies are made again and again')
    for (const holder of party.holders(root)) {
      const status = holder.replication?.status(root)
      const known = status?.copies.map((copy) => copy.holder) ?? []
      assert.ok(!known.includes(owner.device.did), 'the owner counts as a copy')
      assert.equal(status?.wanted, publisher.status(root).wanted)
    }
    await party.clock.advance(40 * MINUTE_MS)
    assert.equal(party.holders(root).length, 2)
  })

  it('leaves no timer behind', async () => {
    const { party, publisher, owner } = await meet(4)
    const root = await party.add(owner, { blocks: 3 })
    await publisher.setGoal(root, { copies: 3, isPublic: true })
    await party.clock.advance(MINUTE_MS)
    await party[Symbol.asyncDispose]()
    assert.equal(party.clock.pendingCount(), 0)
  })
})
