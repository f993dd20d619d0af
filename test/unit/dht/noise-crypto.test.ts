import assert from 'node:assert/strict'
import { defaultCrypto, pureJsCrypto } from '@chainsafe/libp2p-noise/crypto'
import { noiseCrypto } from '../../../dht/noise-crypto.ts'

const hex = (bytes: { subarray(): Uint8Array }): string => Buffer.from(bytes.subarray()).toString('hex')

describe('dht/noise-crypto', () => {
  it('agrees on keys with what noise comes with, from either side', () => {
    for (const theirs of [defaultCrypto, pureJsCrypto, noiseCrypto]) {
      const [a, b] = [noiseCrypto.generateX25519KeyPair(), theirs.generateX25519KeyPair()]
      assert.equal(a.publicKey.subarray().length, 32)
      const ours = noiseCrypto.generateX25519SharedKey(a.privateKey, b.publicKey)
      assert.equal(hex(ours), hex(theirs.generateX25519SharedKey(b.privateKey, a.publicKey)))
    }
  })

  it('takes keys that it has not made', () => {
    const [a, b] = [defaultCrypto.generateX25519KeyPair(), noiseCrypto.generateX25519KeyPair()]
    const shared = noiseCrypto.generateX25519SharedKey(a.privateKey, b.publicKey)
    assert.equal(hex(shared), hex(noiseCrypto.generateX25519SharedKey(b.privateKey, a.publicKey)))
  })

  it('refuses a key with which nothing secret can be agreed on', () => {
    const { privateKey } = noiseCrypto.generateX25519KeyPair()
    assert.throws(() => noiseCrypto.generateX25519SharedKey(privateKey, new Uint8Array(32)))
  })

  it('derives the keys that noise derives in JavaScript, also from nothing', () => {
    for (const [chainingKey, agreed] of [
      [Buffer.alloc(32, 1), Buffer.alloc(32, 2)],
      [Buffer.alloc(32, 3), Buffer.alloc(0)]
    ] as const) {
      assert.deepEqual(
        noiseCrypto.getHKDF(chainingKey, agreed).map(hex),
        pureJsCrypto.getHKDF(chainingKey, agreed).map(hex)
      )
    }
  })
})
