/**
 * The part of strict Ed25519 verification that can be decided from the bytes alone. OpenSSL's equation is
 * cofactorless, but whether it takes keys and `R` of small order, or a y that is not reduced, differs between the
 * releases that Node carries (20 takes them, 26 does not), so none of it is left to OpenSSL.
 */

/** y coordinates of the eight points whose order divides 8, little-endian, sign bit clear. */
const SMALL_ORDER_Y = new Set([
  '0100000000000000000000000000000000000000000000000000000000000000',
  '0000000000000000000000000000000000000000000000000000000000000000',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a'
])

/** The group order L = 2^252 + 27742317777372353535851937790883648493, big-endian. */
const GROUP_ORDER = Buffer.from('1000000000000000000000000000000014def9dea2f79cd65812631a5cf5d3ed', 'hex')
/** The field prime p = 2^255 - 19, big-endian. */
const FIELD_PRIME = Buffer.from('7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffed', 'hex')

/**
 * Whether 32 bytes are a reduced encoding of a point that is not of small order. Whether they lie on the curve
 * at all is left to the verifier. Points with x = 0 are of small order, so a set sign bit on them is covered.
 */
function isAcceptablePoint(encoded: Uint8Array): boolean {
  const y = Buffer.from(encoded)
  y[31] = (y[31] ?? 0) & 0x7f
  if (SMALL_ORDER_Y.has(y.toString('hex'))) return false
  return Buffer.compare(y.reverse(), FIELD_PRIME) < 0
}

/** Whether a 32-byte public key is canonical and not of small order. */
export function isAcceptableKey(publicKey: Uint8Array): boolean {
  return isAcceptablePoint(publicKey)
}

/** Whether a 64-byte signature has a canonical `R` that is not of small order and an `S` below the group order. */
export function isAcceptableSignature(signature: Uint8Array): boolean {
  if (!isAcceptablePoint(signature.subarray(0, 32))) return false
  return Buffer.compare(Buffer.from(signature.subarray(32)).reverse(), GROUP_ORDER) < 0
}
