import { hkdfSync } from 'node:crypto'
import { noise } from '@chainsafe/libp2p-noise'
import { defaultCrypto } from '@chainsafe/libp2p-noise/crypto'
import type { ConnectionEncrypter, SecuredConnection } from '@libp2p/interface'
import type { NoiseExtensions } from '@chainsafe/libp2p-noise'

/** Bytes, or a list of them that can be joined. */
type Chunk = Pick<Uint8Array, 'subarray'> | { subarray(): Uint8Array }

/** What an encrypted connection of noise has beyond its declared interface; held by the test that counts writes. */
interface Encrypting {
  encrypt?: (chunk: unknown) => Chunk
  decoder?: { decode(chunk: Chunk): Iterable<Uint8Array>; readonly buffer?: Chunk }
}

type Secured = SecuredConnection<NoiseExtensions>

/**
 * noise whose frames are written in one piece. It hands over the length of a frame and what is in it apart, and the TCP
 * transport writes each to the socket at once: two calls of the system and two packets for each message. Reading, it makes
 * an error with its stack, and throws that away, at the end of every chunk; here frames are cut out without one. It derives
 * keys in JavaScript, five times a handshake on either side; here Node does.
 */
export function joinedNoise(): ReturnType<typeof noise> {
  const create = noise({ crypto: { ...defaultCrypto, getHKDF: deriveKeys } })
  return (components) => {
    const encrypter = create(components)
    const { secureInbound, secureOutbound } = encrypter
    const joined: Pick<ConnectionEncrypter<NoiseExtensions>, 'secureInbound' | 'secureOutbound'> = {
      secureInbound: async (...given) => join(await secureInbound.apply(encrypter, given)),
      secureOutbound: async (...given) => join(await secureOutbound.apply(encrypter, given))
    }
    return Object.assign(encrypter, joined)
  }
}

const NO_INFO = new Uint8Array()
const KEY_BYTES = 32

/** Three keys from the one before and what was agreed on (HKDF of RFC 5869 with SHA-256, as Noise has it in section 4.3). */
function deriveKeys(chainingKey: Uint8Array, agreed: Uint8Array): [Uint8Array, Uint8Array, Uint8Array] {
  const keys = new Uint8Array(hkdfSync('sha256', agreed, chainingKey, NO_INFO, 3 * KEY_BYTES))
  return [keys.subarray(0, KEY_BYTES), keys.subarray(KEY_BYTES, 2 * KEY_BYTES), keys.subarray(2 * KEY_BYTES)]
}

function join(secured: Secured): Secured {
  const connection = secured.connection as Encrypting
  const { encrypt, decoder } = connection
  if (encrypt !== undefined) connection.encrypt = (chunk) => encrypt.call(connection, chunk).subarray()
  if (decoder?.buffer !== undefined) {
    const cutter = createFrameCutter()
    // what came right behind the handshake has been read already, up to the beginning of a frame perhaps
    cutter.decode(decoder.buffer)
    connection.decoder = cutter
  }
  return secured
}

/** Cuts what comes over a connection into the frames of noise, each with two bytes of length before it. */
export function createFrameCutter(): { decode(chunk: Chunk): Uint8Array[] } {
  /** The first byte of a length whose second is still to come. */
  let high: number | undefined
  /** A frame of which a part has come. */
  let begun: { readonly frame: Uint8Array; filled: number } | undefined
  return {
    decode: (chunk) => {
      const bytes = chunk.subarray()
      const frames: Uint8Array[] = []
      let at = 0
      while (at < bytes.length) {
        if (begun !== undefined) {
          const part = bytes.subarray(at, at + begun.frame.length - begun.filled)
          begun.frame.set(part, begun.filled)
          begun.filled += part.length
          at += part.length
          if (begun.filled < begun.frame.length) break
          frames.push(begun.frame)
          begun = undefined
          continue
        }
        const byte = bytes[at++] ?? 0
        if (high === undefined) {
          high = byte
          continue
        }
        const length = high * 256 + byte
        high = undefined
        if (length === 0) continue
        if (bytes.length - at >= length) frames.push(bytes.subarray(at, (at += length)))
        else begun = { frame: new Uint8Array(length), filled: 0 }
      }
      return frames
    }
  }
}
