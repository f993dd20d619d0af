import { errorMessage, createTurns } from '#contracts'
import type { Clock, Logger, Random } from '#contracts'
import type { AnnouncedAddresses } from '../announced-addresses.ts'
import type { DhtTable } from '../dht-service.ts'
import type { ProviderGuard } from '../provider-guard.ts'
import type { RecordGuard } from '../record-guard.ts'
import type { Announcement, AnnouncementBook } from './announcement-book.ts'
import {
  SLOTS,
  STALE_DELETE_INTERVAL_MS,
  SWEEP_CYCLE_MS,
  SWEEP_DELAY_MS,
  SWEEP_RETRY_INTERVAL_MS,
  SWEEP_SKIP_AGE_MS,
  SWEEP_TICK_MS
} from './constants.ts'
import type { ProvideNetwork } from './regions.ts'
import { createSweep } from './sweep.ts'
import type { Sweep } from './sweep.ts'
import { addPass, afterSlot, dueAtMs, everythingDue } from './sweep-state.ts'
import type { SweepPass, SweepState, SweepStateFile } from './sweep-state.ts'

/** What announcing again is made of. */
export interface SweeperComponents {
  readonly network: ProvideNetwork
  readonly book: AnnouncementBook
  readonly state: SweepStateFile
  readonly providers: Pick<ProviderGuard, 'renew' | 'sweep'>
  readonly records: Pick<RecordGuard, 'sweep'>
  readonly table: Pick<DhtTable, 'size' | 'onAdd'>
  readonly addresses: AnnouncedAddresses
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
}

/** How announcing again goes. Times are milliseconds since the epoch. */
export interface ProvideStatus {
  /** How many contents are announced, and how many of those nobody has taken yet. */
  readonly contents: number
  readonly unannounced: number
  /** How much of the key space this cycle has passed, 0 to 1. */
  readonly progress: number
  readonly cycleStartedAtMs: number
  readonly cycleMs: number
  /** When something was last announced by the sweep. */
  readonly lastAtMs: number | undefined
  /** When the next contents are due; in the past when they are late, for want of peers perhaps. */
  readonly nextAtMs: number | undefined
  /** What this cycle has done, and what the one before did. */
  readonly current: SweepPass
  readonly previous: SweepPass | undefined
}

/**
 * Announces again what this node provides, before the records run out, and deletes what has run out here: slot by slot of
 * the key space, spread evenly over a cycle, and on from there after a restart.
 */
export interface Sweeper extends AsyncDisposable {
  /** Announces what is due now and resolves with how many contents that were. */
  run(signal: AbortSignal): Promise<number>
  status(): Promise<ProvideStatus>
}

/** Starts announcing in the background. */
export function startSweeper(components: SweeperComponents): Sweeper {
  const { clock, random, logger, table } = components
  const stopping = new AbortController()
  const round = createRound(components)
  let wake = Promise.withResolvers<void>()
  let wasEmpty = table.size() === 0
  // what could not be announced while nobody was there is announced as soon as somebody comes
  const added = table.onAdd(() => {
    if (wasEmpty) wake.resolve()
    wasEmpty = false
  })
  const loop = async (): Promise<void> => {
    if (!wasEmpty) wake.resolve()
    for (let waitedMs = Infinity; ; waitedMs += SWEEP_TICK_MS) {
      const tick = clock.sleep(SWEEP_TICK_MS * (0.9 + random.unit() / 5), stopping.signal)
      const isWoken = await Promise.race([wake.promise.then(() => true), tick.then(() => false)])
      if (isWoken) {
        wake = Promise.withResolvers()
        await clock.sleep(SWEEP_DELAY_MS, stopping.signal)
      }
      const isFull = isWoken || waitedMs >= SWEEP_RETRY_INTERVAL_MS
      await round.run(isFull ? 'all' : 'slots', stopping.signal)
      if (isFull) waitedMs = 0
      wasEmpty = table.size() === 0
    }
  }
  const running = loop().catch((error: unknown) => {
    if (!stopping.signal.aborted) logger.error('announcing again stopped', { error: errorMessage(error) })
  })
  return {
    run: async (signal) => await round.run('all', signal),
    status: round.status,
    [Symbol.asyncDispose]: async () => {
      stopping.abort()
      added[Symbol.dispose]()
      await running
    }
  }
}

interface Round {
  /** `slots`: only what its time has come for; `all`: what failed before and what has run out, too. */
  run(what: 'all' | 'slots', signal: AbortSignal): Promise<number>
  status(): Promise<ProvideStatus>
}

function createRound(components: SweeperComponents): Round {
  const { book, state: file, providers, table, clock, logger } = components
  const renew = async (multihash: Uint8Array, atMs: number): Promise<boolean> =>
    await providers.renew(multihash, atMs)
  const sweep = createSweep({ ...components, renew })
  const turns = createTurns()
  const startedAtMs = clock.nowMs()
  const core: RoundCore = { ...components, sweep, startedAtMs, staleDeletedAtMs: 0, held: undefined }
  const runOnce = async (what: 'all' | 'slots', signal: AbortSignal): Promise<number> => {
    try {
      if (what === 'all') await deleteStale(core, signal)
      if (table.size() === 0) return 0
      if (what === 'all') await noticeMove(core)
      const failedBefore = what === 'all' ? await announceFailed(core, signal) : 0
      return failedBefore + (await announceDue(core, signal))
    } catch (error) {
      signal.throwIfAborted()
      logger.warn('announcing again failed', { error: errorMessage(error) })
      return 0
    }
  }
  return {
    run: async (what, signal) => await turns.take('', async () => await runOnce(what, signal)),
    status: async () => {
      const state = core.held ?? (await file.read(clock.nowMs()))
      const { total, unannounced } = await book.counts()
      const { cycleStartedAtMs, lastAtMs, current, previous } = state
      return {
        ...{ contents: total, unannounced, cycleStartedAtMs, current, previous },
        progress: state.slot / SLOTS,
        cycleMs: SWEEP_CYCLE_MS,
        lastAtMs: lastAtMs === 0 ? undefined : lastAtMs,
        nextAtMs: nextAtMs(state, (await book.slots()).total)
      }
    }
  }
}

interface RoundCore extends SweeperComponents {
  readonly sweep: Sweep
  readonly startedAtMs: number
  staleDeletedAtMs: number
  held: SweepState | undefined
}

async function deleteStale(core: RoundCore, signal: AbortSignal): Promise<void> {
  const { providers, records, clock, logger } = core
  // it reads all records; what has run out is not answered with anyway
  if (clock.nowMs() - core.staleDeletedAtMs < STALE_DELETE_INTERVAL_MS) return
  core.staleDeletedAtMs = clock.nowMs()
  const swept = (await providers.sweep({ signal })) + (await records.sweep({ signal }))
  if (swept > 0) logger.debug('records ran out', { count: swept })
}

async function noticeMove(core: RoundCore): Promise<void> {
  const { addresses, clock, startedAtMs } = core
  if (!(await addresses.changed())) return
  const nowMs = clock.nowMs()
  // at the first look, what was announced since the start has the addresses of now
  const movedAtMs = core.held === undefined ? startedAtMs : nowMs
  core.held = everythingDue(await stateOf(core), movedAtMs, nowMs)
  await core.state.write(core.held)
  await addresses.save()
}

async function stateOf(core: RoundCore): Promise<SweepState> {
  return (core.held ??= await core.state.read(core.clock.nowMs()))
}

/** Tries again what nobody took, wherever in the key space it is. */
async function announceFailed(core: RoundCore, signal: AbortSignal): Promise<number> {
  const { unannounced } = await core.book.slots()
  let announced = 0
  for (let slot = 0; slot < SLOTS; slot += 1) {
    if ((unannounced[slot] ?? 0) === 0) continue
    const isDue = ({ announcedAtMs }: Announcement): boolean => announcedAtMs === 0
    announced += await announceSlot(core, { slot, isDue, signal })
  }
  return announced
}

async function announceDue(core: RoundCore, signal: AbortSignal): Promise<number> {
  const { clock, book, table } = core
  let announced = 0
  // at most the whole key space in one go
  for (let count = 0; count < SLOTS; count += 1) {
    const state = await stateOf(core)
    if (dueAtMs(state) > clock.nowMs() || table.size() === 0) break
    const { slot } = state
    const isHeld = ((await book.slots()).total[slot] ?? 0) > 0
    if (isHeld) {
      const oldestMs = Math.max(state.movedAtMs, clock.nowMs() - SWEEP_SKIP_AGE_MS)
      const isDue = ({ announcedAtMs }: Announcement): boolean =>
        announcedAtMs > 0 && announcedAtMs < oldestMs
      announced += await announceSlot(core, { slot, isDue, signal })
    }
    core.held = afterSlot(await stateOf(core), clock.nowMs())
    if (isHeld || core.held.slot === 0) await core.state.write(core.held)
  }
  return announced
}

interface SlotWork {
  readonly slot: number
  readonly isDue: (announcement: Announcement) => boolean
  readonly signal: AbortSignal
}

async function announceSlot(core: RoundCore, { slot, isDue, signal }: SlotWork): Promise<number> {
  const pass = await core.sweep.announce(slot, isDue, signal)
  const state = await stateOf(core)
  const lastAtMs = pass.announced > 0 ? core.clock.nowMs() : state.lastAtMs
  core.held = { ...state, lastAtMs, current: addPass(state.current, pass) }
  return pass.announced
}

/** When the next slot that holds something is due. */
function nextAtMs(state: SweepState, slots: Readonly<Uint32Array>): number | undefined {
  for (let slot = state.slot; slot < SLOTS; slot += 1) {
    if ((slots[slot] ?? 0) > 0) return dueAtMs({ ...state, slot })
  }
  const first = slots.findIndex((count) => count > 0)
  const next = { ...state, cycleStartedAtMs: state.cycleStartedAtMs + SWEEP_CYCLE_MS }
  return first < 0 ? undefined : dueAtMs({ ...next, slot: first })
}
