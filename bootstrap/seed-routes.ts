import type { Did } from '#did'
import type { HttpAnswer, HttpRequest } from './http.ts'
import type { Metrics } from './metrics.ts'
import type { ServedRecord } from './record-source.ts'

const TEXT = 'text/plain; charset=utf-8'
const JSON_TYPE = 'application/json'
/** https://www.iana.org/assignments/media-types/application/vnd.ipld.dag-cbor */
const DAG_CBOR = 'application/vnd.ipld.dag-cbor'
const NO_STORE = { 'Cache-Control': 'no-store' } as const

/** What the answers of a seed are made from. */
export interface SeedFacts {
  readonly did: Did
  readonly network: string
  readonly record: () => ServedRecord | undefined
}

function plain(status: number, text: string, headers?: Readonly<Record<string, string>>): HttpAnswer {
  return { status, contentType: TEXT, body: `${text}\n`, ...(headers === undefined ? {} : { headers }) }
}

/** The answer of a seed's HTTP endpoint. Reading only: any method but GET and HEAD is refused. */
export function answerSeed(request: HttpRequest, facts: SeedFacts): HttpAnswer {
  if (!isReading(request)) return notAllowed()
  switch (request.target) {
    case '/':
      return plain(200, indexText(facts))
    case '/bootstrap':
    case '/bootstrap.json':
      return recordAnswer(facts, request.target === '/bootstrap.json')
    default:
      return plain(404, 'not found: / says what is here')
  }
}

/**
 * The answer of the metrics listener. A page in a browser on this machine may be made to ask loopback under a name of
 * its own, so only names of loopback are answered.
 */
export function answerMetrics(request: HttpRequest, metrics: Metrics): HttpAnswer {
  if (!isReading(request)) return notAllowed()
  if (!/^(127\.0\.0\.1|localhost|\[::1\])(:\d+)?$/i.test(request.host ?? ''))
    return plain(403, 'not this host')
  if (request.target !== '/metrics') return plain(404, 'not found: metrics are at /metrics')
  return {
    status: 200,
    contentType: 'text/plain; version=0.0.4; charset=utf-8',
    body: metrics.text(),
    headers: NO_STORE
  }
}

function isReading({ method }: HttpRequest): boolean {
  return method === 'GET' || method === 'HEAD'
}

function notAllowed(): HttpAnswer {
  return plain(405, 'only GET and HEAD', { Allow: 'GET, HEAD' })
}

function recordAnswer({ did, record }: SeedFacts, isJson: boolean): HttpAnswer {
  const served = record()
  if (served === undefined)
    return plain(503, 'this seed has no address yet', { 'Retry-After': '5', ...NO_STORE })
  if (!isJson) return { status: 200, contentType: DAG_CBOR, body: served.bytes, headers: NO_STORE }
  const { addresses, network, issuedAtMs, validForMs } = served.claim
  const view = { did, network, addresses, issuedAtMs, validForMs }
  return {
    status: 200,
    contentType: JSON_TYPE,
    body: `${JSON.stringify(view, undefined, 2)}\n`,
    headers: NO_STORE
  }
}

function indexText({ did, network }: SeedFacts): string {
  return [
    'ElastOS seed: introduces nodes to each other.',
    '',
    `did        ${did}`,
    `network    ${network}`,
    '',
    '/bootstrap        its signed bootstrap record (DAG-CBOR)',
    '/bootstrap.json   the same for people',
    '',
    'Join through it, after checking the did with its operator:',
    `  elastos node start --bootstrap 'http://HOST:PORT#${did}'`
  ].join('\n')
}
