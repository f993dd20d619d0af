import type { Connection, Libp2p, Stream } from '@libp2p/interface'
import { peerIdFromString } from '@libp2p/peer-id'
import { lpStream } from '@libp2p/utils'
import { errorMessage } from '#contracts'
import type { Clock, Logger } from '#contracts'
import { EXCHANGE_BYTES_MAX, EXCHANGE_STREAMS_MAX, EXCHANGE_TIMEOUT_MS } from './constants.ts'
import { startDeadline } from './deadline.ts'
import { DhtError } from './errors.ts'

/** How far one chunk of a stream may overshoot a message's bound before the stream is cut. */
const CHUNK_BYTES_MAX = 256 * 1_024

/** One request as its handler sees it. */
export interface ExchangeRequest {
  /** Who asks, proven by the transport. */
  readonly peerId: string
  readonly bytes: Uint8Array
  /** Aborts at the deadline of the request or when the protocol is no longer served. */
  readonly signal: AbortSignal
}

/** Answers one request; when it throws the stream is reset and the peer learns nothing else. */
export type ExchangeHandler = (request: ExchangeRequest) => Promise<Uint8Array> | Uint8Array

/** Bounds of {@link Exchange.request}. */
export interface ExchangeRequestOptions {
  readonly signal?: AbortSignal
  /** How many bytes the answer may have; more is an error and is not read. */
  readonly responseBytesMax?: number
}

/** Bounds of {@link Exchange.serve}. */
export interface ExchangeServeOptions {
  /** How many bytes a request may have; a larger one is reset unread. */
  readonly requestBytesMax?: number
}

/**
 * One question and one answer between two peers: bytes with a varint length each way, on a stream of its own that also
 * runs through a relay.
 */
export interface Exchange {
  /**
   * Asks a peer, dialling it when it is not connected.
   *
   * @throws {@link DhtError} `ERR_MESSAGE_TOO_LARGE`, `ERR_REQUEST_FAILED`, `ERR_DHT_TIMEOUT`, or the signal's reason
   */
  request(
    peerId: string,
    protocol: string,
    bytes: Uint8Array,
    options?: ExchangeRequestOptions
  ): Promise<Uint8Array>
  /** Answers requests of a protocol until the result is disposed. */
  serve(protocol: string, handler: ExchangeHandler, options?: ExchangeServeOptions): Promise<AsyncDisposable>
}

/** What an exchange is made of. */
export interface ExchangeComponents {
  readonly libp2p: Pick<Libp2p, 'dialProtocol' | 'handle' | 'unhandle'>
  /** Aborts when the host is disposed. */
  readonly closing: AbortSignal
  readonly clock: Clock
  readonly logger: Logger
}

/** An exchange over a libp2p host. */
export function createExchange(components: ExchangeComponents): Exchange {
  return {
    request: async (...[peerId, protocol, bytes, options = {}]) =>
      await request(components, { peerId, protocol, bytes }, options),
    serve: async (protocol, handler, options = {}) => await serve(components, { protocol, handler }, options)
  }
}

async function request(
  { libp2p, clock, closing }: ExchangeComponents,
  { peerId, protocol, bytes }: { peerId: string; protocol: string; bytes: Uint8Array },
  options: ExchangeRequestOptions
): Promise<Uint8Array> {
  closing.throwIfAborted()
  using limit = startDeadline(
    clock,
    EXCHANGE_TIMEOUT_MS,
    AbortSignal.any([options.signal ?? closing, closing])
  )
  const { signal } = limit
  const maxDataLength = options.responseBytesMax ?? EXCHANGE_BYTES_MAX
  let stream: Stream | undefined
  try {
    stream = await libp2p.dialProtocol(peerIdFromString(peerId), protocol, {
      signal,
      runOnLimitedConnection: true,
      negotiateFully: false
    })
    const messages = lpStream(stream, { maxDataLength, maxBufferSize: maxDataLength + CHUNK_BYTES_MAX })
    await messages.write(bytes, { signal })
    const answer = await messages.read({ signal })
    void stream.close({ signal }).catch(() => undefined)
    return answer.subarray()
  } catch (cause) {
    stream?.abort(cause instanceof Error ? cause : new Error('request failed'))
    options.signal?.throwIfAborted()
    closing.throwIfAborted()
    throw exchangeError(cause, { peerId, protocol, signal, maxDataLength })
  }
}

/** What libp2p calls a message over the bound, by its length or by what came before the length was read. */
const TOO_LARGE: ReadonlySet<string> = new Set([
  'InvalidDataLengthError',
  'InvalidDataLengthLengthError',
  'StreamBufferError'
])

function exchangeError(
  cause: unknown,
  context: { peerId: string; protocol: string; signal: AbortSignal; maxDataLength: number }
): DhtError {
  const { peerId, protocol, signal, maxDataLength } = context
  const name = cause instanceof Error ? cause.name : ''
  if (TOO_LARGE.has(name)) {
    const message = `expected at most ${String(maxDataLength)} bytes from ${peerId} for ${protocol}, got more`
    return new DhtError('ERR_MESSAGE_TOO_LARGE', message, { cause })
  }
  if (signal.aborted) {
    return new DhtError('ERR_DHT_TIMEOUT', `no answer from ${peerId} for ${protocol} in time`, { cause })
  }
  const message = `expected an answer from ${peerId} for ${protocol}, got: ${errorMessage(cause)}`
  return new DhtError('ERR_REQUEST_FAILED', message, { cause })
}

async function serve(
  components: ExchangeComponents,
  { protocol, handler }: { protocol: string; handler: ExchangeHandler },
  { requestBytesMax = EXCHANGE_BYTES_MAX }: ExchangeServeOptions
): Promise<AsyncDisposable> {
  const { libp2p, logger } = components
  const stopping = new AbortController()
  const signal = AbortSignal.any([stopping.signal, components.closing])
  const onStream = async (stream: Stream, connection: Connection): Promise<void> => {
    try {
      const peerId = connection.remotePeer.toString()
      await answer(components, { stream, peerId, handler, requestBytesMax, signal })
    } catch (error) {
      logger.debug('request not answered', { protocol, error: errorMessage(error) })
      stream.abort(error instanceof Error ? error : new Error('request not answered'))
    }
  }
  await libp2p.handle(protocol, onStream, {
    runOnLimitedConnection: true,
    maxInboundStreams: EXCHANGE_STREAMS_MAX
  })
  return {
    [Symbol.asyncDispose]: async () => {
      stopping.abort()
      await libp2p.unhandle(protocol)
    }
  }
}

async function answer(
  { clock }: ExchangeComponents,
  request: {
    stream: Stream
    peerId: string
    handler: ExchangeHandler
    requestBytesMax: number
    signal: AbortSignal
  }
): Promise<void> {
  const { stream, peerId, handler, requestBytesMax } = request
  using limit = startDeadline(clock, EXCHANGE_TIMEOUT_MS, request.signal)
  const { signal } = limit
  const messages = lpStream(stream, {
    maxDataLength: requestBytesMax,
    maxBufferSize: requestBytesMax + CHUNK_BYTES_MAX
  })
  const bytes = (await messages.read({ signal })).subarray()
  await messages.write(await handler({ peerId, bytes, signal }), { signal })
  await stream.close({ signal })
}
