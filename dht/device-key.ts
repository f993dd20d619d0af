import { createPrivateKey, sign } from 'node:crypto'
import { privateKeyFromRaw } from '@libp2p/crypto/keys'
import type { PrivateKey } from '@libp2p/interface'
import type { KeyPair } from '#did'

/**
 * The device's key as libp2p takes it. libp2p reads the key anew from JSON for each signature, of which each connection takes
 * two on either side: that takes longer than the signature.
 */
export function deviceKey({ seed, publicKey }: Pick<KeyPair, 'seed' | 'publicKey'>): PrivateKey {
  const key = privateKeyFromRaw(Buffer.concat([seed, publicKey]))
  const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64url')
  const jwk = { kty: 'OKP', crv: 'Ed25519', d: text(seed), x: text(publicKey) }
  const read = createPrivateKey({ key: jwk, format: 'jwk' })
  const signed = (message: Parameters<PrivateKey['sign']>[0]): Uint8Array =>
    sign(null, message.subarray(), read)
  return Object.assign(key, { sign: signed })
}
