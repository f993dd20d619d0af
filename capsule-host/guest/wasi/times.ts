import type { TimesMessage } from '../message-codec.ts'
import { ERRNO, WasiError } from './errno.ts'

const SET = { accessed: 1, accessedNow: 2, modified: 4, modifiedNow: 8 } as const
const SET_ALL = 15

/**
 * The times a program sets (`fstflags`).
 *
 * @throws WasiError `INVAL` for both a time and now
 */
export function readTimes(o: { accessed: bigint; modified: bigint; flags: number }): TimesMessage {
  const { flags } = o
  const has = (bits: number): boolean => (flags & bits) === bits
  if ((flags & ~SET_ALL) !== 0) throw new WasiError(ERRNO.inval)
  if (has(SET.accessed | SET.accessedNow) || has(SET.modified | SET.modifiedNow)) {
    throw new WasiError(ERRNO.inval)
  }
  return {
    ...(has(SET.accessed) ? { accessedNs: o.accessed } : has(SET.accessedNow) ? { accessedNs: 'now' } : {}),
    ...(has(SET.modified) ? { modifiedNs: o.modified } : has(SET.modifiedNow) ? { modifiedNs: 'now' } : {})
  }
}
