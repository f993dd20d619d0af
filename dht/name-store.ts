import { Key } from 'interface-datastore'
import type { Datastore } from 'interface-datastore'
import { ipnsNameFromDid } from '#did'
import type { Did } from '#did'
import { DhtError } from './errors.ts'
import { FOLLOWED_NAMES_MAX, OWN_NAMES_MAX, SEEN_NAMES_MAX } from './name-constants.ts'
import { isNewer, parseName, verifyNameRecord } from './name-record.ts'
import type { NameRecord } from './name-record.ts'
import { createTurns } from './turns.ts'

/** The parts of a datastore that names use. */
export type NameDatastore = Pick<Datastore, 'get' | 'put' | 'has' | 'delete' | 'queryKeys'>

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

type Shelf = 'seen' | 'own' | 'followed'

const SHELF_SIZE_MAX: Record<Shelf, number> = {
  seen: SEEN_NAMES_MAX,
  own: OWN_NAMES_MAX,
  followed: FOLLOWED_NAMES_MAX
}

/**
 * A name store in `datastore`, below `/elastos-names`. Its methods throw DhtError `ERR_NAME_STORE` when a shelf is full
 * or a stored record cannot be read: without it neither a rollback nor a sequence used twice could be excluded.
 */
export function createNameStore(datastore: NameDatastore): NameStore {
  const turns = createTurns()
  const shelves = new Map<Shelf, Promise<number>>()

  const read = async (shelf: Shelf, did: Did): Promise<NameRecord | undefined> => {
    const key = keyOf(shelf, did)
    if (!(await datastore.has(key))) return undefined
    try {
      return verifyNameRecord(did, await datastore.get(key))
    } catch (cause) {
      throw new DhtError('ERR_NAME_STORE', `expected a stored record of ${did} that can be read`, { cause })
    }
  }
  const write = async (shelf: Shelf, did: Did, bytes: Uint8Array): Promise<void> => {
    const key = keyOf(shelf, did)
    const isNew = !(await datastore.has(key))
    if (isNew) await makeRoom(shelf)
    await datastore.put(key, bytes)
  }
  const advance = async (shelf: Shelf, record: NameRecord): Promise<NameRecord> => {
    const held = await read(shelf, record.did)
    if (held !== undefined && !isNewer(record.bytes, held.bytes)) return held
    await write(shelf, record.did, record.bytes)
    return record
  }
  const makeRoom = (shelf: Shelf): Promise<void> =>
    turns.take(shelf, async () => {
      const size = await (shelves.get(shelf) ?? count(datastore, shelf))
      if (size >= SHELF_SIZE_MAX[shelf]) {
        throw new DhtError('ERR_NAME_STORE', `expected at most ${SHELF_SIZE_MAX[shelf]} ${shelf} names`)
      }
      shelves.set(shelf, Promise.resolve(size + 1))
    })
  return {
    seen: (did) => read('seen', did),
    remember: (record) => turns.take(record.did, () => advance('seen', record)),
    own: (did) => read('own', did),
    journal: async (record) => void (await turns.take(record.did, () => advance('own', record))),
    ownNames: () => list(datastore, 'own'),
    followed: () => list(datastore, 'followed'),
    follow: (did) => turns.take(did, () => write('followed', did, new Uint8Array(0))),
    unfollow: (did) =>
      turns.take(did, async () => {
        await datastore.delete(keyOf('followed', did))
        shelves.delete('followed')
      })
  }
}

function prefixOf(shelf: Shelf): string {
  return `/elastos-names/${shelf}/`
}

function keyOf(shelf: Shelf, did: Did): Key {
  return new Key(prefixOf(shelf) + ipnsNameFromDid(did))
}

async function list(datastore: NameDatastore, shelf: Shelf): Promise<Did[]> {
  const names: Did[] = []
  for await (const key of datastore.queryKeys({ prefix: prefixOf(shelf) })) names.push(parseName(key.name()))
  return names
}

async function count(datastore: NameDatastore, shelf: Shelf): Promise<number> {
  let size = 0
  for await (const key of datastore.queryKeys({ prefix: prefixOf(shelf) })) size += Number(key.name() !== '')
  return size
}
