import { hash } from 'node:crypto'
import { createRecent } from '#contracts'
import { PUBLIC_KEY_BYTES, SIGNATURE_BYTES, VERIFIED_BYTES_MAX, VERIFIED_MAX } from './constants.ts'

const valid = createRecent<true>(VERIFIED_MAX)

/** A key, what it signed, and how. */
export interface Signed {
  readonly publicKey: Uint8Array
  readonly bytes: Uint8Array
  readonly signature: Uint8Array
}

/**
 * What a valid signature is remembered by: the SHA-256 over key, signature and bytes, so that no other key, signature or bytes
 * pass for them. `undefined` for what is not remembered: it is too large, or key and signature have not the one length each
 * that keeps two different inputs from being hashed alike.
 */
export function nameOfSigned({ publicKey, bytes, signature }: Signed): string | undefined {
  const isSized = publicKey.length === PUBLIC_KEY_BYTES && signature.length === SIGNATURE_BYTES
  if (!isSized || bytes.length > VERIFIED_BYTES_MAX) return undefined
  return hash('sha256', Buffer.concat([publicKey, signature, bytes]), 'base64')
}

/** Whether it was found valid, or made by this process, lately. */
export function isKnownValid(name: string): boolean {
  return valid.get(name) === true
}

/** Remembers what was found valid, or was signed here just now. */
export function rememberValid(name: string): void {
  valid.set(name, true)
}
