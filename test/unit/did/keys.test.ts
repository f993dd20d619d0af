import assert from 'node:assert/strict'
import { inspect } from 'node:util'
import { systemRandom } from '#contracts'
import { createKeyPair, keyPairFromSeed, verifySignature } from '#did'
import { isAcceptableKey, isAcceptableSignature } from '../../../did/ed25519-strict.ts'
import { oracleSign, oracleVerify } from '../../support/ed25519-oracle.ts'
import invalid from '../../vectors/ed25519/invalid.json' with { type: 'json' }
import valid from '../../vectors/ed25519/valid.json' with { type: 'json' }

interface Vector {
  readonly comment: string
  readonly publicKey: string
  readonly message: string
  readonly signature: string
}

function fromHex(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text, 'hex'))
}

function verifyBoth(vector: Vector): [boolean, boolean] {
  const parts = [fromHex(vector.publicKey), fromHex(vector.message), fromHex(vector.signature)] as const
  return [verifySignature(...parts), oracleVerify(...parts)]
}

describe('Ed25519 verification', () => {
  for (const vector of valid) {
    it(`accepts: ${vector.comment}`, () => {
      assert.deepEqual(verifyBoth(vector), [true, true])
    })
  }

  for (const vector of invalid) {
    it(`refuses: ${vector.comment}`, () => {
      assert.deepEqual(verifyBoth(vector), [false, false])
    })
  }

  // Whatever the OpenSSL of the day thinks of them, these must never reach it.
  for (const vector of invalid.filter(({ refusedBy }) => refusedBy === 'bytes')) {
    it(`needs no equation to refuse: ${vector.comment}`, () => {
      const publicKey = fromHex(vector.publicKey)
      const signature = fromHex(vector.signature)
      const isLengthRight = publicKey.length === 32 && signature.length === 64
      assert.ok(!isLengthRight || !isAcceptableKey(publicKey) || !isAcceptableSignature(signature))
    })
  }
})

describe('key pairs', () => {
  it('sign as another implementation does', () => {
    const keyPair = createKeyPair(systemRandom)
    const message = systemRandom.bytes(100)
    const { publicKey, signature } = oracleSign(keyPair.seed, message)
    assert.deepEqual(keyPair.publicKey, publicKey)
    assert.deepEqual(keyPair.sign(message), signature)
    assert.ok(verifySignature(keyPair.publicKey, message, signature))
  })

  it('are the same from the same seed, and differ otherwise', () => {
    const keyPair = createKeyPair(systemRandom)
    assert.equal(keyPairFromSeed(keyPair.seed).did, keyPair.did)
    assert.notEqual(createKeyPair(systemRandom).did, keyPair.did)
  })

  it('refuse a seed of another length', () => {
    assert.throws(() => keyPairFromSeed(new Uint8Array(31)), { code: 'ERR_KEY_INVALID' })
    assert.throws(() => keyPairFromSeed(new Uint8Array(64)), { code: 'ERR_KEY_INVALID' })
  })

  it('keep the seed out of logs, JSON and spread, and safe from its reader', () => {
    const keyPair = createKeyPair(systemRandom)
    const seed = keyPair.seed
    const shown =
      inspect(keyPair, { showHidden: true, depth: 5, maxArrayLength: 100 }) +
      JSON.stringify(keyPair) +
      inspect({ ...keyPair })
    const numbers = shown.split(/[^0-9]+/).join(',')
    assert.ok(numbers.includes(keyPair.publicKey.join(',')), 'this is how bytes would be found')
    assert.ok(!numbers.includes(seed.subarray(0, 4).join(',')))
    seed.fill(0)
    assert.notDeepEqual(keyPair.seed, seed)
  })
})
