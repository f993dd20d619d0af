import assert from 'node:assert/strict'
import { randomInt } from 'node:crypto'
import fc from 'fast-check'
import { checkManifestBytes, manifestMutants } from '../../support/manifest-fuzz.ts'

const seed = randomInt(2 ** 31)

describe(`fuzzing the manifest, seed ${seed}`, () => {
  it('finds no bytes that say, ask or take more than a manifest may', () => {
    const seen = { read: 0, refused: 0 }
    const property = fc.property(manifestMutants, (bytes) => {
      seen[checkManifestBytes(bytes)]++
    })
    fc.assert(property, { seed, numRuns: 2_500 })
    // Mutants that are all refused at the first key would say little.
    assert.ok(seen.read > 100 && seen.refused > 500, JSON.stringify(seen))
  })

  it('finds no bytes at all that make it fail with another error', () => {
    const any = fc.oneof(
      fc.uint8Array({ maxLength: 400 }),
      fc.json({ maxDepth: 6 }).map((text) => Buffer.from(text)),
      // As deep and as long as its limit lets through.
      fc.nat(33_000).map((depth) => Buffer.from('['.repeat(depth) + ']'.repeat(depth))),
      fc.nat(10_000).map((depth) => Buffer.from('{"limits":'.repeat(depth) + '1' + '}'.repeat(depth)))
    )
    const property = fc.property(any, (bytes) => {
      checkManifestBytes(bytes)
    })
    fc.assert(property, { seed, numRuns: 500 })
  })
})
