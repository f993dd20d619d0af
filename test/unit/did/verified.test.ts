import assert from 'node:assert/strict'
import { systemRandom } from '#contracts'
import { createKeyPair, verifySignatureOnce } from '#did'
import { VERIFIED_BYTES_MAX } from '../../../did/constants.ts'
import invalid from '../../vectors/ed25519/invalid.json' with { type: 'json' }
import valid from '../../vectors/ed25519/valid.json' with { type: 'json' }

const fromHex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'hex'))

describe('a signature that was verified before', () => {
  it('is what it is without the memory, again and again, for every vector', () => {
    for (let turn = 0; turn < 3; turn++) {
      for (const [isValid, vectors] of [
        [true, valid],
        [false, invalid]
      ] as const) {
        for (const { publicKey, message, signature, comment } of vectors) {
          const is = verifySignatureOnce(fromHex(publicKey), fromHex(message), fromHex(signature))
          assert.equal(is, isValid, comment)
        }
      }
    }
  })

  it('makes nothing else valid: no other bytes, key or signature, and no bytes moved from one to the other', () => {
    const [alice, bob] = [createKeyPair(systemRandom), createKeyPair(systemRandom)]
    const bytes = systemRandom.bytes(40)
    const signature = alice.sign(bytes)
    assert.ok(verifySignatureOnce(alice.publicKey, bytes, signature))
    const flipped = (one: Uint8Array, at: number): Uint8Array =>
      one.map((byte, index) => (index === at ? byte ^ 1 : byte))
    for (let at = 0; at < 40; at++)
      assert.ok(!verifySignatureOnce(alice.publicKey, flipped(bytes, at), signature))
    for (let at = 0; at < 64; at++)
      assert.ok(!verifySignatureOnce(alice.publicKey, bytes, flipped(signature, at)))
    for (let at = 0; at < 32; at++)
      assert.ok(!verifySignatureOnce(flipped(alice.publicKey, at), bytes, signature))
    assert.ok(!verifySignatureOnce(bob.publicKey, bytes, signature))
    assert.ok(!verifySignatureOnce(alice.publicKey, bytes.subarray(1), signature))
    const all = Buffer.concat([alice.publicKey, signature, bytes])
    for (const [key, signed] of [
      [31, 64],
      [32, 63],
      [33, 63],
      [32, 65],
      [0, 64]
    ] as const) {
      const parts = [
        all.subarray(0, key),
        all.subarray(key + signed),
        all.subarray(key, key + signed)
      ] as const
      assert.ok(!verifySignatureOnce(...parts), `${key} and ${signed}`)
    }
  })

  it('is right for large bytes too, of which nothing is remembered', () => {
    const pair = createKeyPair(systemRandom)
    const large = systemRandom.bytes(VERIFIED_BYTES_MAX + 1)
    const signature = pair.sign(large)
    for (let turn = 0; turn < 2; turn++) {
      assert.ok(verifySignatureOnce(pair.publicKey, large, signature))
      assert.ok(!verifySignatureOnce(pair.publicKey, large.subarray(1), signature))
    }
  })
})
