import type { HostPower, ProviderRequest } from '#capsule-host'
import { errorCode, type Clock } from '#contracts'
import type { HttpHeader, HttpItem, HttpSend } from '#providers'
import { isPublicAddress, literalAddress } from './addresses.ts'
import { PowerError, unknownCommand } from './errors.ts'
import type { Web, WebAnswer } from './powers.ts'

/** What the power to use the web acts on. */
export interface HttpPowerComponents {
  readonly web: Web
  readonly clock: Clock
}

/** Requests of one capsule that may be under way, and of all. */
const REQUESTS_PER_SESSION_MAX = 8
const REQUESTS_MAX = 64
/** How long an answer may take to begin, and each piece of it to follow. */
const HEAD_MS_MAX = 30_000
const PIECE_MS_MAX = 30_000
/** How long a whole answer may take. */
const ANSWER_MS_MAX = 600_000
/** Bytes of one item; base64 makes it a third larger. */
const PIECE_BYTES_MAX: number = 24 * 1024
/** Headers of an answer that are handed on, and characters of each. */
const HEADERS_MAX = 64
const HEADER_LENGTH_MAX = 4096
const HEADER_NAME = /^[a-z0-9!#$%&'*+.^_`|~-]{1,64}$/
const HEADER_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/

/** Headers that belong to the connection, which is the host's (RFC 9110 §7.6.1), or name another host. */
const REFUSED_HEADERS: ReadonlySet<string> = new Set([
  ...['connection', 'content-length', 'expect', 'host', 'http2-settings', 'keep-alive', 'te', 'trailer'],
  ...['transfer-encoding', 'upgrade', 'proxy-authorization', 'proxy-authenticate', 'proxy-connection']
])

/**
 * Requests to the public web, for the provider of `http@1`. A name is resolved once, every address it has must be public,
 * and the connection goes to the first of them: what the name resolves to later does not count. Redirects are handed on
 * and not followed, so the next request needs a token of its own.
 */
export function createHttpPower({ web, clock }: HttpPowerComponents): HostPower {
  const underWay = new Map<string, number>()
  let total = 0
  const count = (session: string, by: 1 | -1): void => {
    const own = (underWay.get(session) ?? 0) + by
    total += by
    if (own > 0) underWay.set(session, own)
    else underWay.delete(session)
  }
  return {
    contract: 'http@1',
    helps: {},
    provider: {
      call: async ({ command }) => {
        throw unknownCommand(command)
      },
      open: async function* (request) {
        const { sessionId } = request
        if ((underWay.get(sessionId) ?? 0) >= REQUESTS_PER_SESSION_MAX || total >= REQUESTS_MAX) {
          throw new PowerError('ERR_HTTP_BUSY', 'expected fewer requests under way')
        }
        count(sessionId, 1)
        const end = new AbortController()
        try {
          using _limit = clock.after(ANSWER_MS_MAX, () => end.abort(timeLimit()))
          yield* exchange({ web, clock }, request, AbortSignal.any([request.signal, end.signal]))
        } finally {
          // The connection ends with the stream, however that ends.
          end.abort(new PowerError('ERR_HTTP_UNREACHABLE', 'the request is over'))
          count(sessionId, -1)
        }
      }
    }
  }
}

async function* exchange(
  { web, clock }: HttpPowerComponents,
  request: ProviderRequest,
  signal: AbortSignal
): AsyncGenerator<HttpItem> {
  const params = request.params as HttpSend
  const url = new URL(params.url)
  const headers = checkedHeaders(params.headers ?? [])
  const address = await within(clock, { durationMs: HEAD_MS_MAX, signal }, checkedAddress(web, url.hostname))
  const answer = await within(
    clock,
    { durationMs: HEAD_MS_MAX, signal },
    web.request({
      ...{ url, headers, address, signal },
      method: request.command.slice('http/'.length).toUpperCase(),
      body: params.data === undefined ? undefined : Uint8Array.from(Buffer.from(params.data, 'base64'))
    })
  )
  if (answer.status < 200 || answer.status > 599) {
    throw new PowerError('ERR_HTTP_ANSWER', `expected a status of 200 to 599, got ${answer.status}`)
  }
  yield { type: 'head', status: answer.status, headers: passedHeaders(answer.headers) }
  yield* bodyOf(answer, { bytesMax: params.bytesMax, clock, signal })
}

async function* bodyOf(
  answer: WebAnswer,
  { bytesMax, clock, signal }: { bytesMax: number; clock: Clock; signal: AbortSignal }
): AsyncGenerator<HttpItem> {
  const pieces = answer.body[Symbol.asyncIterator]()
  let bytes = 0
  for (;;) {
    const next = await within(clock, { durationMs: PIECE_MS_MAX, signal }, pieces.next())
    if (next.done === true) return
    bytes += next.value.byteLength
    if (bytes > bytesMax) {
      throw new PowerError('ERR_HTTP_TOO_LARGE', `expected an answer of at most ${bytesMax} bytes`)
    }
    for (let at = 0; at < next.value.byteLength; at += PIECE_BYTES_MAX) {
      const piece = next.value.subarray(at, at + PIECE_BYTES_MAX)
      yield { type: 'data', data: Buffer.from(piece).toString('base64') }
    }
  }
}

/** The address to connect to. @throws PowerError `ERR_HTTP_ADDRESS` when any address of the name is not public */
async function checkedAddress(web: Web, host: string): Promise<string> {
  const literal = literalAddress(host)
  const addresses = literal === undefined ? await web.resolve(host) : [literal]
  const [first] = addresses
  if (first === undefined || !addresses.every(isPublicAddress)) {
    throw new PowerError('ERR_HTTP_ADDRESS', 'expected a host of the public internet')
  }
  return first
}

function checkedHeaders(headers: readonly HttpHeader[]): HttpHeader[] {
  for (const [name] of headers) {
    if (REFUSED_HEADERS.has(name) || name.startsWith('proxy-')) {
      throw new PowerError('ERR_HTTP_ANSWER', `expected no header ${name}: it is the host's`)
    }
  }
  // Nothing here unpacks what comes: a small answer that unpacks to a large one is the caller's to refuse.
  const isChosen = headers.some(([name]) => name === 'accept-encoding')
  return isChosen ? [...headers] : [...headers, ['accept-encoding', 'identity']]
}

/** Headers as the contract lets them through; what is longer or stranger is left out. */
function passedHeaders(headers: WebAnswer['headers']): HttpHeader[] {
  return headers
    .map(([name, value]): HttpHeader => [name.toLowerCase(), value])
    .filter(
      ([name, value]) =>
        HEADER_NAME.test(name) && HEADER_VALUE.test(value) && value.length <= HEADER_LENGTH_MAX
    )
    .slice(0, HEADERS_MAX)
}

/** What `task` gives, unless it takes too long or nobody wants it any more. */
async function within<T>(
  clock: Clock,
  { durationMs, signal }: { durationMs: number; signal: AbortSignal },
  task: Promise<T>
): Promise<T> {
  const limit = Promise.withResolvers<never>()
  const abort = (): void => limit.reject(signal.reason)
  using _timer = clock.after(durationMs, () => limit.reject(timeLimit()))
  signal.addEventListener('abort', abort, { once: true })
  try {
    signal.throwIfAborted()
    return await Promise.race([task, limit.promise])
  } catch (thrown) {
    signal.throwIfAborted()
    if (thrown instanceof PowerError) throw thrown
    throw new PowerError(
      'ERR_HTTP_UNREACHABLE',
      `nobody answered there (${errorCode(thrown) ?? 'unknown'})`,
      {
        cause: thrown
      }
    )
  } finally {
    signal.removeEventListener('abort', abort)
    task.catch(() => undefined)
  }
}

function timeLimit(): PowerError {
  return new PowerError('ERR_HTTP_TIME_LIMIT', 'expected an answer in time')
}
