import { createPublicKey, diffieHellman, generateKeyPairSync, hkdfSync } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { defaultCrypto } from '@chainsafe/libp2p-noise/crypto'

type NoiseCrypto = typeof defaultCrypto
type Bytes = Parameters<NoiseCrypto['generateX25519SharedKey']>[0]

const NO_INFO = new Uint8Array()
const KEY_BYTES = 32

/** The private keys by what stands for them: where they are kept is the only place that needs them. */
const privateKeys = new WeakMap<Bytes, KeyObject>()

/**
 * What noise computes with, by Node. Its own takes a private key out of OpenSSL when it is made, and reads it again for each of
 * the three agreements of a handshake: that takes longer than the agreement, since its public key is computed anew each time.
 * It also derives keys in JavaScript, five times a handshake. Both sides of a handshake took 3.6 ms, and take 2.3 (processor time).
 */
export const noiseCrypto: NoiseCrypto = {
  ...defaultCrypto,
  generateX25519KeyPair: () => {
    const { publicKey, privateKey } = generateKeyPairSync('x25519')
    const standIn = new Uint8Array()
    privateKeys.set(standIn, privateKey)
    return { publicKey: publicKey.export({ format: 'raw-public' }), privateKey: standIn }
  },
  generateX25519SharedKey: (own, other) => {
    const privateKey = privateKeys.get(own)
    if (privateKey === undefined) return defaultCrypto.generateX25519SharedKey(own, other)
    const key = Buffer.from(other.subarray())
    const publicKey = createPublicKey({ key, format: 'raw-public', asymmetricKeyType: 'x25519' })
    return diffieHellman({ privateKey, publicKey })
  },
  getHKDF: deriveKeys
}

/** Three keys from the one before and what was agreed on (HKDF of RFC 5869 with SHA-256, as Noise has it in section 4.3). */
function deriveKeys(chainingKey: Uint8Array, agreed: Uint8Array): [Uint8Array, Uint8Array, Uint8Array] {
  const keys = new Uint8Array(hkdfSync('sha256', agreed, chainingKey, NO_INFO, 3 * KEY_BYTES))
  return [keys.subarray(0, KEY_BYTES), keys.subarray(KEY_BYTES, 2 * KEY_BYTES), keys.subarray(2 * KEY_BYTES)]
}
