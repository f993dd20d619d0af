import { base36 } from 'multiformats/bases/base36'
import { base58btc } from 'multiformats/bases/base58'
import { createRecent, type Recent } from '#contracts'
import { KEY_NAME_CHARS_MAX, KEY_NAMES_MAX, PUBLIC_KEY_BYTES } from './constants.ts'
import { isAcceptableKey } from './ed25519-strict.ts'
import { DidError, type KeyErrorCode } from './errors.ts'

/** A `did:key` of an Ed25519 key: always `did:key:z6Mk…`. */
export type Did = `did:key:z${string}`

const DID_PREFIX = 'did:key:'

// multicodec table: 0xed ed25519-pub, as an unsigned varint.
const DID_KEY_HEAD = Uint8Array.of(0xed, 0x01)
// libp2p peer-ids.md: identity multihash (0x00, 36 bytes) of the protobuf PublicKey{Type: Ed25519 (1), Data: 32 bytes}.
const PEER_ID_HEAD = Uint8Array.of(0x00, 0x24, 0x08, 0x01, 0x12, 0x20)
// CIDv1 (0x01) with the libp2p-key codec (0x72) around the same multihash.
const IPNS_NAME_HEAD = Uint8Array.of(0x01, 0x72, ...PEER_ID_HEAD)

interface KeyNameForm {
  readonly what: string
  readonly code: KeyErrorCode
  readonly head: Uint8Array
  readonly encode: (bytes: Uint8Array) => string
  readonly decode: (text: string) => Uint8Array
  /** Names that were read, and what they name; those who are talked with come up in every message. */
  readonly read: Recent<Uint8Array>
  /** The names of keys, as Latin-1. */
  readonly written: Recent<string>
}

function memory(): Pick<KeyNameForm, 'read' | 'written'> {
  return { read: createRecent(KEY_NAMES_MAX), written: createRecent(KEY_NAMES_MAX) }
}

const DID_FORM: KeyNameForm = {
  what: 'a did:key of an Ed25519 key (did:key:z6Mk…)',
  code: 'ERR_DID_INVALID',
  head: DID_KEY_HEAD,
  encode: (bytes) => DID_PREFIX + base58btc.encode(bytes),
  decode: (text) => base58btc.decode(text.slice(DID_PREFIX.length)),
  ...memory()
}

const PEER_ID_FORM: KeyNameForm = {
  what: 'a PeerId of an Ed25519 key (12D3KooW…)',
  code: 'ERR_PEER_ID_INVALID',
  head: PEER_ID_HEAD,
  encode: (bytes) => base58btc.encode(bytes).slice(1),
  decode: (text) => base58btc.decode(`z${text}`),
  ...memory()
}

const IPNS_FORM: KeyNameForm = {
  what: 'an IPNS name of an Ed25519 key (k51…)',
  code: 'ERR_IPNS_NAME_INVALID',
  head: IPNS_NAME_HEAD,
  encode: (bytes) => base36.encode(bytes),
  decode: (text) => base36.decode(text),
  ...memory()
}

/** The name of a key that was found acceptable. */
function writeKeyName(publicKey: Uint8Array, form: KeyNameForm): string {
  const key = keyText(publicKey)
  const known = form.written.get(key)
  if (known !== undefined) return known
  const name = encodeKey(publicKey, form)
  form.written.set(key, name)
  return name
}

function keyText({ buffer, byteOffset, length }: Uint8Array): string {
  return Buffer.from(buffer, byteOffset, length).toString('latin1')
}

function encodeKey(publicKey: Uint8Array, form: KeyNameForm): string {
  const bytes = new Uint8Array(form.head.length + PUBLIC_KEY_BYTES)
  bytes.set(form.head)
  bytes.set(publicKey, form.head.length)
  return form.encode(bytes)
}

/** Writing the key back and comparing makes every other spelling of it (padding, case, trailing bytes) an error. */
function readKeyName(text: string, form: KeyNameForm): Uint8Array {
  const known = form.read.get(text)
  // a copy: whoever changes it changes it for nobody else
  if (known !== undefined) return known.slice()
  const publicKey = decodeKey(text, form)
  if (publicKey === undefined || !isAcceptableKey(publicKey) || encodeKey(publicKey, form) !== text) {
    const shown = JSON.stringify(text.length > KEY_NAME_CHARS_MAX ? `${text.slice(0, 24)}…` : text)
    throw new DidError(form.code, `expected ${form.what}, got ${shown}`)
  }
  form.read.set(text, publicKey.slice())
  return publicKey
}

function decodeKey(text: string, form: KeyNameForm): Uint8Array | undefined {
  if (text.length > KEY_NAME_CHARS_MAX) return undefined
  try {
    const bytes = form.decode(text)
    return bytes.length === form.head.length + PUBLIC_KEY_BYTES ? bytes.slice(form.head.length) : undefined
  } catch {
    return undefined
  }
}

/**
 * The `did:key` of a 32-byte Ed25519 public key.
 *
 * @throws DidError `ERR_KEY_INVALID` when the key is not 32 bytes, not canonical or of small order
 * @see https://w3c-ccg.github.io/did-key-spec/
 */
export function didFromPublicKey(publicKey: Uint8Array): Did {
  // only what is acceptable was ever written
  const known = DID_FORM.written.get(keyText(publicKey))
  if (known !== undefined) return known as Did
  if (publicKey.length !== PUBLIC_KEY_BYTES || !isAcceptableKey(publicKey)) {
    throw new DidError(
      'ERR_KEY_INVALID',
      `expected a canonical Ed25519 public key of ${PUBLIC_KEY_BYTES} bytes, got ${publicKey.length} bytes`
    )
  }
  return writeKeyName(publicKey, DID_FORM) as Did
}

/**
 * The 32-byte Ed25519 public key of a `did:key`.
 *
 * @throws DidError `ERR_DID_INVALID` for any other text, another key type, or a second spelling of the same key
 */
export function publicKeyFromDid(did: string): Uint8Array {
  return readKeyName(did, DID_FORM)
}

/**
 * `text`, when it is exactly one Ed25519 `did:key` and nothing more.
 *
 * @throws DidError `ERR_DID_INVALID`
 */
export function parseDid(text: string): Did {
  publicKeyFromDid(text)
  return text as Did
}

/**
 * The libp2p PeerId (base58btc, `12D3KooW…`) of the same key.
 *
 * @throws DidError `ERR_DID_INVALID`
 * @see https://github.com/libp2p/specs/blob/master/peer-ids/peer-ids.md
 */
export function peerIdFromDid(did: string): string {
  return writeKeyName(publicKeyFromDid(did), PEER_ID_FORM)
}

/**
 * The `did:key` of a libp2p PeerId in its base58btc form.
 *
 * @throws DidError `ERR_PEER_ID_INVALID` for any other text or key type
 */
export function didFromPeerId(peerId: string): Did {
  return writeKeyName(readKeyName(peerId, PEER_ID_FORM), DID_FORM) as Did
}

/**
 * The IPNS name (base36 CIDv1 of the libp2p key, `k51…`) of the same key.
 *
 * @throws DidError `ERR_DID_INVALID`
 * @see https://specs.ipfs.tech/ipns/ipns-record/#ipns-name
 */
export function ipnsNameFromDid(did: string): string {
  return writeKeyName(publicKeyFromDid(did), IPNS_FORM)
}

/**
 * The `did:key` of an IPNS name in its base36 CIDv1 form.
 *
 * @throws DidError `ERR_IPNS_NAME_INVALID` for any other text or key type
 */
export function didFromIpnsName(name: string): Did {
  return writeKeyName(readKeyName(name, IPNS_FORM), DID_FORM) as Did
}
