import type { Datastore } from 'interface-datastore'
import { Key } from 'interface-datastore/key'

/** Where the addresses last announced are kept in the node's datastore, unless told otherwise. */
const ADDRESSES_KEY = '/elastos/announced-addresses'

/** Remembers, across runs, with which addresses this node was last announced. */
export interface AnnouncedAddresses {
  /** Whether the addresses are others than when `save` was last called. */
  changed(): Promise<boolean>
  save(): Promise<void>
}

/** What remembering addresses needs. */
export interface AnnouncedAddressesInit {
  readonly datastore: Pick<Datastore, 'get' | 'put' | 'has'>
  readonly addresses: () => readonly string[]
  /** Where they are kept: each DHT has a memory of its own. */
  readonly key?: string
}

/** A memory of the addresses that were announced. */
export function createAnnouncedAddresses({
  datastore,
  addresses,
  key: keyText = ADDRESSES_KEY
}: AnnouncedAddressesInit): AnnouncedAddresses {
  const key = new Key(keyText)
  const current = (): Uint8Array => Buffer.from(addresses().toSorted().join('\n'))
  return {
    changed: async () => {
      if (!(await datastore.has(key))) return true
      return Buffer.compare(await datastore.get(key), current()) !== 0
    },
    save: async () => {
      await datastore.put(key, current())
    }
  }
}
