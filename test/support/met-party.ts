import assert from 'node:assert/strict'
import type { Replication } from '#replication'
import {
  createReplicaParty,
  type PartyMember,
  type ReplicaParty,
  type ReplicaPartyInit
} from './replica-party.ts'

const MINUTE_MS = 60_000
const GIB = 2 ** 30

/** A publisher, and followers who give space; all run and have met. */
export async function meet(
  size: number,
  init: Pick<ReplicaPartyInit, 'seed' | 'limits'> = {}
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
