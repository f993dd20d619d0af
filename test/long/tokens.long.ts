import fc from 'fast-check'
import type { LongTest } from '../../scripts/test-long.ts'
import { checkTokenBytes, tokenMutants } from '../support/token-fuzz.ts'

const SLICES = 100
const RUNS_A_SLICE = 50_000

/** No bytes are taken for a token which they are not. What is found goes into `test/vectors/capability-token`. */
export const longTest: LongTest<number> = {
  begin: () => 0,
  slice: (done, seed) => {
    const seen = { decoded: 0, refused: 0 }
    const property = fc.property(tokenMutants, (bytes) => {
      seen[checkTokenBytes(bytes)]++
    })
    fc.assert(property, { seed: (seed + done) | 0, numRuns: RUNS_A_SLICE })
    const state = done + 1
    const note = `${seen.refused} refused, ${seen.decoded} decoded and unsigned or genuine`
    return Promise.resolve({ state, isDone: state >= SLICES, note })
  }
}
