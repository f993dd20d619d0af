import fc from 'fast-check'
import type { LongTest } from '../../scripts/test-long.ts'
import { checkManifestBytes, manifestMutants } from '../support/manifest-fuzz.ts'

const SLICES = 20
const RUNS_A_SLICE = 20_000

/** No bytes say, ask or take more than a manifest may. What is found goes into `test/vectors/capsule-manifest`. */
export const longTest: LongTest<number> = {
  begin: () => 0,
  slice: (done, seed) => {
    const seen = { read: 0, refused: 0 }
    const property = fc.property(manifestMutants, (bytes) => {
      seen[checkManifestBytes(bytes)]++
    })
    fc.assert(property, { seed: (seed + done) | 0, numRuns: RUNS_A_SLICE })
    const state = done + 1
    const note = `${seen.refused} refused, ${seen.read} read and within bounds`
    return Promise.resolve({ state, isDone: state >= SLICES, note })
  }
}
