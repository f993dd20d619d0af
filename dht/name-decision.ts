import { DhtError } from './errors.ts'
import type { NameLookup } from './name-lookup.ts'
import { expiredError, isNewer } from './name-record.ts'
import type { NameRecord } from './name-record.ts'

/** What {@link decideResolution} decides from. */
export interface ResolutionEvidence {
  readonly name: string
  readonly lookup: NameLookup
  /** The record this device signed last, if the name is its own. */
  readonly own: NameRecord | undefined
  /** The newest record this node knows of, from whatever source. */
  readonly newest: NameRecord | undefined
  readonly nowMs: number
  readonly allowExpired: boolean
}

/** The record that counts, and whether the network gave it or this node's memory. */
export interface Resolution {
  readonly record: NameRecord
  readonly fromCache: boolean
}

/** The newer of two records, either of which may be absent. */
export function newest(a: NameRecord | undefined, b: NameRecord | undefined): NameRecord | undefined {
  if (a === undefined || b === undefined) return a ?? b
  return isNewer(b.bytes, a.bytes) ? b : a
}

/**
 * Decides what a name resolves to. Never a record older than one that was ever seen. When the network has none, the
 * newest one seen, as long as it has not expired; and so for a name of this device's own that the network does not
 * know the latest record of yet.
 *
 * @throws DhtError `ERR_NAME_STALE` when the network has only older records than the newest one seen,
 * `ERR_NAME_EXPIRED`, `ERR_NAME_NOT_FOUND`, `ERR_DHT_NO_PEERS`, or why the records that came were refused
 */
export function decideResolution(evidence: ResolutionEvidence): Resolution {
  const { name, lookup, own, newest: latest, nowMs } = evidence
  if (latest === undefined) throw lookup.refusal ?? nothingFound(name, lookup.peersAsked)
  if (lookup.best !== undefined) {
    if (!isNewer(latest.bytes, lookup.best.bytes)) return { record: lookup.best, fromCache: false }
    const isOwn = own !== undefined && !isNewer(latest.bytes, own.bytes)
    if (!isOwn) {
      const message = `expected sequence ${latest.sequence} of ${name} or a later one, as seen before, got ${lookup.best.sequence}`
      throw new DhtError('ERR_NAME_STALE', message)
    }
  }
  if (latest.validUntilMs <= nowMs && !evidence.allowExpired) throw expiredError(latest)
  return { record: latest, fromCache: true }
}

function nothingFound(name: string, peersAsked: number): DhtError {
  if (peersAsked === 0) {
    return new DhtError('ERR_DHT_NO_PEERS', `expected a peer to ask for ${name}, none answered`)
  }
  return new DhtError('ERR_NAME_NOT_FOUND', `expected a record of ${name}, ${peersAsked} peers have none`)
}
