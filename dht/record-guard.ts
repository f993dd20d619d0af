import type { AbortOptions } from '@libp2p/interface'
import type { Selectors } from '@libp2p/kad-dht'
import { Libp2pRecord } from '@libp2p/record'
import type { Datastore, Key } from 'interface-datastore'
import { createTurns } from '#contracts'
import type { Clock } from '#contracts'
import { RECORD_BYTES_MAX, RECORD_OVERHEAD_BYTES_MAX, RECORD_VALIDITY_MS, RECORDS_MAX } from './constants.ts'
import { DhtError } from './errors.ts'

/** Decides which records the DHT stores. */
export interface RecordGuard {
  /** Whether a key holds a DHT record. */
  covers(key: Key): boolean
  /**
   * Stores a record unless a better one is held.
   *
   * @throws {@link DhtError} `ERR_RECORD_SUPERSEDED`, `ERR_MESSAGE_TOO_LARGE`, `ERR_DHT_NOT_STORED` when full
   */
  put(key: Key, value: Uint8Array, options?: AbortOptions): Promise<Key>
  /** Deletes the records that nobody has renewed for long, and returns how many there were. */
  sweep(options?: AbortOptions): Promise<number>
}

/** What a record guard is made of. */
export interface RecordGuardInit {
  readonly datastore: Pick<Datastore, 'get' | 'put' | 'has' | 'delete' | 'query' | 'queryKeys'>
  /** The datastore prefix of the DHT. */
  readonly prefix: string
  /** Which of two records of a namespace is to be preferred. */
  readonly selectors: Selectors
  readonly clock: Pick<Clock, 'nowMs'>
  readonly recordsMax?: number
}

/**
 * A guard for the records of a DHT. Stock kad-dht replaces a record by any valid one, an older one included, so that
 * whoever kept an old record of a name could bring it back (js-libp2p issue 3377).
 */
export function createRecordGuard(init: RecordGuardInit): RecordGuard {
  const { datastore, prefix, selectors, clock, recordsMax = RECORDS_MAX } = init
  const base = `${prefix}/record/`
  const turns = createTurns()
  let count: Promise<number> | undefined
  const countOne = async (): Promise<void> => {
    const held = await (count ??= countKeys(datastore, base))
    if (held >= recordsMax) {
      throw new DhtError(
        'ERR_DHT_NOT_STORED',
        `expected at most ${recordsMax} records, this node holds as many`
      )
    }
    count = Promise.resolve(held + 1)
  }
  return {
    covers: (key) => key.toString().startsWith(base),
    // one at a time for each key: between reading the held record and writing the new one nobody else may write
    put: async (key, value, options) =>
      await turns.take(key.toString(), async () => {
        checkSize(value)
        const held = (await datastore.has(key, options)) ? await datastore.get(key, options) : undefined
        if (held === undefined) await countOne()
        else await checkNotOlder(selectors, value, held)
        return await datastore.put(key, value, options)
      }),
    sweep: async (options) => {
      let swept = 0
      for await (const { key, value } of datastore.query({ prefix: base }, options)) {
        if (!isStale(value, clock.nowMs())) continue
        await turns.take(key.toString(), async () => {
          await datastore.delete(key, options)
        })
        swept += 1
      }
      count = undefined
      return swept
    }
  }
}

function checkSize(value: Uint8Array): void {
  if (value.length <= RECORD_BYTES_MAX + RECORD_OVERHEAD_BYTES_MAX) return
  const message = `expected a record of at most ${RECORD_BYTES_MAX} bytes, got ${value.length}`
  throw new DhtError('ERR_MESSAGE_TOO_LARGE', message)
}

async function checkNotOlder(selectors: Selectors, value: Uint8Array, held: Uint8Array): Promise<void> {
  const offered = Libp2pRecord.deserialize(value)
  const previous = Libp2pRecord.deserialize(held)
  const namespace = Buffer.from(offered.key).toString('latin1').split('/')[1] ?? ''
  const select = selectors[namespace]
  // without a selector nobody can say which is better: the DHT refuses such a namespace anyway
  if (select === undefined) return
  // the selector names the first of equals, so a record that is published again is taken
  if ((await select(offered.key, [offered.value, previous.value])) === 0) return
  throw new DhtError('ERR_RECORD_SUPERSEDED', 'expected a record newer than the one held, got an older one')
}

async function countKeys(datastore: Pick<Datastore, 'queryKeys'>, prefix: string): Promise<number> {
  let count = 0
  for await (const _key of datastore.queryKeys({ prefix })) count += 1
  return count
}

/** The DHT of IPFS drops a record 48 hours after it was last received too; who cares for it publishes it again. */
function isStale(value: Uint8Array, nowMs: number): boolean {
  try {
    return Libp2pRecord.deserialize(value).timeReceived.getTime() < nowMs - RECORD_VALIDITY_MS
  } catch {
    return true
  }
}
