/** The protocol id of our Kademlia DHT; the version changes when old and new nodes cannot answer each other. */
export const DHT_PROTOCOL = '/elastos/kad/1.0.0'

/** Where our DHT keeps its records in the node's datastore. */
export const DHT_DATASTORE_PREFIX = '/elastos-dht'

/** One hour in milliseconds. */
export const HOUR_MS: number = 60 * 60 * 1_000

/** How long a provider record counts; a provider announces again well before it ends. */
export const PROVIDER_VALIDITY_MS: number = 48 * HOUR_MS

/** How many bytes a record in the DHT may have. */
export const RECORD_BYTES_MAX: number = 10 * 1_024
