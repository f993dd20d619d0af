import type { CID } from 'multiformats/cid'
import { errorMessage } from '#contracts'
import type { Clock, Logger, Random } from '#contracts'
import {
  REPROVIDE_AGE_MS,
  REPROVIDE_DELAY_MS,
  REPROVIDE_INTERVAL_MS,
  REPROVIDE_PARALLEL
} from './constants.ts'
import type { AnnouncedAddresses } from './announced-addresses.ts'
import type { DhtTable } from './dht-service.ts'
import { contentCid } from './provider-guard.ts'
import type { ProviderGuard, ProviderRecord } from './provider-guard.ts'
import type { RecordGuard } from './record-guard.ts'

/** What announcing again is made of. */
export interface ReproviderComponents {
  readonly providers: Pick<ProviderGuard, 'own' | 'sweep'>
  readonly records: Pick<RecordGuard, 'sweep'>
  readonly table: DhtTable
  /** Announces one content within a bounded time. */
  readonly provide: (cid: CID, signal: AbortSignal) => Promise<unknown>
  readonly addresses: AnnouncedAddresses
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
}

/**
 * Announces again what this node provides, before the records run out, and deletes what has run out here.
 *
 * It takes the place of kad-dht's own reprovider, which prepares a time limit for each announcement and does not pass it
 * on: one lookup that never ends takes a place in its queue for good, and it stops when there are as many as places.
 */
export interface Reprovider extends AsyncDisposable {
  /** Announces what is due now and resolves with how many were announced. */
  run(signal: AbortSignal): Promise<number>
}

/** Starts announcing in the background. */
export function startReprovider(components: ReproviderComponents): Reprovider {
  const { clock, random, logger, table } = components
  const stopping = new AbortController()
  let wake = Promise.withResolvers<void>()
  let wasEmpty = table.size() === 0
  // what could not be announced while nobody was there is announced as soon as somebody comes
  const added = table.onAdd(() => {
    if (wasEmpty) wake.resolve()
    wasEmpty = false
  })
  const startedAtMs = clock.nowMs()
  const loop = async (): Promise<void> => {
    if (!wasEmpty) wake.resolve()
    for (;;) {
      await Promise.race([
        wake.promise,
        clock.sleep(REPROVIDE_INTERVAL_MS * (0.9 + random.unit() / 5), stopping.signal)
      ])
      wake = Promise.withResolvers()
      await clock.sleep(REPROVIDE_DELAY_MS, stopping.signal)
      await run(components, startedAtMs, stopping.signal)
      wasEmpty = table.size() === 0
    }
  }
  const running = loop().catch((error: unknown) => {
    if (!stopping.signal.aborted) logger.error('announcing again stopped', { error: errorMessage(error) })
  })
  return {
    run: async (signal) => await run(components, startedAtMs, signal),
    [Symbol.asyncDispose]: async () => {
      stopping.abort()
      added[Symbol.dispose]()
      await running
    }
  }
}

async function run(
  components: ReproviderComponents,
  startedAtMs: number,
  signal: AbortSignal
): Promise<number> {
  const { providers, records, table, addresses, clock, logger } = components
  try {
    const swept = (await providers.sweep({ signal })) + (await records.sweep({ signal }))
    if (swept > 0) logger.debug('records ran out', { count: swept })
    if (table.size() === 0) return 0
    // records made before this run may name addresses where we no longer are
    const moved = await addresses.changed()
    const oldestMs = moved ? startedAtMs : clock.nowMs() - REPROVIDE_AGE_MS
    const due: ProviderRecord[] = []
    for await (const record of providers.own({ signal }))
      if (record.announcedAtMs < oldestMs) due.push(record)
    const announced = await announce(components, due, signal)
    if (moved) await addresses.save()
    return announced
  } catch (error) {
    signal.throwIfAborted()
    logger.warn('announcing again failed', { error: errorMessage(error) })
    return 0
  }
}

async function announce(
  { provide, logger }: ReproviderComponents,
  due: ProviderRecord[],
  signal: AbortSignal
): Promise<number> {
  let announced = 0
  const worker = async (): Promise<void> => {
    for (let record = due.shift(); record !== undefined; record = due.shift()) {
      signal.throwIfAborted()
      try {
        await provide(contentCid(record), signal)
        announced += 1
      } catch (error) {
        logger.debug('not announced', { content: record.content, error: errorMessage(error) })
      }
    }
  }
  await Promise.all(Array.from({ length: REPROVIDE_PARALLEL }, worker))
  return announced
}
