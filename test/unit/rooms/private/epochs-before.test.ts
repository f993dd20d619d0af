import assert from 'node:assert/strict'
import { certifyDevice, createKeyPair } from '#did'
import { namesOf, type Branch } from '../../../../rooms/private/branches.ts'
import { BEFORE_WAIT_MS } from '../../../../rooms/private/constants.ts'
import {
  openIntents,
  tidied,
  type Conversation,
  type StepContext
} from '../../../../rooms/private/conversation.ts'
import { withEpochsBefore } from '../../../../rooms/private/entering.ts'
import { foundGroup } from '../../../../rooms/private/group.ts'
import { createSuite } from '../../../../rooms/private/suite.ts'
import { createSeededRandom } from '../../../support/seeded-random.ts'

const random = createSeededRandom(9)
const [inviterKey, person] = [createKeyPair(random), createKeyPair(random)]
const [inviter, stranger] = [inviterKey.did, createKeyPair(random).did]
const nameOf = (letter: string): string => letter.repeat(64)
const [root, fork, entered, next] = ['a', 'b', 'c', 'd'].map(nameOf) as [string, string, string, string]
const group = nameOf('e')

function branch(tip: string, more: Partial<Branch> = {}): Branch {
  return { tip, by: inviter, added: [], removed: [], learnedAtMs: 0, isWhole: true, ...more }
}

async function context(signer = inviterKey): Promise<StepContext> {
  const certificate = certifyDevice(person, { device: signer.did, issuedAtMs: 1 })
  return {
    suite: await createSuite({ signer, certificate, random, isAllowed: () => true }),
    signer,
    nowMs: 1
  }
}

const { suite } = await context()
/** The keys of an epoch in which the inviter is, and of one in which somebody else is alone. */
const state = await foundGroup(suite, new Uint8Array(32), Uint8Array.of(1))
const other = await foundGroup(
  (await context(createKeyPair(random))).suite,
  new Uint8Array(32),
  Uint8Array.of(1)
)

/** A device that was taken in, and heard of a commit since. */
function conversation(now = state): Conversation {
  const branches = [branch(entered), branch(next, { parent: entered, by: stranger, state: now })]
  const info = { kind: 'room', name: 'plans', persons: [], foundedBy: inviter, foundedAtMs: 0 } as const
  return {
    ...{ group, info, root: entered, tip: next, commits: new Map(), intents: [], hasLeft: false },
    branches: new Map(branches.map((one) => [one.tip, one]))
  }
}

async function told(
  from: typeof inviter,
  chain: readonly string[],
  to = conversation()
): Promise<Conversation> {
  return withEpochsBefore(await context(), to, { kind: 'sync', group, chain, from })
}

describe('the epochs before a device entered', () => {
  it('are known by what whoever took it in tells with the welcome', async () => {
    const { branches, tip } = await told(inviter, [entered, fork, root])
    assert.deepEqual(namesOf(branches, tip), [next, entered, fork, root])
  })

  it('are taken once, and from nobody else', async () => {
    const before = conversation()
    assert.equal(await told(stranger, [entered, fork], before), before)
    assert.equal(await told(inviter, [next, fork], before), before, 'nor for an epoch after it entered')
    assert.equal(await told(inviter, [fork, root], before), before, 'nor for one that it does not know')
    const known = await told(inviter, [entered, root])
    assert.equal(await told(inviter, [entered, fork, root], known), known)
  })

  it('are taken from a later frame of theirs, when the one with the welcome was lost', async () => {
    const { branches, tip } = await told(inviter, [next, entered, fork, root])
    assert.deepEqual(namesOf(branches, tip), [next, entered, fork, root])
  })

  it('are not taken from who is not in any more', async () => {
    const without = conversation(other)
    assert.equal(await told(inviter, [entered, fork, root], without), without)
  })
  it('are waited for with what was wished before: then nobody is invited, but who was taken out is', async () => {
    const held = { askedAtMs: 0, dueAtMs: BEFORE_WAIT_MS, isRejoin: false, isHeld: true } as const
    const invitation = { ...held, device: stranger, prekey: { bytes: Uint8Array.of(1), ref: 'one' } }
    const removal = { ...held, device: inviter, removedIn: fork }
    const waiting = { ...conversation(), intents: [invitation, removal] }
    assert.deepEqual(openIntents(waiting), [removal], 'and not due before the time is over')
    assert.deepEqual(tidied(waiting, BEFORE_WAIT_MS).intents, [removal])
    const shared = await told(inviter, [entered, fork, root], waiting)
    assert.deepEqual(
      openIntents(shared).map(({ device }) => device),
      [stranger],
      'a removal that both sides share was made'
    )
    const parted = await told(inviter, [entered, root], waiting)
    assert.equal(openIntents(parted).length, 2)
    assert.ok(openIntents(parted).every(({ dueAtMs }) => dueAtMs < BEFORE_WAIT_MS))
  })
})
