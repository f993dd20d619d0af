/** What becomes of copies when agreements, clocks, pins and devices change. */
import assert from 'node:assert/strict'
import { LEAVE_DEADLINE_MS } from '../../../replication/constants.ts'
import { meet } from '../../support/met-party.ts'
import { createReplicaParty } from '../../support/replica-party.ts'

const MINUTE_MS = 60_000
const DAY_MS = 24 * 60 * MINUTE_MS
const GIB = 2 ** 30

describe('replication, when something changes', function () {
  this.timeout(120_000)

  it('hands off after a restart what was unfollowed just before it', async () => {
    const { party, owner, publisher, followers } = await meet(3)
    await using _party = party
    const root = await party.add(owner, { blocks: 3 })
    await publisher.setGoal(root, { copies: 1, isPublic: true })
    await party.clock.advance(MINUTE_MS)
    const [holder] = party.holders(root)
    assert.ok(holder)
    await holder.replication?.unfollow(owner.person)
    await party.kill(holder)
    await party.start(holder)
    await party.clock.advance(10 * MINUTE_MS)
    assert.deepEqual(
      party.holders(root),
      followers.filter((one) => one !== holder)
    )
  })

  it('keeps nothing whose agreement ended while it was fetched', async () => {
    const { party, owner, publisher, followers } = await meet(2, { limits: { repairBytesPerSecond: 100 } })
    await using _party = party
    const [follower] = followers
    const roots = [await party.add(owner, { blocks: 3 }), await party.add(owner, { blocks: 3 })]
    for (const root of roots) await publisher.setGoal(root, { copies: 1, isPublic: true })
    await party.clock.advance(20_000)
    const held = roots.filter((root) => party.holders(root).length > 0)
    assert.equal(held.length, 1, 'the other waits for its turn')
    const left = follower?.replication?.leave()
    await party.clock.advance(MINUTE_MS)
    assert.deepEqual(
      roots.filter((root) => party.holders(root).length > 0),
      held
    )
    await party.clock.advance(6 * MINUTE_MS)
    await left
  })

  it('keeps a copy on when the user, who kept it too, does no longer', async () => {
    const { party, owner, publisher } = await meet(2)
    await using _party = party
    const root = await party.add(owner, { blocks: 3 })
    await publisher.setGoal(root, { copies: 1, isPublic: true })
    await party.clock.advance(MINUTE_MS)
    const [holder] = party.holders(root)
    assert.ok(holder)
    holder.disk.delete(root)
    holder.replication?.recheck(root)
    await party.clock.advance(1_000)
    assert.ok(holder.disk.has(root))
  })

  it('is at rest when two devices of one person want the same, and the later goal counts', async () => {
    const party = createReplicaParty({ size: 9, devicesOfFirst: 2 })
    await using _party = party
    const [laptop, desktop, ...followers] = party.members
    assert.ok(laptop && desktop)
    const own = [await party.start(laptop), await party.start(desktop)]
    for (const follower of followers) {
      const replication = await party.start(follower)
      await replication.offer({ spaceBytes: GIB })
      await replication.follow(laptop.person)
    }
    await party.clock.advance(2 * MINUTE_MS)
    const access = { isPublic: true, readers: [] }
    const root = await party.add(laptop, { blocks: 3, access })
    desktop.disk.set(root, access)
    for (const [index, device] of own.entries()) {
      await device.setGoal(root, { copies: 4 - index, isPublic: true })
      await party.clock.advance(MINUTE_MS)
    }
    await party.clock.advance(30 * MINUTE_MS)
    const { bytes } = party.fetched
    await party.clock.advance(60 * MINUTE_MS)
    assert.equal(party.holders(root).length, 3)
    assert.equal(party.fetched.bytes, bytes, 'copies are made again and again')
    for (const device of own)
      assert.deepEqual([device.status(root).copies.length, device.status(root).wanted], [3, 3])
  })

  it('keeps what others want while somebody has it wait for blocks for ever', async () => {
    const { party, owner, publisher, followers } = await meet(2)
    await using _party = party
    const [follower] = followers
    assert.ok(follower)
    for (let count = 0; count < 2; count++) {
      const root = await party.add(owner, { blocks: 3 })
      follower.stalled.add(root)
      await publisher.setGoal(root, { copies: 1, isPublic: true })
    }
    await party.clock.advance(MINUTE_MS)
    const root = await party.add(owner, { blocks: 3 })
    await publisher.setGoal(root, { copies: 1, isPublic: true })
    await party.clock.advance(20 * MINUTE_MS)
    assert.deepEqual(party.holders(root), [follower])
  })

  it('lets go of what was denied since, and keeps what a lost device signed', async () => {
    const { party, owner, publisher } = await meet(2)
    await using _party = party
    const roots = [await party.add(owner, { blocks: 3 }), await party.add(owner, { blocks: 3 })]
    for (const root of roots) await publisher.setGoal(root, { copies: 1, isPublic: true })
    await party.clock.advance(MINUTE_MS)
    const [denied, lost] = roots
    assert.ok(denied !== undefined && lost !== undefined)
    const [holder] = party.holders(lost)
    assert.ok(holder)
    holder.denied.add(denied)
    holder.denied.add(owner.device.did)
    await party.kill(holder)
    await party.start(holder)
    await party.clock.advance(10 * MINUTE_MS)
    assert.deepEqual([party.holders(denied), party.holders(lost)], [[], [holder]])
  })

  it('forgets in time what was withdrawn and is not here any more', async () => {
    const { party, owner, publisher } = await meet(2)
    await using _party = party
    const [gone, here] = [await party.add(owner, { blocks: 3 }), await party.add(owner, { blocks: 3 })]
    for (const copies of [1, 0]) {
      for (const root of [gone, here]) await publisher.setGoal(root, { copies, isPublic: true })
      await party.clock.advance(5 * MINUTE_MS)
    }
    owner.disk.delete(gone)
    const known = (): boolean[] => [gone, here].map((root) => publisher.hasGoal(root))
    party.clock.shiftWallClock(29 * DAY_MS)
    await party.clock.advance(MINUTE_MS)
    assert.deepEqual(known(), [true, true], 'a holder that comes back would not hear of it')
    party.clock.shiftWallClock(2 * DAY_MS)
    await party.clock.advance(MINUTE_MS)
    assert.deepEqual(known(), [false, true])
    await party.kill(owner)
    const again = await party.start(owner)
    assert.deepEqual([again.hasGoal(gone), again.hasGoal(here)], [false, true])
  })

  it('stops within five seconds while others answer nothing', async () => {
    const { party, owner, publisher, followers } = await meet(4)
    await using _party = party
    const root = await party.add(owner, { blocks: 3 })
    await publisher.setGoal(root, { copies: 3, isPublic: true })
    await party.clock.advance(MINUTE_MS)
    const [stopping, ...others] = followers
    assert.ok(stopping?.replication)
    for (const { device } of [owner, ...others]) party.silent.set(device.did, 0)
    // it waits for an answer when it is stopped
    const isAsking = (): boolean => party.silent.values().some((count) => count > 0)
    for (let second = 0; second < 120 && !isAsking(); second++) await party.clock.advance(1_000)
    assert.ok(isAsking())
    let hasStopped = false
    const stopped = stopping.replication[Symbol.asyncDispose]().then(() => (hasStopped = true))
    await party.clock.advance(LEAVE_DEADLINE_MS)
    assert.ok(hasStopped, 'it waits for each of them')
    await stopped
    party.silent.clear()
  })

  it('offers space again after its clock went back by a day', async () => {
    const { party, owner, publisher } = await meet(3)
    await using _party = party
    party.clock.shiftWallClock(-DAY_MS)
    await party.clock.advance(5 * MINUTE_MS)
    const root = await party.add(owner, { blocks: 3 })
    await publisher.setGoal(root, { copies: 2, isPublic: true })
    await party.clock.advance(5 * MINUTE_MS)
    assert.equal(party.holders(root).length, 2)
  })

  it('has kept what it asked for while its clock was a day ahead, when that is right again', async () => {
    const party = createReplicaParty({ size: 2 })
    await using _party = party
    const [owner, follower] = party.members
    assert.ok(owner && follower)
    const publisher = await party.start(owner)
    const root = await party.add(owner, { blocks: 3 })
    await publisher.setGoal(root, { copies: 1, isPublic: true })
    party.clock.shiftWallClock(-DAY_MS)
    const replication = await party.start(follower)
    await replication.offer({ spaceBytes: GIB })
    await replication.follow(owner.person)
    await party.clock.advance(15 * MINUTE_MS)
    assert.deepEqual(party.holders(root), [follower])
    await publisher.setGoal(root, { copies: 0 })
    await party.clock.advance(2 * MINUTE_MS)
    assert.deepEqual(party.holders(root), [])
  })
})
