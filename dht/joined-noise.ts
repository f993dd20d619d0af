import { noise } from '@chainsafe/libp2p-noise'
import type { ConnectionEncrypter, SecuredConnection } from '@libp2p/interface'
import type { NoiseExtensions } from '@chainsafe/libp2p-noise'
import { endHandshake } from './joined-frames.ts'
import { noiseCrypto } from './noise-crypto.ts'

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
 * an error with its stack, and throws that away, at the end of every chunk; here frames are cut out without one.
 */
export function joinedNoise(): ReturnType<typeof noise> {
  const create = noise({ crypto: noiseCrypto })
  return (components) => {
    const encrypter = create(components)
    const { secureInbound, secureOutbound } = encrypter
    const joined: Pick<ConnectionEncrypter<NoiseExtensions>, 'secureInbound' | 'secureOutbound'> = {
      secureInbound: async (...given) => await shaking(given[0], secureInbound.apply(encrypter, given)),
      secureOutbound: async (...given) => await shaking(given[0], secureOutbound.apply(encrypter, given))
    }
    return Object.assign(encrypter, joined)
  }
}

async function shaking(connection: object, handshake: Promise<Secured>): Promise<Secured> {
  try {
    return join(await handshake)
  } finally {
    endHandshake(connection)
  }
}

function join(secured: Secured): Secured {
  const connection = secured.connection as Encrypting
  const { encrypt, decoder } = connection
  if (encrypt !== undefined) connection.encrypt = (chunk) => encrypt.call(connection, chunk).subarray()
  if (decoder?.buffer !== undefined) {
    const cutter = createFrameCutter()
    // what came right behind the handshake has been read already, up to the beginning of a frame perhaps
    Array.from(cutter.decode(decoder.buffer))
    connection.decoder = cutter
  }
  return secured
}

/** A frame has two bytes for its length. */
const FRAME_BYTES_MAX = 65_535
/** Shorter ones are decrypted where they lie, so that their memory becomes that of what was in them. */
const REUSED_BYTES_MIN = 16 * 1024
/** Pieces of memory that are kept, for all connections. */
const KEPT_MAX = 4
const kept: Uint8Array[] = []

/** A frame of which a part has come. */
interface BegunFrame {
  readonly frame: Uint8Array
  filled: number
}

/**
 * Cuts what comes over a connection into the frames of noise, each with two bytes of length before it. A frame counts until the
 * next is asked for: of what comes fast hardly a frame lies in one chunk, and fresh memory for each would cost more than to
 * decrypt it.
 */
export function createFrameCutter(): { decode(chunk: Chunk): Iterable<Uint8Array> } {
  /** The first byte of a length whose second is still to come. */
  let high: number | undefined
  let begun: BegunFrame | undefined
  return {
    decode: function* (chunk) {
      const bytes = chunk.subarray()
      let at = 0
      while (at < bytes.length) {
        if (begun !== undefined) {
          const part = bytes.subarray(at, at + begun.frame.length - begun.filled)
          begun.frame.set(part, begun.filled)
          begun.filled += part.length
          at += part.length
          if (begun.filled < begun.frame.length) break
          const { frame } = begun
          begun = undefined
          yield frame
          if (frame.length >= REUSED_BYTES_MIN && kept.length < KEPT_MAX) kept.push(frame)
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
        if (bytes.length - at >= length) yield bytes.subarray(at, (at += length))
        else begun = { frame: memoryFor(length), filled: 0 }
      }
    }
  }
}

function memoryFor(length: number): Uint8Array {
  if (length < REUSED_BYTES_MIN) return new Uint8Array(length)
  const memory = kept.pop()?.buffer ?? new ArrayBuffer(FRAME_BYTES_MAX)
  return new Uint8Array(memory, 0, length)
}
