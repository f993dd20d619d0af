import { createHash } from 'node:crypto'
import * as ed from '@noble/ed25519'

ed.hashes.sha512 = (message) => Uint8Array.from(createHash('sha512').update(message).digest())

function scalarOf(bytes: Uint8Array): bigint {
  return BigInt(`0x0${Buffer.from(bytes).reverse().toString('hex')}`)
}

/**
 * Strict Ed25519 verification written again on noble's points, to judge ours by: canonical encodings, nothing of
 * small order, `S` below the group order, and the equation without the cofactor (noble's own `verify` multiplies
 * by it, and so takes more).
 */
export function oracleVerify(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  if (publicKey.length !== 32 || signature.length !== 64) return false
  const { n: order } = ed.Point.CURVE()
  const scalar = scalarOf(signature.subarray(32))
  if (scalar >= order) return false
  try {
    const key = ed.Point.fromBytes(publicKey, false)
    const commitment = ed.Point.fromBytes(signature.subarray(0, 32), false)
    if (key.isSmallOrder() || commitment.isSmallOrder()) return false
    const hash = createHash('sha512').update(signature.subarray(0, 32)).update(publicKey).update(message)
    const challenge = scalarOf(hash.digest()) % order
    const left = ed.Point.BASE.multiply(scalar, false)
    return commitment.add(key.multiply(challenge, false)).equals(left)
  } catch {
    return false
  }
}

/** Noble's signature of `message`, another implementation than ours. */
export function oracleSign(
  seed: Uint8Array,
  message: Uint8Array
): { publicKey: Uint8Array; signature: Uint8Array } {
  return { publicKey: ed.getPublicKey(seed), signature: ed.sign(message, seed) }
}
