import type { Selectors, Validators } from '@libp2p/kad-dht'
import type { Clock } from '#contracts'
import { DhtError } from './errors.ts'
import { didFromNameKey, openNameRecord, selectNameRecord } from './name-record.ts'

/** What a kad-dht needs to know of the records it may hold: which are valid, and which of two is to be preferred. */
export interface RecordRules {
  readonly validators: Validators
  readonly selectors: Selectors
}

/**
 * The rules for `/ipns/` records of Ed25519 keys. `/pk/` records are refused: the key is in the name itself, so that
 * storing them would only give strangers room.
 */
export function createRecordRules(clock: Pick<Clock, 'nowMs'>): RecordRules {
  return {
    validators: {
      ipns: (key, value) => {
        openNameRecord(didFromNameKey(key), value, clock.nowMs())
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
