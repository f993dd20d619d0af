import { errorCode, type Clock, type Logger, type Random } from '#contracts'
import { HELLO_INTERVAL_MS_MIN, HELLO_SPREAD_MS_PER_MEMBER, PRESENCE_INTERVAL_MS } from './constants.ts'
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
}

/** Tells the room every 25 seconds that we are here. */
export interface Presence extends AsyncDisposable {
  /** Somebody arrived, or our nick changed: tells it soon, but not more often than every three seconds. */
  hello(): void
}

/** Starts telling; disposing it does not say farewell. */
export function startPresence(
  { clock, random, logger }: PresenceComponents,
  { speaker, outbox, memberCount }: PresenceInit
): Presence {
  const stopping = new AbortController()
  let notBeforeMs = clock.monotonicMs()
  let pending: Disposable | undefined

  const tell = (): void => {
    pending = undefined
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
      if (!stopping.signal.aborted) tell()
    }
  }
  const beating = beat()
  return {
    hello: () => {
      if (pending !== undefined || stopping.signal.aborted) return
      // In a large room not everybody greets a newcomer in the same instant.
      const spreadMs = Math.round(random.unit() * HELLO_SPREAD_MS_PER_MEMBER * memberCount())
      pending = clock.after(Math.max(notBeforeMs - clock.monotonicMs(), 0) + spreadMs, tell)
    },
    [Symbol.asyncDispose]: async () => {
      stopping.abort()
      pending?.[Symbol.dispose]()
      await beating
    }
  }
}
