import type { AuthorityStore } from '#capsule-host'
import type { NameAnswer, NameRouting } from '#dht'
import type { CheckName } from '../scenario.ts'
import { SimError } from '../errors.ts'
import type { NameDatastore } from './disk.ts'

/** Where a fault can be planted in every node. Without one, everything passes as it is. */
export interface PartsPlant {
  nameRouting(routing: NameRouting): NameRouting
  nameDatastore(datastore: NameDatastore): NameDatastore
  authorityStore(store: AuthorityStore): AuthorityStore
  /** The bound of a table that must not grow. */
  bound(max: number): number
  /** To how many a message of a room is sent, and how many of others are passed on. */
  readonly fanOut: { readonly own: number; readonly others: number }
  /** Whether a protocol of rooms is answered: those who miss a message ask for it. */
  servesRoom(protocol: string): boolean
  /** Whether what is run is verified first. */
  readonly verifiesCode: boolean
  /** Whether disks acknowledge writes before they are durable. */
  readonly isHastyDisk: boolean
  /** Whether holders keep what they took when others ask. */
  readonly isForgetfulKeeper: boolean
}

/** Nodes as they are. */
export const NO_PLANT: PartsPlant = {
  nameRouting: (routing) => routing,
  nameDatastore: (datastore) => datastore,
  authorityStore: (store) => store,
  bound: (max) => max,
  fanOut: { own: Infinity, others: Infinity },
  servesRoom: () => true,
  ...{ verifiesCode: true, isHastyDisk: false, isForgetfulKeeper: false }
}

/** Faults, each with the checker that must find it. */
export const PARTS_PLANTS: Readonly<
  Record<string, { readonly finds: CheckName; readonly plant: PartsPlant }>
> = {
  'hasty-disk': { finds: 'writes', plant: { ...NO_PLANT, isHastyDisk: true } },
  'stale-cache': {
    finds: 'names',
    plant: { ...NO_PLANT, nameRouting: staleCache, nameDatastore: forgetful }
  },
  'lost-revocation': { finds: 'grants', plant: { ...NO_PLANT, authorityStore: unwritten } },
  'careless-keeper': { finds: 'replicas', plant: { ...NO_PLANT, isForgetfulKeeper: true } },
  'deaf-relay': {
    finds: 'messages',
    plant: {
      ...NO_PLANT,
      fanOut: { own: 1, others: 0 },
      servesRoom: (protocol) => protocol.includes('/members/')
    }
  },
  'endless-memory': { finds: 'queues', plant: { ...NO_PLANT, bound: () => Infinity } },
  'trusting-runner': { finds: 'code', plant: { ...NO_PLANT, verifiesCode: false } }
}

/**
 * The fault of that name.
 *
 * @throws SimError `ERR_SIM_OPTION`
 */
export function partsPlantOf(name: string | undefined): PartsPlant {
  if (name === undefined) return NO_PLANT
  const known = Object.hasOwn(PARTS_PLANTS, name) ? PARTS_PLANTS[name] : undefined
  if (known !== undefined) return known.plant
  const names = Object.keys(PARTS_PLANTS).join(', ')
  throw new SimError('ERR_SIM_OPTION', `expected one of the faults ${names}, got ${name.slice(0, 80)}`)
}

/** Answers every third search from what an earlier one found, however long ago. */
function staleCache(routing: NameRouting): NameRouting {
  const cache = new Map<string, NameAnswer[]>()
  let searches = 0
  return {
    ...routing,
    find: async function* (key, o) {
      const text = Buffer.from(key).toString('latin1')
      const cached = cache.get(text) ?? []
      searches += 1
      if (searches % 3 === 0 && cached.length > 0) {
        yield* cached
        return
      }
      for await (const answer of routing.find(key, o)) {
        if (answer.record !== undefined && cached.length === 0) cache.set(text, [answer])
        yield answer
      }
    }
  }
}

/** Forgets what was seen of names. */
function forgetful(datastore: NameDatastore): NameDatastore {
  const isSeen = (key: { toString(): string }): boolean => key.toString().includes('/seen/')
  return { ...datastore, has: (key, o) => !isSeen(key) && datastore.has(key, o) }
}

/** Says that changes are on the disk, and writes them when more come. */
function unwritten(store: AuthorityStore): AuthorityStore {
  let late: Parameters<AuthorityStore['write']>[0] = []
  return {
    ...store,
    write: async (changes) => {
      const due = late
      late = changes
      if (due.length > 0) await store.write(due)
    },
    [Symbol.asyncDispose]: async () => {
      await store[Symbol.asyncDispose]()
    }
  }
}
