import { createPrivateKey, sign } from 'node:crypto'
import { privateKeyFromRaw } from '@libp2p/crypto/keys'
import type { PrivateKey, PublicKey } from '@libp2p/interface'
import { verifySignatureOnce, type KeyPair } from '#did'

/** What stands before the key of noise that the device's key vouches for, in each handshake (libp2p's noise specification). */
const NOISE_PREFIX = Buffer.from('noise-libp2p-static-key:')

/** What checks signatures in all of libp2p's Ed25519 keys. */
type Verifying = Pick<PublicKey, 'raw' | 'verify'>

/**
 * The device's key as libp2p takes it. libp2p reads the key anew from JSON for each signature, of which each connection takes
 * two on either side: that takes longer than the signature. In each handshake it vouches for the same key of noise, which
 * is signed once; and what a peer signs in each of its handshakes, and says of itself, is checked once ({@link verifySignatureOnce}).
 */
export function deviceKey({ seed, publicKey }: Pick<KeyPair, 'seed' | 'publicKey'>): PrivateKey {
  const key = privateKeyFromRaw(Buffer.concat([seed, publicKey]))
  const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64url')
  const jwk = { kty: 'OKP', crv: 'Ed25519', d: text(seed), x: text(publicKey) }
  const read = createPrivateKey({ key: jwk, format: 'jwk' })
  let vouched: { readonly bytes: Uint8Array; readonly signature: Uint8Array } | undefined
  const signed = (message: Parameters<PrivateKey['sign']>[0]): Uint8Array => {
    const bytes = message.subarray()
    if (vouched !== undefined && Buffer.compare(vouched.bytes, bytes) === 0) return vouched.signature
    const signature = sign(null, bytes, read)
    const isVouching = Buffer.compare(bytes.subarray(0, NOISE_PREFIX.length), NOISE_PREFIX) === 0
    if (isVouching) vouched = { bytes: Uint8Array.from(bytes), signature }
    return signature
  }
  checkOnce(key.publicKey)
  return Object.assign(key, { sign: signed })
}

/** libp2p makes a key of what a peer sends each time, so that only what is common to all keys of a kind remembers anything. */
function checkOnce(key: PublicKey): void {
  const ofAll = Object.getPrototypeOf(key) as Verifying
  ofAll.verify = verifyOnce
}

function verifyOnce(
  this: Verifying,
  ...[data, signature, options]: Parameters<PublicKey['verify']>
): boolean {
  options?.signal?.throwIfAborted()
  return verifySignatureOnce(this.raw, data.subarray(), signature)
}
