import type { Datastore } from 'interface-datastore'
import { Key } from 'interface-datastore'
import type { ReplicaStore } from '#replication'

const PREFIX = '/replica/1/'

/** Where replication remembers: a part of the datastore of the node. */
export function createReplicaStore(datastore: Datastore): ReplicaStore {
  const keyOf = (key: string): Key => new Key(PREFIX + key, false)
  return {
    put: async (key, value) => {
      await datastore.put(keyOf(key), value)
    },
    delete: async (key) => {
      await datastore.delete(keyOf(key))
    },
    entries: async function* (prefix) {
      for await (const { key, value } of datastore.query({ prefix: PREFIX + prefix })) {
        yield [key.toString().slice(PREFIX.length), value] as const
      }
    }
  }
}
