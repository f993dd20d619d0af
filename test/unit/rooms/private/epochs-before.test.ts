import assert from 'node:assert/strict'
import { createKeyPair } from '#did'
import { namesOf, type Branch } from '../../../../rooms/private/branches.ts'
import type { Conversation } from '../../../../rooms/private/conversation.ts'
import { withEpochsBefore } from '../../../../rooms/private/hearing.ts'
import { createSeededRandom } from '../../../support/seeded-random.ts'

const random = createSeededRandom(9)
const [inviter, stranger] = [createKeyPair(random).did, createKeyPair(random).did]
const nameOf = (letter: string): string => letter.repeat(64)
const [root, fork, entered, next] = ['a', 'b', 'c', 'd'].map(nameOf) as [string, string, string, string]
const group = nameOf('e')

function branch(tip: string, more: Partial<Branch> = {}): Branch {
  return { tip, by: inviter, added: [], removed: [], learnedAtMs: 0, isWhole: true, ...more }
}

/** A device that was taken in, and heard of a commit since. */
function conversation(): Conversation {
  const branches = [branch(entered), branch(next, { parent: entered, by: stranger })]
  const info = { kind: 'room', name: 'plans', persons: [], foundedBy: inviter, foundedAtMs: 0 } as const
  return {
    ...{ group, info, root: entered, tip: next, commits: new Map(), intents: [], hasLeft: false },
    branches: new Map(branches.map((one) => [one.tip, one]))
  }
}

function told(from: typeof inviter, chain: readonly string[], to = conversation()): Conversation {
  return withEpochsBefore(to, { kind: 'sync', group, chain, from })
}

describe('the epochs before a device entered', () => {
  it('are known by what whoever took it in tells with the welcome', () => {
    const { branches, tip } = told(inviter, [entered, fork, root])
    assert.deepEqual(namesOf(branches, tip), [next, entered, fork, root])
  })

  it('are taken once, and from nobody else', () => {
    const before = conversation()
    assert.equal(told(stranger, [entered, fork], before), before)
    assert.equal(told(inviter, [next, fork], before), before, 'nor for an epoch after it entered')
    assert.equal(told(inviter, [fork, root], before), before, 'nor for one that it does not know')
    const known = told(inviter, [entered, root])
    assert.equal(told(inviter, [entered, fork, root], known), known)
  })
})
