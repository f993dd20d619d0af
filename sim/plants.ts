import type { AbortOptions } from '@libp2p/interface'
import { MemoryDatastore } from 'datastore-core'
import { Key, type KeyQuery } from 'interface-datastore'
import type { PowersPlant } from './simulated-node.ts'

/** Faults that can be planted in every node: the checkers must find each of them. */
export type PlantName = 'open-serving'

const ROOT = '/content/1/root/dag/'
const UNDER = '/content/1/under/'

/** A store that says of every block that it lies under every root: what is private beside something public is served. */
class OpenServingDatastore extends MemoryDatastore {
  readonly #roots = new Set<string>()

  override async put(key: Key, value: Uint8Array, options?: AbortOptions): Promise<Key> {
    if (key.toString().startsWith(ROOT)) this.#roots.add(key.name())
    return await super.put(key, value, options)
  }

  override async *queryKeys(query: KeyQuery, options?: AbortOptions): AsyncGenerator<Key> {
    yield* super.queryKeys(query, options)
    if (query.prefix?.startsWith(UNDER) !== true) return
    for (const root of this.#roots) yield new Key(`${query.prefix}${root}`, false)
  }
}

/** Every fault, by its name. */
export const PLANTS: Readonly<Record<PlantName, PowersPlant>> = {
  'open-serving': (_name, powers) => ({ ...powers, datastore: new OpenServingDatastore() })
}
