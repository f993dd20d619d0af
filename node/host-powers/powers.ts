import { lookup } from 'node:dns/promises'
import {
  request as requestPlain,
  type ClientRequest,
  type IncomingMessage,
  type RequestOptions
} from 'node:http'
import { request as requestSecure } from 'node:https'
import { isIPv6, type LookupFunction } from 'node:net'

/** A request to the one address that was checked. */
export interface WebRequest {
  readonly url: URL
  readonly method: string
  readonly headers: readonly (readonly [name: string, value: string])[]
  readonly body: Uint8Array | undefined
  /** Where the connection goes, whatever the name resolves to by then. */
  readonly address: string
  readonly signal: AbortSignal
}

/** The head of an answer, and its body as it comes. */
export interface WebAnswer {
  readonly status: number
  readonly headers: readonly (readonly [name: string, value: string])[]
  readonly body: AsyncIterable<Uint8Array>
}

/** The web as a node reaches it. */
export interface Web {
  /** Every address of a name. @throws an error of the operating system when there is none */
  resolve(name: string): Promise<readonly string[]>
  /** @throws an error of the operating system; the signal's reason */
  request(request: WebRequest): Promise<WebAnswer>
}

/** Bytes of the head of an answer. */
const HEAD_BYTES_MAX: number = 32 * 1024

/** The operating system's resolver and connections; no proxies, no connection is used twice. */
export const systemWeb: Web = {
  resolve: async (name) => (await lookup(name, { all: true })).map(({ address }) => address),
  request: async (init) => {
    const answer = await new Promise<IncomingMessage>((resolve, reject) => {
      const request = startRequest(init)
      request.once('response', resolve)
      request.once('error', reject)
      request.end(init.body)
    })
    if (answer.socket.remoteAddress !== init.address) {
      answer.destroy()
      throw new Error('expected a connection to the address that was checked')
    }
    return { status: answer.statusCode ?? 0, headers: pairs(answer.rawHeaders), body: answer }
  }
}

function startRequest({ url, method, headers, address, body, signal }: WebRequest): ClientRequest {
  const pinned: LookupFunction = (_name, options, done) => {
    const family = isIPv6(address) ? 6 : 4
    if (options.all === true) done(null, [{ address, family }])
    else done(null, address, family)
  }
  const flat = headers.flatMap(([name, value]) => [name, value])
  const length = body === undefined ? [] : ['content-length', String(body.byteLength)]
  const options: RequestOptions = {
    method,
    signal,
    agent: false,
    lookup: pinned,
    maxHeaderSize: HEAD_BYTES_MAX,
    insecureHTTPParser: false,
    headers: ['host', url.host, 'connection', 'close', ...flat, ...length]
  }
  return url.protocol === 'https:' ? requestSecure(url, options) : requestPlain(url, options)
}

function pairs(raw: readonly string[]): [string, string][] {
  return Array.from({ length: raw.length / 2 }, (_, at) => [raw[at * 2] ?? '', raw[at * 2 + 1] ?? ''])
}
