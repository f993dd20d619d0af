import { verifySignature } from './keys.ts'
import { isKnownValid, nameOfSigned, rememberValid } from './valid-signatures.ts'

/**
 * {@link verifySignature} that remembers what it found valid, and what this process signed itself: the same record comes again
 * and again, from each peer that holds it. What is not valid is never remembered, and so takes no room.
 */
export function verifySignatureOnce(
  publicKey: Uint8Array,
  bytes: Uint8Array,
  signature: Uint8Array
): boolean {
  const name = nameOfSigned({ publicKey, bytes, signature })
  if (name !== undefined && isKnownValid(name)) return true
  const isValid = verifySignature(publicKey, bytes, signature)
  if (isValid && name !== undefined) rememberValid(name)
  return isValid
}
