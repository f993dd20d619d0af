import fc from 'fast-check'
import type { LongTest } from '../../scripts/test-long.ts'
import { askFuzzedQuestions, fuzzedProgram, fuzzedQuestions, runFuzzedProgram } from '../support/wasi-fuzz.ts'

const SLICES = 60
const RUNS_A_SLICE = 4000

/** No sequence of WASI calls, and no question about files, gets through the WASI layer or out of its files. */
export const longTest: LongTest<number> = {
  begin: () => 0,
  slice: async (done, seed) => {
    const init = { seed: (seed + done) | 0, numRuns: RUNS_A_SLICE }
    await fc.assert(fc.asyncProperty(fuzzedProgram, runFuzzedProgram), init)
    await fc.assert(fc.asyncProperty(fuzzedQuestions, askFuzzedQuestions), init)
    const state = done + 1
    return {
      state,
      isDone: state >= SLICES,
      note: `${RUNS_A_SLICE} programs and as many lists of questions held`
    }
  }
}
