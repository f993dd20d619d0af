import { errorMessage } from '#contracts'
import type { Did } from '#did'
import { DhtError } from './errors.ts'
import {
  NAME_RENEW_BEFORE_MS,
  NAME_REPUT_FIRST_MS,
  NAME_REPUT_INTERVAL_MS,
  NAME_REPUT_JITTER_RATIO,
  NAME_VALIDITY_MS
} from './name-constants.ts'
import { newest } from './name-decision.ts'
import { lookUpName } from './name-lookup.ts'
import { expiredError, sealNameRecord } from './name-record.ts'
import type { NameRecord } from './name-record.ts'
import { rememberFindings, resolveName, storeRecord } from './name-core.ts'
import type { NameCore } from './name-core.ts'

/** What one round of putting names again came to. */
export interface RepublishReport {
  /** Names whose record at least one peer took. */
  readonly stored: number
  /** Names that nobody took, or that have no record that counts. */
  readonly failed: number
}

/** The loop that keeps names alive. */
export interface Republishing extends AsyncDisposable {
  /** Runs a round now. */
  runNow(signal: AbortSignal): Promise<RepublishReport>
}

/** Starts the loop; it ends when `signal` aborts, and disposing it waits for that. */
export function startRepublishing(core: NameCore, signal: AbortSignal): Republishing {
  const loop = async (): Promise<void> => {
    let delayMs = NAME_REPUT_FIRST_MS
    while (!signal.aborted) {
      await core.clock.sleep(delayMs * (1 + core.random.unit() * NAME_REPUT_JITTER_RATIO), signal)
      delayMs = NAME_REPUT_INTERVAL_MS
      try {
        const report = await republishNames(core, signal)
        if (report.stored + report.failed > 0) core.logger.info('names put again', { ...report })
      } catch (error) {
        if (!signal.aborted) core.logger.error('names not put again', { reason: errorMessage(error) })
      }
    }
  }
  // only the end of the node ends the loop: its sleep rejects then
  const ended = loop().catch(() => undefined)
  return {
    runNow: (callSignal) => republishNames(core, callSignal),
    [Symbol.asyncDispose]: () => ended
  }
}

async function republishNames(core: NameCore, signal: AbortSignal): Promise<RepublishReport> {
  let stored = 0
  let failed = 0
  const round = async (names: readonly Did[], refresh: Refresh): Promise<void> => {
    for (const did of names) {
      signal.throwIfAborted()
      try {
        const record = await refresh(core, did, signal)
        if ((await storeRecord(core, record, signal)) > 0) stored++
        else failed++
      } catch (error) {
        signal.throwIfAborted()
        failed++
        core.logger.debug('name not put again', { name: did, reason: errorMessage(error) })
      }
    }
  }
  await round(await core.store.ownNames(), refreshOwn)
  await round(await core.store.followed(), refreshFollowed)
  return { stored, failed }
}

type Refresh = (core: NameCore, did: Did, signal: AbortSignal) => Promise<NameRecord>

/** The latest record of somebody else's name, from the network or from memory. */
async function refreshFollowed(core: NameCore, did: Did, signal: AbortSignal): Promise<NameRecord> {
  return (await resolveName(core, did, { signal })).record
}

/** The latest record of a name of ours, signed again when it would expire soon. */
async function refreshOwn(core: NameCore, did: Did, signal: AbortSignal): Promise<NameRecord> {
  // learns what other devices of the same person have published; what cannot be learned now will be next time
  await rememberFindings(core.store, did, await lookUpName(core, did, signal))
  return core.turns.take(did, async () => {
    const latest = newest(await core.store.seen(did), await core.store.own(did))
    const nowMs = core.clock.nowMs()
    if (latest === undefined)
      throw new DhtError('ERR_NAME_NOT_FOUND', `expected a record of ${did}, there is none`)
    if (latest.validUntilMs - nowMs > NAME_RENEW_BEFORE_MS) return latest
    const signer = await core.signerOf?.(did)
    if (signer === undefined) {
      core.logger.warn('a name expires and its key is not here', { name: did, untilMs: latest.validUntilMs })
      if (latest.validUntilMs <= nowMs) throw expiredError(latest)
      return latest
    }
    // the same sequence, since it is the same value: it only counts for longer
    const { value, sequence } = latest
    const renewed = await sealNameRecord(signer, {
      ...{ value, sequence, validUntilMs: nowMs + NAME_VALIDITY_MS },
      signedAtMs: nowMs
    })
    await core.store.journal(renewed)
    return core.store.remember(renewed)
  })
}
