import type { Libp2p } from '@libp2p/interface'
import { createLibp2p } from 'libp2p'
import type { Logger } from '#contracts'
import { peerIdFromDid } from '#did'
import { createBulkSockets } from './bulk/index.ts'
import type { BulkSockets } from './bulk/index.ts'
import { spreadChecks } from './connection-checks.ts'
import { createDhtService } from './dht-service.ts'
import type { DhtService } from './dht-service.ts'
import { startDiscoveryDialer } from './discovery.ts'
import type { DiscoveryDialer } from './discovery.ts'
import { createGater } from './gater.ts'
import type { HostComponents, HostInit } from './host-init.ts'
import { createInboundAdmission } from './inbound-admission.ts'
import { libp2pOptions } from './libp2p-options.ts'
import type { HostServices, Internals } from './libp2p-options.ts'
import { ipfsServiceOf } from './networks.ts'
import { cachePeers } from './peer-cache.ts'
import { renewAddresses } from './peer-datastore.ts'
import { systemHostPowers } from './powers.ts'
import { addressKind, parseAddress } from './reach.ts'

/** A running libp2p and the parts of ours in it. */
export interface StartedLibp2p {
  readonly libp2p: Libp2p<HostServices>
  readonly dht: DhtService
  /** The IPFS DHT, when it is joined. */
  readonly ipfsService: DhtService | undefined
  readonly discovery: DiscoveryDialer
  readonly bulkSockets: BulkSockets
}

/** Starts libp2p with our DHT in it, listening on these addresses. */
export async function startLibp2p(
  components: HostComponents & { readonly logger: Logger },
  init: HostInit,
  listen: string[]
): Promise<StartedLibp2p> {
  const { keyPair, datastore, clock, random, logger } = components
  const { reach, role = 'peer', announce = [], transports } = init
  for (const address of announce) parseAddress(address)
  const bulkSockets = createBulkSockets({ clock, random, logger })
  const admission = init.allowInbound === undefined ? undefined : createInboundAdmission(init.allowInbound)
  const ownPeerId = peerIdFromDid(keyPair.did)
  const guarded = { datastore, ownPeerId, clock }
  const dht = createDhtService({ ...guarded, reach, clientMode: listen.length === 0 })
  const ipfsService = ipfsServiceOf(init, guarded)
  const isMonitored = init.connectionMonitor ?? transports === undefined
  const libp2p = await createLibp2p<HostServices>(
    await libp2pOptions({
      keyPair,
      clock,
      random,
      datastore: renewAddresses(cachePeers(datastore, ownPeerId), { clock, logger }),
      reach,
      role,
      listen,
      announce,
      mdns: init.mdns ?? (reach !== 'local' && transports === undefined),
      onFound: (peer) => {
        discovery.found(peer)
      },
      connectionMonitor: isMonitored,
      connectionGater: createGater(
        admission === undefined ? init : { ...init, allowInbound: admission.taken }
      ),
      admission,
      createDht: dht.create as never,
      createIpfsDht: ipfsService?.create as never,
      version: init.version ?? '0.0.0',
      bulkSockets,
      isDebugging: (components.powers ?? systemHostPowers).isDebugging?.() ?? false,
      ...(transports === undefined ? {} : { transports })
    })
  )
  const discovery = startDiscoveryDialer({ libp2p, clock, logger })
  if (isMonitored) spreadChecks(libp2p)
  await libp2p.start()
  if (role === 'seed') confirmPublicAddresses(libp2p.services.internals)
  return { libp2p, dht, ipfsService, discovery, bulkSockets }
}

/**
 * Announces the public addresses that are listened on without waiting for somebody to try them: libp2p keeps them to
 * itself until peers have dialled back, and the first seed of a network has no peers.
 */
export function confirmPublicAddresses({ addressManager, transportManager }: Internals): void {
  const listening = transportManager.getListeners().flatMap((listener) => listener.getAddrs())
  for (const address of listening) {
    if (addressKind(address) === 'public') addressManager.confirmObservedAddr(address, { type: 'transport' })
  }
}
