import assert from 'node:assert/strict'
import type { Did } from '#did'
import { REPLAY_DEVICES_MAX } from '../../../rooms/constants.ts'
import { createReplayGuard } from '../../../rooms/replay-guard.ts'

const NOW_MS = 1_800_000_000_000
const TWO_DAYS_MS = 48 * 3_600_000

describe('a replay guard', () => {
  it('lets nothing through twice, however many devices are made up', () => {
    const guard = createReplayGuard()
    const from = (n: number): Did => `did:key:z${n}`
    const victim = { device: from(-1), sequence: 7, sentAtMs: NOW_MS }
    guard.admit(victim, NOW_MS)
    let refused = 0
    for (let n = 0; n < REPLAY_DEVICES_MAX + 10; n++) {
      try {
        guard.admit({ device: from(n), sequence: 1, sentAtMs: NOW_MS }, NOW_MS)
      } catch (error) {
        assert.equal((error as { code?: string }).code, 'ERR_ROOM_CROWDED')
        refused++
      }
    }
    assert.equal(refused, 11)
    assert.equal(guard.size, REPLAY_DEVICES_MAX)
    assert.throws(() => guard.admit(victim, NOW_MS), { code: 'ERR_MESSAGE_REPLAYED' })
    guard.admit({ ...victim, sequence: 8 }, NOW_MS)
  })

  it('makes room once the time check refuses everything a device said', () => {
    const guard = createReplayGuard()
    for (let n = 0; n < REPLAY_DEVICES_MAX; n++) {
      guard.admit({ device: `did:key:z${n}`, sequence: 1, sentAtMs: NOW_MS }, NOW_MS)
    }
    const late = { device: 'did:key:zlate', sequence: 1, sentAtMs: NOW_MS + TWO_DAYS_MS } as const
    assert.throws(() => guard.admit(late, NOW_MS + TWO_DAYS_MS), { code: 'ERR_ROOM_CROWDED' })
    guard.admit(late, NOW_MS + TWO_DAYS_MS + 1)
    assert.equal(guard.size, 1)
  })

  it('survives the largest jump of a sequence number', () => {
    const guard = createReplayGuard()
    const device = 'did:key:z1'
    guard.admit({ device, sequence: 0, sentAtMs: NOW_MS }, NOW_MS)
    guard.admit({ device, sequence: Number.MAX_SAFE_INTEGER, sentAtMs: NOW_MS }, NOW_MS)
    assert.throws(() => guard.admit({ device, sequence: 0, sentAtMs: NOW_MS }, NOW_MS), {
      code: 'ERR_MESSAGE_REPLAYED'
    })
    assert.equal(guard.highest(device), Number.MAX_SAFE_INTEGER)
  })
})
