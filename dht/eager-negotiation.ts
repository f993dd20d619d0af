import { UnsupportedProtocolError } from '@libp2p/interface'
import type { ConnectionProtector, MessageStream, Stream, StreamMuxer } from '@libp2p/interface'
import { joinHandshake } from './joined-frames.ts'
import { afterThisTurn } from './powers.ts'

/**
 * Negotiation without waiting. multistream-select costs a round trip for the encryption and one for every new stream,
 * in which nothing is found out: there is one encryption, and whoever opens a stream mostly knows what the peer speaks.
 * So what a peer will answer is assumed and what comes next is sent behind the question, as go-libp2p and rust-libp2p
 * do it too; the answer itself is taken off when it comes. A peer cannot tell the difference but by the clock.
 */

const MULTISTREAM = '/multistream/1.0.0'
/** What every peer speaks, and what libp2p itself opens first of all. */
export const SPOKEN_BY_ALL: ReadonlySet<string> = new Set(['/ipfs/id/1.0.0', '/ipfs/id/push/1.0.0'])
/** Longer names would need a second byte of length. */
const LINE_BYTES_MAX = 127
const MULTISTREAM_LINE = line(MULTISTREAM)
const NEWLINE = 10

/** What libp2p's own streams and connections have beside their interface: where they are handed what has come. */
interface Receiving extends MessageStream {
  onData(data: Parameters<MessageStream['push']>[0]): void
}

/** What libp2p hands on to muxers of the options of a new stream. */
interface Opening {
  readonly negotiateFully?: boolean
  readonly windowBytes?: number
  readonly protocol?: string | undefined
}

/** What yamux keeps of a stream: how many bytes the peer may send before it hears of more room. */
interface Windowed {
  recvWindow: number
  /** Tells the peer. */
  sendWindowUpdate(): void
}

/**
 * Lets outbound connections begin their one encryption at once: libp2p hands each new connection to a protector before
 * anything is negotiated on it.
 *
 * @param protocol - of the only encrypter there is
 */
export function eagerEncryption(protocol: string): () => ConnectionProtector {
  const answer = negotiation(protocol)
  return () => ({
    protect: (connection, options) => {
      joinHandshake(connection)
      const isAsked = (options as { initiator?: boolean } | undefined)?.initiator === false
      if (connection.direction === 'outbound' && !isAsked && isReceiving(connection)) {
        dropAnswer(connection, protocol)
        connection.push(answer)
      }
      return Promise.resolve(connection)
    }
  })
}

/**
 * Lets streams that are opened with `negotiateFully: false` and one protocol be used at once, and those of identify. When the peer does not speak
 * it, the stream ends with an `UnsupportedProtocolError`. With `windowBytes` the peer may send so many bytes at once: the
 * 256 KiB that yamux begins with would cost two more round trips for a block.
 */
export function openEagerly<T extends StreamMuxer>(muxer: T): T {
  const create = muxer.createStream.bind(muxer)
  muxer.createStream = async (options) => {
    const { negotiateFully, windowBytes, protocol } = (options ?? {}) as Opening
    const stream = await create(options)
    if (protocol === undefined || !isReceiving(stream)) return stream
    if (negotiateFully !== false && !SPOKEN_BY_ALL.has(protocol)) return stream
    if (protocol.length >= LINE_BYTES_MAX) return stream
    if (windowBytes !== undefined && isWindowed(stream)) {
      stream.recvWindow = windowBytes
      stream.sendWindowUpdate()
    }
    dropAnswer(stream, protocol)
    stream.send(negotiation(protocol))
    stream.protocol = protocol
    return stream
  }
  return muxer
}

/** What of libp2p says which protocols this node speaks. */
export interface SpokenProtocols {
  /** @throws when nobody handles it */
  getHandler(protocol: string): unknown
}

/** A muxer as it tells of a stream that the other side began. */
interface Announcing {
  safeDispatchEvent?(type: string, init: { readonly detail: Stream }): boolean
}

/**
 * Agrees at once to what the opener of a stream did not wait for: its side of the negotiation lies whole before what it asks, and
 * the answer to both parts of it is one frame. libp2p reads that byte by byte, each with a promise or two, and answers in two.
 * Whatever does not come in the turn in which the stream begins, or says something else, is negotiated by libp2p as ever.
 */
export function acceptEagerly<T extends StreamMuxer>(muxer: T, spoken: SpokenProtocols): T {
  const announcing = muxer as Announcing
  const dispatch = announcing.safeDispatchEvent?.bind(muxer)
  if (dispatch === undefined) return muxer
  announcing.safeDispatchEvent = (type, init) => {
    if (type !== 'stream' || !isReceiving(init.detail)) return dispatch(type, init)
    const stream = init.detail
    acceptFirst(stream, spoken, () => dispatch(type, init))
    return true
  }
  return muxer
}

/** Takes the opener's side of the negotiation off the front of what comes in this turn, and tells of the stream. */
function acceptFirst(stream: Receiving & Stream, spoken: SpokenProtocols, announce: () => void): void {
  const onData = stream.onData.bind(stream)
  let isAnnounced = false
  const release = (): void => {
    if (isAnnounced) return
    isAnnounced = true
    stream.onData = onData
    announce()
  }
  stream.onData = (data) => {
    const bytes = data.subarray()
    // what opens and resets a stream at once closes it for writing before its bytes come
    const protocol = stream.writeStatus === 'writable' ? protocolAsked(bytes, spoken) : undefined
    if (protocol === undefined) {
      release()
      onData(data)
      return
    }
    const agreed = negotiation(protocol)
    stream.send(agreed)
    stream.protocol = protocol
    release()
    if (agreed.length < bytes.length) onData(bytes.subarray(agreed.length))
  }
  afterThisTurn(release)
}

/** The protocol that the other side wants and we speak, when all it says of that has come. */
function protocolAsked(bytes: Uint8Array, spoken: SpokenProtocols): string | undefined {
  const length = bytes[MULTISTREAM_LINE.length] ?? 0
  const start = MULTISTREAM_LINE.length + 1
  if (length === 0 || length > LINE_BYTES_MAX || bytes.length < start + length) return undefined
  if (Buffer.compare(bytes.subarray(0, MULTISTREAM_LINE.length), MULTISTREAM_LINE) !== 0) return undefined
  if (bytes[start + length - 1] !== NEWLINE) return undefined
  const protocol = Buffer.from(bytes.buffer, bytes.byteOffset + start, length - 1).toString()
  try {
    spoken.getHandler(protocol)
    return protocol
  } catch {
    return undefined
  }
}

/** What both sides say when they agree at once. */
function negotiation(protocol: string): Uint8Array {
  return Buffer.concat([MULTISTREAM, protocol].map(line))
}

function line(text: string): Uint8Array {
  const bytes = Buffer.from(`${text}\n`)
  return Buffer.concat([Uint8Array.of(bytes.length), bytes])
}

/** Where a stream takes its bytes is not in its types: one that takes them elsewhere is negotiated on as ever. */
function isReceiving(stream: MessageStream): stream is Receiving {
  return typeof (stream as Partial<Receiving>).onData === 'function'
}

function isWindowed(stream: object): stream is Windowed {
  const { recvWindow, sendWindowUpdate } = stream as Partial<Windowed>
  return typeof recvWindow === 'number' && typeof sendWindowUpdate === 'function'
}

/** Takes the peer's side of the negotiation off the front of what comes; another answer ends the stream. */
function dropAnswer(stream: Receiving, protocol: string): void {
  const expected = negotiation(protocol)
  const onData = stream.onData.bind(stream)
  let at = 0
  stream.onData = (data) => {
    const bytes = data.subarray()
    const length = Math.min(bytes.length, expected.length - at)
    if (Buffer.compare(bytes.subarray(0, length), expected.subarray(at, at + length)) !== 0) {
      stream.onData = onData
      stream.abort(new UnsupportedProtocolError(`the peer does not speak ${protocol}`))
      return
    }
    at += length
    if (at < expected.length) return
    stream.onData = onData
    if (length < bytes.length) onData(bytes.subarray(length))
  }
}
