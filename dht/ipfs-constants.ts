import { HOUR_MS } from './constants.ts'

/** The protocol of the public IPFS DHT. */
export const IPFS_WAN_PROTOCOL = '/ipfs/kad/1.0.0'

/** The protocol of the DHT that IPFS nodes form in a local network. */
export const IPFS_LAN_PROTOCOL = '/ipfs/lan/kad/1.0.0'

/** Where the IPFS DHT's own records are kept in the node's datastore. */
export const IPFS_DATASTORE_PREFIX = '/ipfs-dht'

/** Where the addresses last announced in the IPFS DHT are kept. */
export const IPFS_ADDRESSES_KEY = '/ipfs-dht-addresses'

/** The prefix of the IPFS DHT's log lines. */
export const IPFS_LOG_PREFIX = 'elastos:ipfs-dht'

/** The prefix of the IPFS DHT's metrics. */
export const IPFS_METRICS_PREFIX = 'elastos_ipfs_dht'

/**
 * Peers that introduce others to the public IPFS DHT, as Kubo ships them. They are contacted, and their names resolved,
 * only when the user joins that DHT.
 */
export const IPFS_BOOTSTRAP_PEERS: readonly string[] = [
  '/dnsaddr/bootstrap.libp2p.io/p2p/QmNnooDu7bfjPFoTZYxMNLWUQJyrVwtbZg5gBMjTezGAJN',
  '/dnsaddr/bootstrap.libp2p.io/p2p/QmbLHAnMoJPWSCR5Zhtx6BHJX9KiKNN6tpvbUcqanj75Nb',
  '/dnsaddr/bootstrap.libp2p.io/p2p/QmcZf59bWwK5XFi76CZX8cbJ4BhTzzA3gU1ZjYZcYW3dwt',
  '/dnsaddr/va1.bootstrap.libp2p.io/p2p/12D3KooWKnDdG3iXw9eTFijk3EWSunZcFi54Zka4wmtqtt6rPxc8',
  '/ip4/104.131.131.82/tcp/4001/p2p/QmaCpDMGvV2BGHeYERUEnRQAwe3N8SzbUtfsmvsqQLuvuJ'
]

/** How many IPFS peers of earlier runs are tried when joining. */
export const IPFS_KNOWN_PEERS_MAX = 32

/** How many peers one round of discovery connects to. */
export const DISCOVERY_PEERS_MAX = 16

/** How many peers discovery connects to at once. */
export const DISCOVERY_PARALLEL_DIALS = 4

/** How long one round of discovery may search. */
export const DISCOVERY_ROUND_MS_MAX = 60_000

/** How long connecting to one discovered peer, and asking what it speaks, may take. */
export const DISCOVERY_CONNECT_MS_MAX = 15_000

/** The first wait between rounds while this network has not been found. */
export const DISCOVERY_RETRY_MS_MIN = 5_000

/** The longest wait between rounds while this network has not been found. */
export const DISCOVERY_RETRY_MS_MAX: number = 10 * 60 * 1_000

/** The wait between rounds once it has been found. */
export const DISCOVERY_INTERVAL_MS: number = HOUR_MS

/** How often this node announces itself for others to discover; announcements last 48 hours. */
export const DISCOVERY_PROVIDE_INTERVAL_MS: number = 12 * HOUR_MS

/** How many peers, met or found to be strangers, discovery remembers so as not to dial them in each round. */
export const DISCOVERY_REMEMBERED_MAX = 1_024
