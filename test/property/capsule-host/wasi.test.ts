import { randomInt } from 'node:crypto'
import fc from 'fast-check'
import {
  askFuzzedQuestions,
  fuzzedProgram,
  fuzzedQuestions,
  runFuzzedProgram
} from '../../support/wasi-fuzz.ts'

describe('the WASI layer, fuzzed', () => {
  const seed = randomInt(2 ** 31)

  it(`holds whatever a program calls it with (seed ${seed})`, async function () {
    this.timeout(60_000)
    const property = fc.asyncProperty(fuzzedProgram, runFuzzedProgram)
    await fc.assert(property, { seed, numRuns: 600, interruptAfterTimeLimit: 20_000 })
  })

  it(`holds whatever a process asks about files (seed ${seed})`, async function () {
    this.timeout(60_000)
    const property = fc.asyncProperty(fuzzedQuestions, askFuzzedQuestions)
    await fc.assert(property, { seed, numRuns: 600, interruptAfterTimeLimit: 20_000 })
  })
})
