import assert from 'node:assert/strict'
import fc from 'fast-check'
import { DidError, keyPairFromSeed, openEnvelope, sealEnvelope } from '#did'
import type { LongTest } from '../../scripts/test-long.ts'

const LABELS = { domain: 'elastos/test', type: 'long/1' }
const SLICES = 100
const RUNS_A_SLICE = 20_000

/** No mutation of an envelope opens, and none makes the decoder fail with anything but its own error. */
export const longTest: LongTest<number> = {
  begin: () => 0,
  slice: (done, seed) => {
    const signer = keyPairFromSeed(new Uint8Array(32).fill(7))
    const sealed = sealEnvelope(signer, { ...LABELS, payload: { text: 'hello', list: [1, 2, 3] } })
    const mutation = fc.record({
      at: fc.nat(sealed.length - 1),
      remove: fc.nat(4),
      insert: fc.uint8Array({ maxLength: 4 })
    })
    const property = fc.property(fc.array(mutation, { minLength: 1, maxLength: 4 }), (mutations) => {
      const mutated = mutations.reduce(mutate, sealed)
      if (Buffer.compare(mutated, sealed) === 0) return
      assert.throws(() => openEnvelope(mutated, { ...LABELS, bytesMax: 4096 }), DidError)
    })
    fc.assert(property, { seed: (seed + done) | 0, numRuns: RUNS_A_SLICE })
    const state = done + 1
    return Promise.resolve({ state, isDone: state >= SLICES, note: `${RUNS_A_SLICE} mutations refused` })
  }
}

function mutate(bytes: Uint8Array, m: { at: number; remove: number; insert: Uint8Array }): Uint8Array {
  return Buffer.concat([bytes.subarray(0, m.at), m.insert, bytes.subarray(m.at + m.remove)])
}
