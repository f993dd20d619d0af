import assert from 'node:assert/strict'
import { describeCopies } from '../../../cli/replica-view.ts'

const HOLDER = 'did:key:z6MkeXBLjYiSvqnhFb6D7sHm8yKm4jV45wwBFRaatf1cfZ76'
const ROOT = {
  ...{ cid: 'bafkqaaa', person: 'did:key:z6Mkx', isOwn: true, bytes: 10, isPublic: true },
  ...{ copiesGoal: 1, copiesWanted: 1, taking: [], candidates: 0 }
}

describe('copies as they are shown', () => {
  it('say once who has one, and a host only where it says more than that', () => {
    const copy = { holder: HOLDER, isThis: false, host: HOLDER.slice(-48), leaseMs: 1_000 }
    const [, own = ''] = describeCopies({ ...ROOT, copies: [copy] }, 0)
    assert.equal(own.split(HOLDER.slice(-48)).length, 2, own)
    const named = { ...copy, host: 'attic', network: 'home' }
    assert.match(describeCopies({ ...ROOT, copies: [named] }, 0)[1] ?? '', /attic home/)
    assert.match(describeCopies({ ...ROOT, copies: [copy] }, 0)[0] ?? '', /1 of 1 copy/)
  })

  it('say when it was shown, and how many prepared questions are left', () => {
    const challenge = { atMs: 1_000, isPassed: true, tookMs: 7 }
    const copy = { holder: HOLDER, isThis: false, leaseMs: 1_000, challenge, prepared: 1 }
    const [, row] = describeCopies({ ...ROOT, copies: [copy] }, 4_000)
    assert.match(row ?? '', /showed it 3 s ago in 7 ms, 1 prepared question left/)
    const fresh = { holder: HOLDER, isThis: false, leaseMs: 1_000, prepared: 16 }
    const [, before] = describeCopies({ ...ROOT, copies: [fresh] }, 4_000)
    assert.match(before ?? '', /not challenged yet, 16 prepared questions left/)
  })
})
