import assert from 'node:assert/strict'
import type { LongTest } from '../../scripts/test-long.ts'
import { runCrowd } from '../support/capsule-crowd.ts'

const SLICES = 5
const CROWD = { spinning: 20, flooding: 20, answering: 60, durationMs: 30_000 }

/**
 * A hundred capsules on one node: every call is answered, in order, and none ends because of another. How long it took is
 * reported, not asserted: that is the machine's, and what else runs on it.
 */
export const longTest: LongTest<number> = {
  begin: () => 0,
  slice: async (done) => {
    const { asked, answered, misplaced, ended, answerMs, statusMs, floodedBytes, upMs } =
      await runCrowd(CROWD)
    assert.deepEqual(answered, asked)
    assert.equal(misplaced, 0)
    assert.deepEqual(ended, {})
    assert(floodedBytes.every((bytes) => bytes > 0))
    const note =
      `100 up after ${Math.round(upMs / 1000)} s; ${answerMs.count} answers: p50 ${answerMs.p50}, p99 ${answerMs.p99}, ` +
      `max ${answerMs.max} ms (1000 allowed); ${statusMs.count} × status: p50 ${statusMs.p50}, p99 ${statusMs.p99} ms ` +
      `(200 allowed)`
    const state = done + 1
    return { state, isDone: state >= SLICES, note }
  }
}
