import { createPrivateKey, createPublicKey, sign, verify, type KeyObject } from 'node:crypto'
import type { Random } from '#contracts'
import { PUBLIC_KEY_BYTES, SEED_BYTES, SIGNATURE_BYTES } from './constants.ts'
import { didFromPublicKey, type Did } from './did.ts'
import { isAcceptableKey, isAcceptableSignature } from './ed25519-strict.ts'
import { DidError } from './errors.ts'
import { nameOfSigned, rememberValid } from './valid-signatures.ts'

/** Something that can sign as a did: a key pair, or a key that never leaves where it is. */
export interface Signer {
  /** The `did:key` of the signing key. */
  readonly did: Did
  /** The 32-byte Ed25519 public key. */
  readonly publicKey: Uint8Array
  /** The 64-byte Ed25519 signature of `bytes` (RFC 8032, deterministic). */
  sign(bytes: Uint8Array): Uint8Array
}

/** An Ed25519 key pair held in memory. */
export interface KeyPair extends Signer {
  /** A copy of the 32-byte secret seed; whoever reads it owns that copy and wipes it. */
  readonly seed: Uint8Array
}

// RFC 8410: the DER that stands before a raw Ed25519 seed (PKCS #8) and before a raw public key (SPKI).
const PKCS8_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex')
const SPKI_PREFIX = Buffer.from('302a300506032b6570032100', 'hex')

/** Keeps the seed out of `JSON.stringify`, `console.log` and object spread. */
class SeedKeyPair implements KeyPair {
  readonly did: Did
  readonly publicKey: Uint8Array
  readonly #seed: Uint8Array
  readonly #privateKey: KeyObject

  constructor(seed: Uint8Array) {
    this.#seed = Uint8Array.from(seed)
    this.#privateKey = createPrivateKey({
      key: Buffer.concat([PKCS8_PREFIX, this.#seed]),
      format: 'der',
      type: 'pkcs8'
    })
    const spki = createPublicKey(this.#privateKey).export({ format: 'der', type: 'spki' })
    this.publicKey = Uint8Array.from(spki.subarray(SPKI_PREFIX.length))
    this.did = didFromPublicKey(this.publicKey)
  }

  get seed(): Uint8Array {
    return Uint8Array.from(this.#seed)
  }

  sign(bytes: Uint8Array): Uint8Array {
    const signature = Uint8Array.from(sign(null, bytes, this.#privateKey))
    // what is signed here often comes back, and is valid
    const name = nameOfSigned({ publicKey: this.publicKey, bytes, signature })
    if (name !== undefined) rememberValid(name)
    return signature
  }

  toJSON(): { did: Did } {
    return { did: this.did }
  }
}

/** A fresh key pair from 32 bytes of `random`. */
export function createKeyPair(random: Random): KeyPair {
  return new SeedKeyPair(random.bytes(SEED_BYTES))
}

/**
 * The key pair of a 32-byte Ed25519 seed (RFC 8032 §5.1.5). The seed is copied.
 *
 * @throws DidError `ERR_KEY_INVALID` when `seed` is not 32 bytes
 */
export function keyPairFromSeed(seed: Uint8Array): KeyPair {
  if (seed.length !== SEED_BYTES) {
    throw new DidError('ERR_KEY_INVALID', `expected a seed of ${SEED_BYTES} bytes, got ${seed.length}`)
  }
  return new SeedKeyPair(seed)
}

/**
 * Whether `signature` is the one Ed25519 signature form this project accepts of `bytes` by `publicKey`:
 * cofactorless equation, `S` below the group order, canonical point encodings, and neither the key nor `R` of
 * small order. Malformed input is `false`, never an error.
 *
 * @see RFC 8032 §5.1.7; "Taming the many EdDSAs" (Chalkias et al., 2020) for what the plain RFC leaves open
 */
export function verifySignature(publicKey: Uint8Array, bytes: Uint8Array, signature: Uint8Array): boolean {
  if (publicKey.length !== PUBLIC_KEY_BYTES || signature.length !== SIGNATURE_BYTES) return false
  if (!isAcceptableKey(publicKey) || !isAcceptableSignature(signature)) return false
  // A JWK (RFC 8037 §2) is read in a third of the time that DER takes.
  const x = Buffer.from(publicKey).toString('base64url')
  const key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' })
  try {
    return verify(null, bytes, key, signature)
  } catch {
    // OpenSSL throws, rather than answering false, for a key that is no curve point.
    return false
  }
}
