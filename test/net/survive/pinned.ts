import assert from 'node:assert/strict'
import type { Keeping } from './survive-run.ts'

/** Two others pin what is added: nobody repairs anything, and all of it is there when all are there. */
export const PINNED: Keeping = {
  join: async () => {},
  keep: async ({ fleet, member, object: { cid, number }, signal }) => {
    const others = fleet.members.filter(({ isUp, number: other }) => isUp && other !== member.number)
    const keepers = [others[number % others.length], others[(number + 1) % others.length]]
    assert.notEqual(keepers[0], keepers[1])
    await Promise.all(
      keepers.map(async (keeper) => await keeper?.call('content.pin', { target: cid }, signal))
    )
  },
  settle: async (fleet) => {
    for (const { number } of fleet.members) await fleet.revive(number)
    return 'all are up'
  }
}
