import type { Datastore, Key } from 'interface-datastore'
import type { ProviderGuard } from './provider-guard.ts'
import type { RecordGuard } from './record-guard.ts'

/** The methods of a datastore that kad-dht uses. */
export type KadDatastore = Pick<Datastore, 'get' | 'put' | 'delete' | 'query'>

/** What guards a DHT's datastore. */
export interface DatastoreGuards {
  readonly records: RecordGuard
  readonly providers: ProviderGuard
}

/**
 * The datastore as kad-dht gets it. kad-dht writes whatever valid record it is sent and reads whatever is there; this
 * is the one seam where both can be judged without a copy of its sources.
 */
export function guardDatastore(inner: Datastore, { records, providers }: DatastoreGuards): Datastore {
  const guarded: KadDatastore = {
    get: (key, options) => inner.get(key, options),
    delete: async (key, options) => {
      if (providers.covers(key)) await providers.delete(key, options)
      else await inner.delete(key, options)
    },
    put: async (key, value, options): Promise<Key> => {
      if (records.covers(key)) return await records.put(key, value, options)
      if (providers.covers(key)) return await providers.put(key, value, options)
      return await inner.put(key, value, options)
    },
    query: (query, options) =>
      providers.coversQuery(query) ? providers.query(query, options) : inner.query(query, options)
  }
  return guarded as Datastore
}
