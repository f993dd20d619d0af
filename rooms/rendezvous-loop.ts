import { errorCode, orAborted, type Clock, type Logger, type Random } from '#contracts'
import {
  FIND_ALONE_MS,
  FIND_FEW_MS,
  FIND_SETTLED_MS,
  FIND_TIMEOUT_MS_MAX,
  FIND_TIMEOUT_MS_MIN,
  OTHER_DAYS_EVERY,
  PEERS_FEW,
  PROVIDERS_PER_FIND_MAX,
  QUICK_FINDS,
  PROVIDE_RETRY_MS,
  PROVIDE_TIMEOUT_MS,
  REPROVIDE_MS
} from './constants.ts'
import { startDeadline, untilAborted } from './deadline.ts'
import { createPause, jittered, nthWait } from './pause.ts'
import { nextDaysChangeMs, rendezvousCid, rendezvousDays } from './rendezvous.ts'
import type { RoomPeer, RoomTransport } from './transport.ts'

/** Collaborators of the rendezvous. */
export interface RendezvousComponents {
  readonly transport: Pick<RoomTransport, 'provide' | 'findProviders'>
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
}

/** What a rendezvous is for. */
export interface RendezvousInit {
  readonly room: string
  /** How many subscribers of the room are connected now. */
  readonly peerCount: () => number
  /** Called for each provider found, the same one many times. */
  readonly onFound: (peer: RoomPeer) => void
  /** Called when announcing failed after it had worked, or the first time. */
  readonly onUnannounced: () => void
}

/** Announces us in the DHT and looks for others there, for as long as it is not disposed. */
export interface Rendezvous extends AsyncDisposable {
  /** Looks again now: everybody we knew is gone. */
  search(): void
}

/** Starts announcing and looking, both at once: neither waits for the other. */
export function startRendezvous(components: RendezvousComponents, init: RendezvousInit): Rendezvous {
  const stopping = new AbortController()
  const pause = createPause(components.clock)
  // Who came at the same time has announced itself by now, too.
  const onAnnounced = (): void => {
    if (init.peerCount() === 0) pause.cut()
  }
  const loops = [
    provideForever(components, { ...init, onAnnounced }, stopping.signal),
    findForever(
      components,
      { ...init, wait: (waitMs) => pause.wait(waitMs, stopping.signal) },
      stopping.signal
    )
  ]
  return {
    search: () => {
      pause.cut()
    },
    [Symbol.asyncDispose]: async () => {
      stopping.abort()
      await Promise.allSettled(loops)
    }
  }
}

interface ProvideInit extends RendezvousInit {
  readonly onAnnounced: () => void
}

async function provideForever(
  { transport, clock, random, logger }: RendezvousComponents,
  { room, onUnannounced, onAnnounced }: ProvideInit,
  signal: AbortSignal
): Promise<void> {
  const providedAtMs = new Map<number, number>()
  const provide = async (day: number): Promise<void> => {
    using deadline = startDeadline(clock, PROVIDE_TIMEOUT_MS, signal)
    const cid = await rendezvousCid(room, day)
    await orAborted(transport.provide(cid, { signal: deadline.signal }), deadline.signal)
    providedAtMs.set(day, clock.monotonicMs())
    onAnnounced()
  }
  const isDue = (day: number): boolean => {
    const atMs = providedAtMs.get(day)
    return atMs === undefined || clock.monotonicMs() - atMs >= REPROVIDE_MS
  }
  for (let failures = 0; !signal.aborted;) {
    const days = rendezvousDays(clock.nowMs()).provide
    for (const day of providedAtMs.keys()) if (!days.includes(day)) providedAtMs.delete(day)
    const results = await Promise.allSettled(days.filter(isDue).map(provide))
    if (signal.aborted) return
    const failed = results.find((result) => result.status === 'rejected')
    if (failed !== undefined) {
      logger.debug('rendezvous not announced', { code: errorCode(failed.reason) })
      if (failures === 0) onUnannounced()
    }
    const untilChangeMs = nextDaysChangeMs(clock.nowMs()) + 1 + Math.round(random.unit() * 1_000)
    const waitMs = failed
      ? jittered(nthWait(PROVIDE_RETRY_MS, failures), random)
      : Math.min(REPROVIDE_MS, untilChangeMs)
    failures = failed ? failures + 1 : 0
    await clock.sleep(waitMs, signal).catch(() => undefined)
  }
}

interface FindInit extends RendezvousInit {
  readonly wait: (waitMs: number) => Promise<void>
}

async function findForever(
  components: RendezvousComponents,
  init: FindInit,
  signal: AbortSignal
): Promise<void> {
  for (let attempt = 0; !signal.aborted;) {
    await findOnce(components, init, { attempt, signal })
    const peers = init.peerCount()
    const waitMs =
      peers === 0 ? nthWait(FIND_ALONE_MS, attempt) : peers < PEERS_FEW ? FIND_FEW_MS : FIND_SETTLED_MS
    attempt = peers === 0 ? attempt + 1 : QUICK_FINDS
    await init.wait(jittered(waitMs, components.random)).catch(() => undefined)
  }
}

async function findOnce(
  { transport, clock, logger }: RendezvousComponents,
  { room, onFound }: FindInit,
  { attempt, signal }: { readonly attempt: number; readonly signal: AbortSignal }
): Promise<void> {
  const timeoutMs = Math.min(FIND_TIMEOUT_MS_MIN * 1.5 ** attempt, FIND_TIMEOUT_MS_MAX)
  using deadline = startDeadline(clock, timeoutMs, signal)
  const quick = attempt < QUICK_FINDS
  const find = async (day: number): Promise<void> => {
    const cid = await rendezvousCid(room, day)
    let count = 0
    const options = { signal: deadline.signal, quick }
    for await (const peer of untilAborted(transport.findProviders(cid, options), deadline.signal)) {
      onFound(peer)
      if (++count >= PROVIDERS_PER_FIND_MAX) return
    }
  }
  const days = rendezvousDays(clock.nowMs()).find
  const results = await Promise.allSettled(
    (attempt % OTHER_DAYS_EVERY === 0 ? days : days.slice(0, 1)).map(find)
  )
  const failed = results.find((result) => result.status === 'rejected')
  if (failed !== undefined && !signal.aborted) {
    logger.debug('rendezvous search failed', { code: errorCode(failed.reason) })
  }
}
