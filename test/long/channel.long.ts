import fc from 'fast-check'
import type { LongTest } from '../../scripts/test-long.ts'
import { checkFlood, floods } from '../support/channel-fuzz.ts'
import { checkProvider, providerWords } from '../support/provider-fuzz.ts'

// A flood and a hostile provider take some 14 ms of one core: a whole is a few minutes of it, so that it gets run; another seed
// is another whole.
const SLICES = 10
const RUNS_A_SLICE = 1_000

/** Whatever a capsule writes on its channel, it gets what it was granted, and others get what they asked for. */
export const longTest: LongTest<number> = {
  begin: () => 0,
  slice: async (done, seed) => {
    const init = { seed: (seed + done) | 0, numRuns: RUNS_A_SLICE }
    await fc.assert(
      fc.asyncProperty(floods, async (flood) => await checkFlood(flood)),
      init
    )
    await fc.assert(
      fc.asyncProperty(providerWords, async (words) => await checkProvider(words)),
      init
    )
    const state = done + 1
    return {
      state,
      isDone: state >= SLICES,
      note: `${RUNS_A_SLICE} floods and as many hostile providers held`
    }
  }
}
