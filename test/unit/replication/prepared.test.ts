/** Who let its own copy go has holders show theirs, by answers that it prepared while it had one. */
import assert from 'node:assert/strict'
import type { Replication } from '#replication'
import { PREPARED_PER_HOLDER, SILENCES_MAX } from '../../../replication/constants.ts'
import { meet } from '../../support/met-party.ts'
import type { PartyMember, ReplicaParty } from '../../support/replica-party.ts'

const MINUTE_MS = 60_000
const DAY_MS = 24 * 60 * MINUTE_MS

interface Scene {
  readonly party: ReplicaParty
  readonly owner: PartyMember
  readonly publisher: Replication
  readonly root: string
}

/** An owner whose copy is gone, after it prepared answers for three holders. */
async function scene(): Promise<Scene> {
  const { party, owner, publisher } = await meet(4)
  const root = await party.add(owner, { blocks: 40 })
  await publisher.setGoal(root, { copies: 3, isPublic: true })
  await party.clock.advance(2 * MINUTE_MS)
  assert.equal(await publisher.prepare(root), 3)
  owner.disk.delete(root)
  return { party, owner, publisher, root }
}

async function challenge({ party, publisher, root }: Omit<Scene, 'owner'>): Promise<void> {
  const challenged = publisher.challenge(root)
  await party.clock.advance(15_000)
  await challenged
}

function preparedKeys(owner: PartyMember): string[] {
  return [...owner.entries.keys()].filter((key) => key.startsWith('prepared/'))
}

describe('prepared challenges', function () {
  this.timeout(60_000)

  it('show after the owner’s copy is gone that holders have theirs, each used once', async () => {
    const now = await scene()
    await using _party = now.party
    const { publisher, root } = now
    for (let used = 1; used <= PREPARED_PER_HOLDER; used++) {
      const atMs = now.party.clock.nowMs()
      await challenge(now)
      for (const { challenge: result, prepared } of publisher.status(root).copies) {
        assert.ok(result?.isPassed === true && result.atMs >= atMs)
        assert.equal(prepared, PREPARED_PER_HOLDER - used)
      }
    }
    const before = publisher.status(root).copies.map(({ challenge: result }) => result?.atMs)
    await challenge(now)
    const after = publisher.status(root).copies.map(({ challenge: result }) => result?.atMs)
    assert.deepEqual(after, before, 'something was asked that nobody knows the answer to')
  })

  it('count out who threw it away, and who goes on saying that it has it and never answers', async () => {
    const now = await scene()
    await using _party = now.party
    const { party, publisher, root } = now
    const [liar, mute, honest] = party.holders(root)
    assert.ok(liar && mute && honest)
    liar.isLiar = true
    party.silent.set(mute.device.did, 0)
    for (let round = 0; round < SILENCES_MAX; round++) {
      await challenge(now)
      const isCounted = publisher.status(root).copies.some(({ holder }) => holder === mute.device.did)
      assert.equal(isCounted, round < SILENCES_MAX - 1)
      await party.clock.advance(2 * MINUTE_MS)
    }
    party.silent.clear()
    const counted = publisher.status(root).copies.map(({ holder }) => holder)
    assert.deepEqual(counted, [honest.device.did])
  })

  it('are not used up by somebody who cannot be reached, nor twice after a crash', async () => {
    const now = await scene()
    await using _party = now.party
    const { party, owner, publisher, root } = now
    const [gone] = party.holders(root)
    assert.ok(gone)
    await challenge(now)
    await party.kill(gone)
    const left = (): number | undefined =>
      publisher.status(root).copies.find(({ holder }) => holder === gone.device.did)?.prepared
    for (let round = 0; round < 5; round++) await challenge(now)
    // once when it was there, and each time that it was no longer known to be down
    assert.ok((left() ?? 0) >= PREPARED_PER_HOLDER - 3, `${left()} left`)
    const stored = preparedKeys(owner).map((key) => owner.entries.get(key)?.length)
    await party.kill(owner)
    const again = await party.start(owner)
    await party.clock.advance(2 * MINUTE_MS)
    assert.deepEqual(
      preparedKeys(owner).map((key) => owner.entries.get(key)?.length),
      stored
    )
    const { copies } = again.status(root)
    assert.ok(copies.some(({ prepared }) => prepared === PREPARED_PER_HOLDER - 6))
    await challenge({ ...now, publisher: again })
    assert.ok(again.status(root).copies.some(({ challenge: result }) => result?.isPassed === true))
  })

  it('are used one a day without being asked to, and go with the goal', async () => {
    const now = await scene()
    await using _party = now.party
    const { party, owner, publisher, root } = now
    await party.clock.advance(45 * MINUTE_MS)
    const left = (): number[] => publisher.status(root).copies.map(({ prepared }) => prepared)
    assert.deepEqual(
      left(),
      Array.from({ length: 3 }, () => PREPARED_PER_HOLDER - 1)
    )
    party.clock.shiftWallClock(DAY_MS)
    await party.clock.advance(45 * MINUTE_MS)
    assert.deepEqual(
      left(),
      Array.from({ length: 3 }, () => PREPARED_PER_HOLDER - 2)
    )
    assert.equal(await publisher.prepare(root), 0, 'answers were made of what is not here')
    assert.deepEqual(
      left(),
      Array.from({ length: 3 }, () => PREPARED_PER_HOLDER - 2)
    )
    await publisher.setGoal(root, { copies: 0 })
    assert.deepEqual(preparedKeys(owner), [])
  })
})
