import * as z from 'zod'
import type { ProviderContract, StreamCommand } from './contract.ts'
import { data, URL_LENGTH_MAX } from './fields.ts'

/** Most headers of a request or an answer. */
const HEADERS_MAX = 64
/** Most bytes of one answer's body. */
const BODY_BYTES_MAX = 64 * 1024 * 1024

/** A header: its lower-case name and its value. */
export type HttpHeader = readonly [name: string, value: string]

/** What to fetch. Neither loopback nor a private address is ever reached, whatever a name resolves or redirects to. */
export interface HttpRequest {
  /** `https:` or `http:`, in its normal form, without a fragment or credentials. */
  readonly url: string
  readonly headers?: readonly HttpHeader[]
  /** Ends with `ERR_HTTP_TOO_LARGE` when the body is longer. */
  readonly bytesMax: number
}

/** What to send, and where. */
export interface HttpSend extends HttpRequest {
  /** The body, base64. */
  readonly data?: string
}

/** The answer: its head, then the body piece by piece. A redirect is an answer like others; nobody follows it. */
export type HttpItem =
  | { readonly type: 'head'; readonly status: number; readonly headers: readonly HttpHeader[] }
  | { readonly type: 'data'; readonly data: string }

/** The commands of the contract, for an SDK. A command is a method of HTTP, so a token to get cannot post. */
export interface HttpCommands {
  readonly get: StreamCommand<HttpRequest, HttpItem>
  readonly head: StreamCommand<HttpRequest, HttpItem>
  readonly post: StreamCommand<HttpSend, HttpItem>
  readonly put: StreamCommand<HttpSend, HttpItem>
  readonly patch: StreamCommand<HttpSend, HttpItem>
  readonly delete: StreamCommand<HttpRequest, HttpItem>
}

const headers: z.ZodType<HttpHeader[]> = z
  .array(
    z.tuple([
      z.string().regex(/^[a-z0-9!#$%&'*+.^_`|~-]{1,64}$/),
      z
        .string()
        .max(4096)
        .regex(/^[\t\x20-\x7e\x80-\xff]*$/)
    ])
  )
  .max(HEADERS_MAX)

const url: z.ZodType<string> = z
  .string()
  .max(URL_LENGTH_MAX)
  .refine(isPlainUrl, 'expected a plain http or https URL in its normal form')

function isPlainUrl(text: string): boolean {
  const parsed = URL.parse(text)
  if (parsed === null || parsed.href !== text) return false
  const isWeb = parsed.protocol === 'https:' || parsed.protocol === 'http:'
  return isWeb && parsed.username === '' && parsed.password === '' && parsed.hash === ''
}

const request = {
  url,
  headers: z.exactOptional(headers),
  bytesMax: z.int().min(0).max(BODY_BYTES_MAX)
}
const asking: z.ZodType<HttpRequest> = z.strictObject(request)
const sending: z.ZodType<HttpSend> = z.strictObject({ ...request, data: z.exactOptional(data) })

const item: z.ZodType<HttpItem> = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('head'), status: z.int().min(100).max(599), headers }),
  z.strictObject({ type: z.literal('data'), data })
])

/** Origin and path; the query is the capsule's own affair. */
function resource(params: HttpRequest): string {
  const { origin, pathname } = new URL(params.url)
  return origin + pathname
}

const example: HttpRequest = { url: 'https://example.org/feed.xml', bytesMax: 65_536 }

/** The web, outwards only. */
export const http: ProviderContract<HttpCommands> = {
  name: 'http',
  version: 1,
  summary: 'the web, outwards only',
  errors: [
    'ERR_HTTP_ADDRESS',
    'ERR_HTTP_UNREACHABLE',
    'ERR_HTTP_TOO_LARGE',
    'ERR_HTTP_TIME_LIMIT',
    'ERR_HTTP_ANSWER',
    'ERR_HTTP_BUSY'
  ],
  commands: {
    get: { kind: 'stream', summary: 'fetch from the web', params: asking, item, resource, example },
    head: { kind: 'stream', summary: 'look at the web', params: asking, item, resource, example },
    post: { kind: 'stream', summary: 'send to the web', params: sending, item, resource, example },
    put: { kind: 'stream', summary: 'store on the web', params: sending, item, resource, example },
    patch: { kind: 'stream', summary: 'change on the web', params: sending, item, resource, example },
    delete: { kind: 'stream', summary: 'delete on the web', params: asking, item, resource, example }
  }
}
