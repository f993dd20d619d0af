import { errorCode, type Clock, type Logger, type Random } from '#contracts'
import {
  GREETERS,
  HELLO_INTERVAL_MS_MIN,
  HELLO_SPREAD_MS_PER_MEMBER,
  NEWCOMER_MS,
  PRESENCE_INTERVAL_MS,
  PRESENCES_LEFT_OUT_MAX
} from './constants.ts'
import type { Outbox } from './outbox.ts'
import { jittered } from './pause.ts'
import type { Speaker } from './speaker.ts'

/** Collaborators of the presence. */
export interface PresenceComponents {
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
}

/** What presence is told of. */
export interface PresenceInit {
  readonly speaker: Speaker
  readonly outbox: Pick<Outbox, 'publishOnce'>
  readonly memberCount: () => number
  /** How many members are connected: those see somebody arrive. */
  readonly peerCount: () => number
}

/** Tells the room every 25 seconds that we are here. */
export interface Presence extends AsyncDisposable {
  /** Our nick changed: tells it soon, but not more often than every three seconds. */
  hello(): void
  /** Somebody arrived: as {@link Presence.hello}, or by lot where that would be said by very many. */
  greet(): void
  /** A text of ours went to the room. */
  spoke(): void
}

/** Starts telling; disposing it does not say farewell. */
export function startPresence(
  { clock, random, logger }: PresenceComponents,
  { speaker, outbox, memberCount, peerCount }: PresenceInit
): Presence {
  const stopping = new AbortController()
  const joinedMs = clock.monotonicMs()
  let notBeforeMs = joinedMs
  let spokeMs = -Infinity
  let leftOut = 0
  let pending: Disposable | undefined

  const tell = (): void => {
    pending = undefined
    leftOut = 0
    notBeforeMs = clock.monotonicMs() + HELLO_INTERVAL_MS_MIN
    try {
      void outbox.publishOnce(speaker.say('presence'))
    } catch (error) {
      logger.warn('presence failed', { code: errorCode(error) })
    }
  }
  const beat = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      await clock.sleep(jittered(PRESENCE_INTERVAL_MS, random), stopping.signal).catch(() => undefined)
      if (stopping.signal.aborted) return
      const isHeard = clock.monotonicMs() - spokeMs < PRESENCE_INTERVAL_MS / 2
      if (isHeard && leftOut < PRESENCES_LEFT_OUT_MAX) leftOut++
      else tell()
    }
  }
  const beating = beat()
  const hello = (): void => {
    if (pending !== undefined || stopping.signal.aborted) return
    // In a large room not everybody greets a newcomer in the same instant.
    const spreadMs = Math.round(random.unit() * HELLO_SPREAD_MS_PER_MEMBER * memberCount())
    pending = clock.after(Math.max(notBeforeMs - clock.monotonicMs(), 0) + spreadMs, tell)
  }
  return {
    hello,
    greet: () => {
      const isNewcomer = clock.monotonicMs() - joinedMs < NEWCOMER_MS
      if (isNewcomer || random.unit() * peerCount() < GREETERS) hello()
    },
    spoke: () => {
      spokeMs = clock.monotonicMs()
    },
    [Symbol.asyncDispose]: async () => {
      stopping.abort()
      pending?.[Symbol.dispose]()
      await beating
    }
  }
}
