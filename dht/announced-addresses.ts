import type { Datastore } from 'interface-datastore'
import { Key } from 'interface-datastore/key'

/** Where the addresses last announced are kept in the node's datastore. */
const ADDRESSES_KEY = new Key('/elastos/announced-addresses')

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
}

/** A memory of the addresses that were announced. */
export function createAnnouncedAddresses({
  datastore,
  addresses
}: AnnouncedAddressesInit): AnnouncedAddresses {
  const current = (): Uint8Array => Buffer.from(addresses().toSorted().join('\n'))
  return {
    changed: async () => {
      if (!(await datastore.has(ADDRESSES_KEY))) return true
      return Buffer.compare(await datastore.get(ADDRESSES_KEY), current()) !== 0
    },
    save: async () => {
      await datastore.put(ADDRESSES_KEY, current())
    }
  }
}
