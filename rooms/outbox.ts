import { errorCode, orAborted, type Clock, type Logger } from '#contracts'
import { LEAVE_TIMEOUT_MS, OUTBOX_MAX, PUBLISH_RETRY_MS, SEND_WAIT_MS } from './constants.ts'
import { startDeadline } from './deadline.ts'
import { RoomError } from './errors.ts'
import { createPause, nthWait } from './pause.ts'
import type { RoomTransport } from './transport.ts'

/** Collaborators of an outbox. */
export interface OutboxComponents {
  readonly transport: Pick<RoomTransport, 'publish'>
  readonly clock: Clock
  readonly logger: Logger
}

/** Hands messages to the topic in the order of their sequence numbers, each until somebody took it. */
export interface Outbox extends AsyncDisposable {
  /**
   * Resolves with the number of peers that took the message: 0 when nobody was there in time. It goes out once `kept`
   * has resolved.
   *
   * @throws RoomError `ERR_ROOM_BUSY` when too many wait already
   */
  post(bytes: Uint8Array, kept?: Promise<void>): Promise<number>
  /** Somebody arrived: tries again at once. */
  retry(): void
  /** Publishes once, now, to whoever is there, and never rejects. */
  publishOnce(bytes: Uint8Array): Promise<number>
}

interface Letter {
  readonly bytes: Uint8Array
  readonly kept: Promise<void> | undefined
  readonly untilMs: number
  readonly resolve: (recipients: number) => void
}

/** The outbox of one topic. Disposing it lets what waits resolve with 0. */
export function startOutbox({ transport, clock, logger }: OutboxComponents, topic: string): Outbox {
  const letters: Letter[] = []
  const pause = createPause(clock)
  const stopping = new AbortController()
  let running: Promise<void> | undefined

  const publish = async (bytes: Uint8Array, timeoutMs: number): Promise<number> => {
    // Of its own: the leave message is published while everything else stops.
    using deadline = startDeadline(clock, timeoutMs, new AbortController().signal)
    try {
      return (await orAborted(transport.publish(topic, bytes), deadline.signal)).recipients
    } catch (error) {
      logger.debug('publish failed', { code: errorCode(error) })
      return 0
    }
  }
  const deliver = async (letter: Letter): Promise<number> => {
    await letter.kept
    for (let attempt = 0; ; attempt++) {
      const recipients = await publish(letter.bytes, SEND_WAIT_MS)
      if (recipients > 0 || stopping.signal.aborted || clock.monotonicMs() >= letter.untilMs)
        return recipients
      await pause.wait(nthWait(PUBLISH_RETRY_MS, attempt), stopping.signal).catch(() => undefined)
    }
  }
  const run = async (): Promise<void> => {
    for (let letter = letters[0]; letter !== undefined; letter = letters[0]) {
      letter.resolve(await deliver(letter))
      letters.shift()
    }
    running = undefined
  }
  return {
    post: (bytes, kept) => {
      if (letters.length >= OUTBOX_MAX) {
        throw new RoomError('ERR_ROOM_BUSY', `expected at most ${OUTBOX_MAX} messages to wait for somebody`)
      }
      const { promise, resolve } = Promise.withResolvers<number>()
      letters.push({ bytes, kept, untilMs: clock.monotonicMs() + SEND_WAIT_MS, resolve })
      running ??= run()
      return promise
    },
    retry: () => {
      if (letters.length > 0) pause.cut()
    },
    publishOnce: (bytes) => publish(bytes, LEAVE_TIMEOUT_MS),
    [Symbol.asyncDispose]: async () => {
      stopping.abort()
      await running
    }
  }
}
