import type { LongTest } from '../../scripts/test-long.ts'
import { forkAndMeet } from '../support/private-forks.ts'

const RUNS = 60
/** Seeds, and how long the cuts lasted, of what once did not end as one room. */
const CORPUS: readonly { readonly seed: number; readonly cuts: readonly number[] }[] = [
  ...[105, 106, 107, 110].map((seed) => ({ seed, cuts: [11, 11] })),
  { seed: 303, cuts: [11, 1, 11] }
]
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
    const known = CORPUS[done]
    const cuts = known?.cuts ?? CUTS_MINUTES[done % CUTS_MINUTES.length] ?? []
    const own = known?.seed ?? seed + done
    await forkAndMeet(own, cuts)
    const state = done + 1
    return { state, isDone: state >= RUNS, note: `seed ${own}, cuts of ${cuts.join(', ')} minutes` }
  }
}
