import { CID } from 'multiformats/cid'
import { decodeToken, type Token } from '#capability'
import { encodeCanonical, publicKeyFromDid, type Did, type Signer } from '#did'

/** The claims of a token, as free as a hostile issuer is. */
export interface RawClaims {
  readonly audience: Did
  readonly subject: Did
  readonly command: string
  readonly resource: string
  readonly notBeforeMs?: number
  readonly expiresAtMs: number | null
  readonly epoch: number
  readonly usesMax?: number
  readonly proof?: string
  readonly nonce: Uint8Array
}

/** Signs claims without asking whether they only narrow: what a hostile issuer can do. */
export function sealRawToken(issuer: Signer, claims: RawClaims): Token {
  const map = rawClaims(issuer.did, claims)
  const message = Buffer.concat([
    Uint8Array.of(0x82),
    encodeCanonical('elastos/capability/1'),
    encodeCanonical(map)
  ])
  return decodeToken(encodeCanonical([1, map, issuer.sign(message)]))
}

/** The map of short keys, written a second time so that the format is not only what one function does. */
export function rawClaims(issuer: Did, claims: RawClaims): Record<string, unknown> {
  const { audience, subject, notBeforeMs, usesMax, proof } = claims
  const map: Record<string, unknown> = {
    iss: binaryDid(issuer),
    aud: binaryDid(audience),
    cmd: claims.command,
    res: claims.resource,
    exp: claims.expiresAtMs,
    nonce: claims.nonce,
    epo: claims.epoch
  }
  if (subject !== audience) map['sub'] = binaryDid(subject)
  if (notBeforeMs !== undefined) map['nbf'] = notBeforeMs
  if (usesMax !== undefined) map['max'] = usesMax
  if (proof !== undefined) map['prf'] = CID.parse(proof)
  return map
}

function binaryDid(did: Did): Uint8Array {
  return Uint8Array.from([0xed, 0x01, ...publicKeyFromDid(did)])
}
