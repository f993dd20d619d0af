import { errorCode, type Clock, type Logger } from '#contracts'
import type { Did, Signer } from '#did'
import { createAddressLimiter } from './address-limiter.ts'
import { HTTP_ADDRESS_LIMITS, SEED_HTTP_LIMITS, SEED_HTTP_PORT, SEED_METRICS_PORT } from './constants.ts'
import type { AddressLimits } from './constants.ts'
import { BootstrapError } from './errors.ts'
import type { BootstrapPowers, HttpListener, HttpListenInit } from './http.ts'
import type { Metrics } from './metrics.ts'
import { createRecordSource } from './record-source.ts'
import { answerMetrics, answerSeed } from './seed-routes.ts'

/** What a seed server works with. */
export interface SeedServerComponents {
  /** The node it introduces others to: part of the libp2p host. */
  readonly host: { addresses(): string[] }
  /** Signs the record: the device key. */
  readonly signer: Signer
  readonly clock: Pick<Clock, 'nowMs' | 'monotonicMs'>
  readonly logger: Logger
  /** Where its counters go, and what `/metrics` shows. */
  readonly metrics: Metrics
  /** Usually {@link systemBootstrapPowers}. */
  readonly powers: Pick<BootstrapPowers, 'listenHttp'>
}

/** Options of {@link startSeedServer}. */
export interface SeedServerInit {
  /** The DHT protocol of the network. */
  readonly network: string
  /** The IP address to listen on. */
  readonly httpHost: string
  /** A port that must be free, or 0 for any; when absent {@link SEED_HTTP_PORT}, or a free one if that is taken. */
  readonly httpPort?: number
  /** As `httpPort`, for metrics on loopback; {@link SEED_METRICS_PORT} when absent. */
  readonly metricsPort?: number
  /** What one address may open; {@link HTTP_ADDRESS_LIMITS} when absent. */
  readonly addressLimits?: AddressLimits
}

/** A running seed server. Disposing it closes both listeners and every connection. */
export interface SeedServer extends AsyncDisposable {
  readonly did: Did
  readonly httpHost: string
  readonly httpPort: number
  readonly metricsPort: number
  /**
   * The URL of the endpoint, such as `http://192.0.2.1:4480`. When it listens on every address, the first one that
   * the node tells others, which may change.
   */
  readonly url: string
  /** The same with the did after `#`, for `--bootstrap`. */
  readonly pinnedUrl: string
  /** The default ports that were taken, so that others are used. */
  readonly occupiedPorts: readonly number[]
}

const LOOPBACK = '127.0.0.1'

/**
 * Starts a seed's HTTP endpoint (`/`, `/bootstrap`, `/bootstrap.json`) and, on loopback alone, its `/metrics`.
 *
 * @throws BootstrapError `ERR_SEED_LISTEN` when an address cannot be had
 */
export async function startSeedServer(
  components: SeedServerComponents,
  init: SeedServerInit
): Promise<SeedServer> {
  await using stack = new AsyncDisposableStack()
  const http = await listenForNodes(components, init)
  stack.use(http.listener)
  const scrape = await listenForMetrics(components, init)
  stack.use(scrape.listener)
  const running = stack.move()
  const url = (): string => {
    const host = hostForOthers(init.httpHost, components.host.addresses())
    return `http://${host.includes(':') ? `[${host}]` : host}:${http.listener.port}`
  }
  return {
    did: components.signer.did,
    httpHost: init.httpHost,
    httpPort: http.listener.port,
    metricsPort: scrape.listener.port,
    get url() {
      return url()
    },
    get pinnedUrl() {
      return `${url()}#${components.signer.did}`
    },
    occupiedPorts: [...http.occupied, ...scrape.occupied],
    [Symbol.asyncDispose]: async () => {
      await running.disposeAsync()
    }
  }
}

interface Listening {
  readonly listener: HttpListener
  /** The usual port, when it was taken and another is used. */
  readonly occupied: readonly number[]
}

async function listenForNodes(components: SeedServerComponents, init: SeedServerInit): Promise<Listening> {
  const { signer, metrics, clock } = components
  const requests = metrics.counter({
    name: 'elastos_seed_http_requests_total',
    help: 'Requests answered, by status.'
  })
  const refusals = metrics.counter({
    name: 'elastos_seed_http_connections_refused_total',
    help: 'Connections refused because their address had too many.'
  })
  const limiter = createAddressLimiter(clock, init.addressLimits ?? HTTP_ADDRESS_LIMITS)
  const facts = {
    did: signer.did,
    network: init.network,
    record: createRecordSource(components, init.network)
  }
  return await listen(
    components,
    { wanted: init.httpPort, usual: SEED_HTTP_PORT },
    {
      host: init.httpHost,
      allow: (address, open) => {
        const isAllowed = limiter.allow(address, open)
        if (!isAllowed) refusals.add()
        return isAllowed
      },
      answer: (request) => {
        const answer = answerSeed(request, facts)
        requests.add({ status: String(answer.status) })
        return answer
      }
    }
  )
}

async function listenForMetrics(components: SeedServerComponents, init: SeedServerInit): Promise<Listening> {
  return await listen(
    components,
    { wanted: init.metricsPort, usual: SEED_METRICS_PORT },
    {
      host: LOOPBACK,
      allow: () => true,
      answer: (request) => answerMetrics(request, components.metrics)
    }
  )
}

/** Listening on every address says nothing to others; the node's own addresses do. */
function hostForOthers(httpHost: string, addresses: readonly string[]): string {
  if (httpHost !== '0.0.0.0' && httpHost !== '::') return httpHost
  for (const address of addresses) {
    const [, kind = '', value] = address.split('/')
    const isHost = ['ip4', 'dns', 'dns4', 'ip6', 'dns6'].includes(kind) && !address.includes('/p2p-circuit')
    if (isHost && value !== undefined) return value
  }
  return httpHost
}

interface PortChoice {
  readonly wanted: number | undefined
  readonly usual: number
}

async function listen(
  { powers, logger }: SeedServerComponents,
  { wanted, usual }: PortChoice,
  init: Omit<HttpListenInit, 'port' | 'limits'>
): Promise<Listening> {
  const port = wanted ?? usual
  try {
    return { listener: await powers.listenHttp({ ...init, port, limits: SEED_HTTP_LIMITS }), occupied: [] }
  } catch (cause) {
    const code = errorCode(cause)
    if (wanted === undefined && code === 'EADDRINUSE') {
      logger.warn('seed port is taken, using a free one', { port })
      return {
        listener: await powers.listenHttp({ ...init, port: 0, limits: SEED_HTTP_LIMITS }),
        occupied: [port]
      }
    }
    throw new BootstrapError(
      'ERR_SEED_LISTEN',
      `expected to listen on ${init.host} port ${port}: ${code ?? 'refused'}`,
      {
        cause
      }
    )
  }
}
