import { hash } from 'node:crypto'
import { createRecent } from '#contracts'
import { PUBLIC_KEY_BYTES, SIGNATURE_BYTES, VERIFIED_BYTES_MAX, VERIFIED_MAX } from './constants.ts'
import { verifySignature } from './keys.ts'

const verified = createRecent<true>(VERIFIED_MAX)

/**
 * {@link verifySignature} that remembers what it found valid: the same record comes again and again, from each peer that holds
 * it. What is remembered is the SHA-256 over key, signature and bytes, so that no other bytes, key or signature pass for them;
 * what is not valid is never remembered, and so takes no room.
 */
export function verifySignatureOnce(
  publicKey: Uint8Array,
  bytes: Uint8Array,
  signature: Uint8Array
): boolean {
  // of fixed lengths, so that no two different inputs are hashed alike
  if (publicKey.length !== PUBLIC_KEY_BYTES || signature.length !== SIGNATURE_BYTES) return false
  if (bytes.length > VERIFIED_BYTES_MAX) return verifySignature(publicKey, bytes, signature)
  const name = hash('sha256', Buffer.concat([publicKey, signature, bytes]), 'base64')
  if (verified.get(name) === true) return true
  const isValid = verifySignature(publicKey, bytes, signature)
  if (isValid) verified.set(name, true)
  return isValid
}
