import { createTurns } from '#contracts'
import { didFromIpnsName, ipnsNameFromDid } from '#did'
import type { Did } from '#did'
import { DhtError } from './errors.ts'
import { FOLLOWED_NAMES_MAX, OWN_NAMES_MAX, SEEN_NAMES_MAX } from './name-constants.ts'
import { isNewer, verifyNameRecord } from './name-record.ts'
import type { NameRecord } from './name-record.ts'
import { createShelf } from './shelf.ts'
import type { Shelf, ShelfDatastore } from './shelf.ts'

/**
 * What a node remembers of names, over restarts: the newest record ever seen of each, the records it signed itself,
 * and the names it follows.
 */
export interface NameStore {
  /** The newest record seen, expired or not. */
  seen(did: Did): Promise<NameRecord | undefined>
  /** Remembers `record` if it is newer than what was seen, and returns the newest. On disk when this resolves. */
  remember(record: NameRecord): Promise<NameRecord>
  /** The record this device signed last. */
  own(did: Did): Promise<NameRecord | undefined>
  /**
   * Writes down a record of our own *before* it is put anywhere, so that a crash in between never leads to a second
   * value under its sequence.
   */
  journal(record: NameRecord): Promise<void>
  ownNames(): Promise<Did[]>
  followed(): Promise<Did[]>
  follow(did: Did): Promise<void>
  unfollow(did: Did): Promise<void>
}

/**
 * A name store in `datastore`, below `/elastos-names`. Its methods throw DhtError `ERR_NAME_STORE` when there are too
 * many names or a stored record cannot be read: without it neither a rollback nor a sequence used twice could be
 * excluded.
 */
export function createNameStore(datastore: ShelfDatastore): NameStore {
  const turns = createTurns()
  const seen = nameShelf(datastore, 'seen', SEEN_NAMES_MAX)
  const own = nameShelf(datastore, 'own', OWN_NAMES_MAX)
  const followed = nameShelf(datastore, 'followed', FOLLOWED_NAMES_MAX)
  const advance = (shelf: Shelf, record: NameRecord): Promise<NameRecord> =>
    turns.take(record.did, async () => {
      const held = await read(shelf, record.did)
      if (held !== undefined && !isNewer(record.bytes, held.bytes)) return held
      await shelf.put(ipnsNameFromDid(record.did), record.bytes)
      return record
    })
  return {
    seen: (did) => read(seen, did),
    remember: (record) => advance(seen, record),
    own: (did) => read(own, did),
    journal: async (record) => {
      await advance(own, record)
    },
    ownNames: async () => (await own.names()).map(didFromIpnsName),
    followed: async () => (await followed.names()).map(didFromIpnsName),
    follow: (did) => followed.put(ipnsNameFromDid(did), new Uint8Array(0)),
    unfollow: (did) => followed.delete(ipnsNameFromDid(did))
  }
}

function nameShelf(datastore: ShelfDatastore, what: string, sizeMax: number): Shelf {
  return createShelf(datastore, {
    prefix: `/elastos-names/${what}/`,
    sizeMax,
    full: () => new DhtError('ERR_NAME_STORE', `expected at most ${sizeMax} ${what} names, got one more`)
  })
}

async function read(shelf: Shelf, did: Did): Promise<NameRecord | undefined> {
  const bytes = await shelf.get(ipnsNameFromDid(did))
  if (bytes === undefined) return undefined
  try {
    return verifyNameRecord(did, bytes)
  } catch (cause) {
    throw new DhtError('ERR_NAME_STORE', `expected a stored record of ${did} that can be read`, { cause })
  }
}
