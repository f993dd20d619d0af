import assert from 'node:assert/strict'
import { systemRandom } from '#contracts'
import { createKeyPair } from '#did'
import type { Offer } from '#replication'
import { OFFER_LATE_MS } from '../../../replication/constants.ts'
import { whomToAsk } from '../../../replication/decide.ts'

const HOUR_MS = 3_600_000

function offerOf(change: Partial<Offer>): Offer {
  const holder = createKeyPair(systemRandom).did
  return {
    ...{ holder, person: holder, pool: '*', host: holder, network: '' },
    ...{ spaceBytes: 1_000, freeBytes: 1_000, issuedAtMs: 0, expiresAtMs: HOUR_MS },
    ...change
  }
}

function asked(
  offers: readonly Offer[],
  o: { copies: number; live?: readonly Offer[]; nowMs?: number }
): string[] {
  const [owner, self] = [createKeyPair(systemRandom).did, createKeyPair(systemRandom).did]
  const goal = {
    ...{ root: 'bafkqaaa', owner, person: owner, pools: ['*'], copies: o.copies },
    ...{ bytes: 1, isPublic: true, readers: [], issuedAtMs: 0 }
  }
  const live = new Set((o.live ?? []).map(({ holder }) => holder))
  return whomToAsk({ goal, self, live, demand: 0, offers, without: new Set(), nowMs: o.nowMs ?? 0 })
}

describe('whom to ask for a copy', () => {
  it('are those last who have not said anew that they offer', () => {
    const late = Array.from({ length: 20 }, () => offerOf({ expiresAtMs: HOUR_MS, spaceBytes: 2 ** 40 }))
    const fresh = Array.from({ length: 3 }, () => offerOf({ expiresAtMs: 2 * HOUR_MS }))
    const nowMs = HOUR_MS - OFFER_LATE_MS + 1
    const first = asked([...late, ...fresh], { copies: 4, nowMs })
    const isFresh = first.map((one) => fresh.some(({ holder }) => holder === one))
    assert.deepEqual(isFresh, [true, true, true, false])
  })

  it('are those last whose person has a copy on another device', () => {
    const own = createKeyPair(systemRandom).did
    const crowd = Array.from({ length: 20 }, () => offerOf({ person: own, spaceBytes: 2 ** 40 }))
    const others = Array.from({ length: 2 }, () => offerOf({}))
    const first = asked([...crowd, ...others], { copies: 3, live: crowd.slice(0, 1) })
    assert.deepEqual(new Set(first), new Set(others.map(({ holder }) => holder)))
  })
})
