import assert from 'node:assert/strict'
import { deriveSecret } from '../../../did/slip10.ts'
import vectors from '../../vectors/slip10/valid.json' with { type: 'json' }

describe('SLIP-0010 Ed25519 derivation', () => {
  for (const { comment, seed, path, secret } of vectors) {
    it(`${comment}: m${path.map((index) => `/${index}'`).join('')}`, () => {
      assert.equal(Buffer.from(deriveSecret(Buffer.from(seed, 'hex'), path)).toString('hex'), secret)
    })
  }

  it('refuses what no path can have', () => {
    const seed = new Uint8Array(64)
    for (const index of [-1, 2 ** 31, 0.5, Number.NaN]) {
      assert.throws(() => deriveSecret(seed, [index]), { code: 'ERR_KEY_INVALID' })
    }
    assert.throws(() => deriveSecret(new Uint8Array(15), []), { code: 'ERR_KEY_INVALID' })
    assert.throws(() => deriveSecret(new Uint8Array(65), []), { code: 'ERR_KEY_INVALID' })
  })
})
