import { hash } from 'node:crypto'
import { base32 } from 'multiformats/bases/base32'
import { CID } from 'multiformats/cid'
import * as Digest from 'multiformats/hashes/digest'
import { CID_PATH_CHARS_MAX, DIGEST_BYTES_MAX, DIGEST_BYTES_MIN, REPEATED_CHARS_MAX } from './constants.ts'
import { ContentError } from './errors.ts'

/** Codecs of blocks that this node stores and walks (https://github.com/multiformats/multicodec). */
export const RAW_CODEC = 0x55
/** See {@link RAW_CODEC}. */
export const DAG_PB_CODEC = 0x70
/** See {@link RAW_CODEC}. */
export const DAG_CBOR_CODEC = 0x71

const IDENTITY_HASH = 0x00
const SHA2_256_HASH = 0x12
/** Hash functions by multicodec; 32- and 64-byte digests only, never a truncated one. */
const HASHES: ReadonlyMap<number, { name: string; bytes: number }> = new Map([
  [SHA2_256_HASH, { name: 'sha256', bytes: 32 }],
  [0x13, { name: 'sha512', bytes: 64 }]
])
const CODECS: ReadonlySet<number> = new Set([RAW_CODEC, DAG_PB_CODEC, DAG_CBOR_CODEC])

/** A CID and the names to follow from it. */
export interface CidPath {
  readonly cid: CID
  readonly names: readonly string[]
}

/**
 * Checks that this node can store, verify and walk the block of `cid`.
 *
 * @throws ContentError `ERR_CID_UNSUPPORTED`
 */
export function checkCid(cid: CID): void {
  if (!CODECS.has(cid.code)) {
    throw new ContentError(
      'ERR_CID_UNSUPPORTED',
      `expected codec raw, dag-pb or dag-cbor and got ${cid.code}`
    )
  }
  const { code, digest } = cid.multihash
  if (code === IDENTITY_HASH && digest.length <= DIGEST_BYTES_MAX) return
  if (HASHES.get(code)?.bytes !== digest.length || digest.length < DIGEST_BYTES_MIN) {
    throw new ContentError('ERR_CID_UNSUPPORTED', `expected sha2-256 or sha2-512 and got hash ${code}`)
  }
}

/**
 * The CID that `text` is, in base32, base36 or base58btc.
 *
 * @throws ContentError `ERR_CID_INVALID`, `ERR_CID_UNSUPPORTED`
 */
export function parseCid(text: string): CID {
  if (text.length === 0 || text.length > CID_PATH_CHARS_MAX) {
    throw new ContentError('ERR_CID_INVALID', `expected a CID and got ${text.length} characters`)
  }
  let cid: CID
  try {
    cid = CID.parse(text)
  } catch (cause) {
    const got = JSON.stringify(
      text.length > REPEATED_CHARS_MAX ? `${text.slice(0, REPEATED_CHARS_MAX)}…` : text
    )
    throw new ContentError('ERR_CID_INVALID', `expected a CID such as bafy… or bafk…, got ${got}`, { cause })
  }
  checkCid(cid)
  return cid
}

function decodeUrlName(name: string): string {
  try {
    return decodeURIComponent(name)
  } catch (cause) {
    throw new ContentError('ERR_CID_INVALID', 'expected percent-encoded UTF-8 in the ipfs:// address', {
      cause
    })
  }
}

/**
 * Parses `CID`, `CID/a/b`, `/ipfs/CID/a/b` and `ipfs://CID/a/b` (percent-encoded). One slash at the end is
 * allowed; empty, `.` and `..` names are not.
 *
 * @throws ContentError `ERR_CID_INVALID`, `ERR_CID_UNSUPPORTED`
 */
export function parseCidPath(text: string): CidPath {
  if (text.length > CID_PATH_CHARS_MAX) {
    throw new ContentError('ERR_CID_INVALID', `expected at most ${CID_PATH_CHARS_MAX} characters`)
  }
  const isUrl = text.startsWith('ipfs://')
  if (isUrl && /[?#]/.test(text)) {
    throw new ContentError('ERR_CID_INVALID', 'expected an ipfs:// address without ? and #')
  }
  const bare = isUrl
    ? text.slice('ipfs://'.length)
    : text.startsWith('/ipfs/')
      ? text.slice('/ipfs/'.length)
      : text
  const [first = '', ...rest] = (bare.endsWith('/') ? bare.slice(0, -1) : bare).split('/')
  const names = isUrl ? rest.map(decodeUrlName) : rest
  for (const name of names) {
    if (name === '' || name === '.' || name === '..' || name.includes('/') || name.includes('\0')) {
      throw new ContentError('ERR_CID_INVALID', 'expected CID/name/name without empty, . and .. names')
    }
  }
  return { cid: parseCid(first), names }
}

/** Where a block is kept: its multihash in base32, so that the same bytes under two codecs are one block. */
export function blockKey(cid: CID): string {
  return base32.baseEncode(cid.multihash.bytes)
}

/** The raw-codec CID of a {@link blockKey}, or `undefined` when the text is none. */
export function cidFromBlockKey(key: string): CID | undefined {
  try {
    const cid = CID.createV1(RAW_CODEC, Digest.decode(base32.baseDecode(key)))
    checkCid(cid)
    return blockKey(cid) === key ? cid : undefined
  } catch {
    return undefined
  }
}

/** The bytes of a block that is its own CID, else `undefined`. */
export function inlineBlock(cid: CID): Uint8Array | undefined {
  return cid.multihash.code === IDENTITY_HASH ? cid.multihash.digest : undefined
}

/**
 * Whether `bytes` hash to `cid`.
 *
 * @throws ContentError `ERR_CID_UNSUPPORTED`
 */
export function matchesCid(cid: CID, bytes: Uint8Array): boolean {
  checkCid(cid)
  const { code, digest } = cid.multihash
  return Buffer.compare(digestOf(code, bytes) ?? bytes, digest) === 0
}

/** Whether a block travels: not one that is its own CID, nor one that nobody could verify. */
export function travels(cid: CID): boolean {
  try {
    checkCid(cid)
    return inlineBlock(cid) === undefined
  } catch {
    return false
  }
}

/** The digest of `bytes` under a multihash code; `undefined` for identity and for what this node does not handle. */
export function digestOf(code: number, bytes: Uint8Array): Uint8Array | undefined {
  const known = HASHES.get(code)
  return known === undefined ? undefined : hash(known.name, bytes, 'buffer')
}

/** The sha2-256 CIDv1 of `bytes`. */
export function cidOf(codec: number, bytes: Uint8Array): CID {
  const digest = hash('sha256', bytes, 'buffer')
  return CID.createV1(codec, Digest.create(SHA2_256_HASH, digest))
}
