import type { Clock, Logger } from '#contracts'
import type { Signer } from '#did'
import { RECORD_ADDRESSES_MAX, RECORD_REUSE_MS, RECORD_VALID_FOR_MS } from './constants.ts'
import { BootstrapError } from './errors.ts'
import { sealBootstrapRecord, type BootstrapClaim } from './record.ts'

/** A record ready to be served: its bytes and what they say. */
export interface ServedRecord {
  readonly bytes: Uint8Array
  readonly claim: BootstrapClaim
}

/** What records are made from. */
export interface RecordSourceComponents {
  readonly host: { addresses(): string[] }
  readonly signer: Signer
  readonly clock: Pick<Clock, 'nowMs' | 'monotonicMs'>
  readonly logger: Logger
}

/**
 * The seed's record of the moment; `undefined` while it has no address to tell. It is signed anew when the addresses
 * changed or it grew old, so that being asked often costs little.
 */
export function createRecordSource(
  components: RecordSourceComponents,
  network: string
): () => ServedRecord | undefined {
  const { host, signer, clock, logger } = components
  let served: ServedRecord | undefined
  let signedAtMs = Number.NEGATIVE_INFINITY
  return () => {
    const addresses = host.addresses().slice(0, RECORD_ADDRESSES_MAX)
    if (addresses.length === 0) return undefined
    const isSame = served !== undefined && addresses.join(' ') === served.claim.addresses.join(' ')
    if (isSame && clock.monotonicMs() - signedAtMs < RECORD_REUSE_MS) return served
    const claim = { addresses, network, issuedAtMs: clock.nowMs(), validForMs: RECORD_VALID_FOR_MS }
    try {
      served = { bytes: sealBootstrapRecord(signer, claim), claim }
    } catch (thrown) {
      if (!(thrown instanceof BootstrapError)) throw thrown
      logger.error('the addresses of this seed make no record', { code: thrown.code })
      return undefined
    }
    signedAtMs = clock.monotonicMs()
    return served
  }
}
