import type { LongTest } from '../../scripts/test-long.ts'
import { forkAndMeet } from '../support/private-forks.ts'

const RUNS = 60
/** How long the cuts last: some forks are settled by reading, some are too old for it. */
const CUTS_MINUTES: readonly (readonly number[])[] = [
  [11, 11],
  [1, 11, 1],
  [11, 1, 11],
  [1, 1, 1]
]

/** Private rooms that fork again and again, in virtual time: each ends as one, with nothing left to settle. */
export const longTest: LongTest<number> = {
  begin: () => 0,
  slice: async (done, seed) => {
    const cuts = CUTS_MINUTES[done % CUTS_MINUTES.length] ?? []
    await forkAndMeet(seed + done, cuts)
    const state = done + 1
    return { state, isDone: state >= RUNS, note: `seed ${seed + done}, cuts of ${cuts.join(', ')} minutes` }
  }
}
