import {
  assertSeedReach,
  createAddressLimiter,
  createMetrics,
  PEER_ADDRESS_LIMITS,
  startSeedServer,
  systemBootstrapPowers,
  type Metrics
} from '#bootstrap'
import { DHT_PROTOCOL, type Host } from '#dht'
import type { Clock } from '#contracts'
import type { NodeBase } from './base.ts'
import type { NodeInit, SeedInit } from './types.ts'

/** Where a seed can be asked. */
export interface SeedService extends AsyncDisposable {
  readonly bootstrapUrl: string
  readonly metricsUrl: string
}

/**
 * Serves the bootstrap record and, on loopback, the metrics of a node that is a seed.
 *
 * @throws BootstrapError `ERR_SEED_REACH_LOCAL` and the other `ERR_SEED_…` codes
 */
export async function startSeed(
  { choices, keystore, clock, logger }: NodeBase,
  { host, seed }: { host: Host; init: NodeInit; seed: SeedInit }
): Promise<SeedService> {
  const { reach = 'local' } = choices
  assertSeedReach(reach, seed.isDevelopment)
  const metrics = createMetrics()
  observeHost(metrics, host)
  const server = await startSeedServer(
    { host, signer: keystore.device, clock, logger, metrics, powers: systemBootstrapPowers },
    {
      network: DHT_PROTOCOL,
      httpHost: seed.httpHost ?? (reach === 'local' ? '127.0.0.1' : '0.0.0.0'),
      ...(seed.httpPort === undefined ? {} : { httpPort: seed.httpPort }),
      ...(seed.metricsPort === undefined ? {} : { metricsPort: seed.metricsPort })
    }
  )
  return {
    bootstrapUrl: server.pinnedUrl,
    metricsUrl: `http://127.0.0.1:${server.metricsPort}/metrics`,
    [Symbol.asyncDispose]: async () => {
      await server[Symbol.asyncDispose]()
    }
  }
}

/** What one address may open at a seed. */
export interface InboundLimit {
  readonly allow: (remoteAddress: string) => boolean
  /** Says whose open connections count; a host asks its limit before it exists. */
  watch(connections: Pick<Host['libp2p'], 'getConnections'>): void
}

/** Limits connections from one address, by {@link PEER_ADDRESS_LIMITS}. */
export function createInboundLimit(clock: Clock): InboundLimit {
  const limiter = createAddressLimiter(clock, PEER_ADDRESS_LIMITS)
  let watched: Parameters<InboundLimit['watch']>[0] | undefined
  return {
    allow: (address) =>
      limiter.allow(address, watched?.getConnections().map(({ remoteAddr }) => remoteAddr.toString()) ?? []),
    watch: (connections) => {
      watched = connections
    }
  }
}

function observeHost(metrics: Metrics, host: Pick<Host, 'metrics'>): void {
  const gauges = {
    elastos_peers_connected: ['Peers connected.', () => host.metrics().peers],
    elastos_connections_inbound: ['Connections that others opened.', () => host.metrics().connectionsInbound],
    elastos_connections_outbound: ['Connections this node opened.', () => host.metrics().connectionsOutbound],
    elastos_connections_relayed: ['Connections through a relay.', () => host.metrics().connectionsRelayed],
    elastos_streams_open: ['Streams open on all connections.', () => host.metrics().streams],
    elastos_dht_table_size: ['Peers in the routing table.', () => host.metrics().tableSize]
  } as const
  for (const [name, [help, read]] of Object.entries(gauges)) metrics.gauge({ name, help }, read)
}
