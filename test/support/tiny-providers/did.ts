import type { DidCommands } from '#providers'
import { capsule, ProviderError } from '#sdk'

/**
 * Another `did@1`: it has one persona and vouches for what it signed by remembering it, which is enough for whoever asks this
 * capsule. It holds no power of the host.
 */
const PERSONA = 'did:key:z6MkgYGF3thn8k1Fv4p4dWXKtsXCnLH7q9yw4QgNPULDmDKB'
const ALPHABET = '123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz'
const KEY_BYTES = 34

const signed = new Map<string, { readonly lineage: string; readonly data: string }>()

function bytesOf(text: string): Uint8Array {
  let value = 0n
  for (const character of text) value = value * 58n + BigInt(ALPHABET.indexOf(character))
  const bytes: number[] = []
  for (let left = value; left > 0n; left >>= 8n) bytes.unshift(Number(left & 255n))
  return Uint8Array.from(bytes)
}

function textOf(bytes: Uint8Array): string {
  let value = 0n
  for (const byte of bytes) value = value * 256n + BigInt(byte)
  let text = ''
  for (let left = value; left > 0n; left /= 58n) text = (ALPHABET[Number(left % 58n)] ?? '') + text
  for (let at = 0; bytes[at] === 0; at++) text = `1${text}`
  return text
}

await capsule.provide<DidCommands>('did', {
  personas: () => ({ personas: [{ did: PERSONA, name: 'tiny', kind: 'person' }] }),
  sign: ({ did, data }, { caller }) => {
    if (did !== PERSONA) throw new ProviderError('ERR_PERSONA_UNKNOWN')
    const envelope = btoa(JSON.stringify({ number: signed.size, salt: Math.random() }))
    signed.set(envelope, { lineage: caller.lineage, data })
    return { did, envelope }
  },
  verify: ({ did, envelope }) => {
    const known = did === PERSONA ? signed.get(envelope) : undefined
    return known === undefined ? { isValid: false } : { isValid: true, ...known }
  },
  resolve: ({ did }) => {
    const key = bytesOf(did.slice('did:key:z'.length))
    if (key.length !== KEY_BYTES || key[0] !== 0xed || key[1] !== 0x01)
      throw new ProviderError('ERR_DID_INVALID')
    const publicKey = key.slice(2)
    // A libp2p key: protobuf of type 1 (Ed25519) and 32 bytes, in an identity multihash of 36 bytes.
    const peerId = textOf(Uint8Array.from([0, 36, 8, 1, 18, 32, ...publicKey]))
    return { did, publicKey: btoa(String.fromCharCode(...publicKey)), peerId }
  }
})
