import assert from 'node:assert/strict'
import { randomInt } from 'node:crypto'
import fc from 'fast-check'
import { checkTokenBytes, tokenMutants } from '../../support/token-fuzz.ts'

const seed = randomInt(2 ** 31)

describe(`fuzzing the token decoder, seed ${seed}`, () => {
  it('finds no bytes that are taken for a token which they are not', () => {
    const seen = { decoded: 0, refused: 0 }
    const property = fc.property(tokenMutants, (bytes) => {
      seen[checkTokenBytes(bytes)]++
    })
    fc.assert(property, { seed, numRuns: 5_000 })
    // Mutants that are all refused at the first byte would say little.
    assert.ok(seen.decoded > 50, `${seen.decoded} decoded`)
  })

  it('finds no bytes at all that make it fail with another error', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
        checkTokenBytes(bytes)
      }),
      { seed, numRuns: 2_000 }
    )
  })
})
