import type { AbortOptions } from '@libp2p/interface'
import type { Selectors, Validators } from '@libp2p/kad-dht'
import type { Clock } from '#contracts'
import { DhtError } from './errors.ts'
import { didFromNameKey, openNameRecord, selectNameRecord } from './name-record.ts'

/** What a kad-dht needs to know of the records it may hold: which are valid, and which of two is to be preferred. */
export interface RecordRules {
  readonly validators: Validators
  readonly selectors: Selectors
}

/** Options that a lookup of ours hands to kad-dht, which hands them on to the validators. */
export interface WatchedLookupOptions extends AbortOptions {
  /** Told of each record that was refused, since kad-dht drops them without a reason. */
  readonly onRefused?: (record: Uint8Array) => void
}

/**
 * The rules for `/ipns/` records of Ed25519 keys. `/pk/` records are refused: the key is in the name itself, so that
 * storing them would only give strangers room.
 */
export function createRecordRules(clock: Pick<Clock, 'nowMs'>): RecordRules {
  return {
    validators: {
      ipns: (key, value, options) => {
        try {
          openNameRecord(didFromNameKey(key), value, clock.nowMs())
        } catch (error) {
          const watched: WatchedLookupOptions | undefined = options
          watched?.onRefused?.(value)
          throw error
        }
      },
      pk: () => {
        throw new DhtError('ERR_NAME_INVALID', 'expected an /ipns/ record, got a /pk/ record')
      }
    },
    selectors: {
      ipns: (_key, records) => selectNameRecord(records),
      pk: () => 0
    }
  }
}
