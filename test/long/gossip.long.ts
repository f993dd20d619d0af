import assert from 'node:assert/strict'
import { join } from 'node:path'
import type { LongTest } from '../../scripts/test-long.ts'
import { startProcess } from '../support/process.ts'

const RUNS = 20
const RUN_TIMEOUT_MS = 240_000

/**
 * Fifty nodes that begin to talk in the moment they join, twenty times anew: every message reaches everybody. The same
 * crowd as that of `npm run bench -- gossip`.
 */
export const longTest: LongTest<number> = {
  begin: () => 0,
  slice: async (done) => {
    const crowd = join(import.meta.dirname, '..', '..', 'bench', 'gossip-crowd.ts')
    await using running = await startProcess({ command: process.execPath, args: [crowd, 'ours'] })
    const event = await running.event('done', { timeoutMs: RUN_TIMEOUT_MS })
    const { deliveries, expected, cpuMs } = event as Record<string, number>
    assert.equal(deliveries, expected)
    const state = done + 1
    const note = `${deliveries} of ${expected} delivered, ${Math.round(Number(cpuMs))} ms of processor time`
    return { state, isDone: state >= RUNS, note }
  }
}
