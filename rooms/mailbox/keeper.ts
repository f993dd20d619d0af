import { errorCode, type Clock, type Logger } from '#contracts'
import { peerIdFromDid } from '#did'
import {
  MAILBOX_BURST,
  MAILBOX_CARE_MS,
  MAILBOX_MESSAGE_BYTES_MAX,
  MAILBOX_PER_SECOND,
  MAILBOX_PROTOCOL,
  PROVIDE_TIMEOUT_MS,
  RATED_MAX
} from '../constants.ts'
import { startDeadline } from '../deadline.ts'
import { RoomError } from '../errors.ts'
import { createRateLimit } from '../rate-limit.ts'
import type { RoomStore } from '../store.ts'
import type { RoomTransport } from '../transport.ts'
import { addressIn, mailboxCid, nameOf } from './address.ts'
import { decodeMailboxRequest, encodeMailboxAnswer, type MailboxRequest } from './exchange.ts'
import { openShelf } from './shelf.ts'

/** Collaborators of a keeper. */
export interface KeeperComponents {
  readonly transport: Pick<RoomTransport, 'serve' | 'provide'>
  readonly store: RoomStore
  readonly clock: Clock
  readonly logger: Logger
}

/** Keeps items for others until disposed, and tells the network for which mailboxes. */
export async function startKeeper(components: KeeperComponents): Promise<AsyncDisposable> {
  const { transport, store, clock } = components
  const shelf = await openShelf(store)
  const rates = createRateLimit({ burst: MAILBOX_BURST, perSecond: MAILBOX_PER_SECOND, namesMax: RATED_MAX })
  const stopping = new AbortController()
  const announcer = createAnnouncer(components, stopping.signal)
  const serving = await transport.serve(
    MAILBOX_PROTOCOL,
    async ({ peerId, bytes }) => {
      if (!rates.take(peerId, clock.monotonicMs())) {
        throw new RoomError('ERR_MESSAGE_RATE', 'expected fewer mailbox requests from this peer')
      }
      const request = decodeMailboxRequest(bytes)
      const box = nameOf(request)
      const nowMs = clock.nowMs()
      if (request.kind === 'take') {
        assertMayTake(request, peerId)
        return encodeMailboxAnswer(await shelf.take(box, request.after, nowMs))
      }
      const isNew = !shelf.boxes().includes(box)
      const kept = await shelf.put({ box, from: peerId, items: request.items, nowMs })
      if (isNew && kept > 0) announcer.announce([box])
      return encodeMailboxAnswer({ kept })
    },
    { requestBytesMax: MAILBOX_MESSAGE_BYTES_MAX }
  )
  const care = (): void => {
    void shelf.expire(clock.nowMs()).then(
      () => announcer.announce(shelf.boxes()),
      () => components.logger.warn('expired items stay in their mailboxes')
    )
  }
  care()
  const caring = clock.every(MAILBOX_CARE_MS, care)
  return {
    [Symbol.asyncDispose]: async () => {
      caring[Symbol.dispose]()
      stopping.abort()
      await serving[Symbol.asyncDispose]()
      await announcer.done()
    }
  }
}

/**
 * Only a device itself is given what was left for it. The peer id is that of its key, with which it signed the handshake of
 * this very connection; a signature in the request would show no more, and could be played again.
 *
 * @throws RoomError `ERR_MAILBOX_FOREIGN`
 */
function assertMayTake(request: MailboxRequest, peerId: string): void {
  if ('box' in request || peerIdFromDid(request.device) === peerId) return
  throw new RoomError('ERR_MAILBOX_FOREIGN', 'expected the device whose mailbox it is')
}

interface Announcer {
  announce(boxes: readonly string[]): void
  done(): Promise<void>
}

/** Announces one mailbox after the other. */
function createAnnouncer({ transport, clock, logger }: KeeperComponents, signal: AbortSignal): Announcer {
  const waiting = new Set<string>()
  let running: Promise<void> | undefined
  const announceOne = async (box: string): Promise<void> => {
    using deadline = startDeadline(clock, PROVIDE_TIMEOUT_MS, signal)
    await transport.provide(await mailboxCid(addressIn(box)), deadline)
  }
  const run = async (): Promise<void> => {
    for (const box of waiting) {
      waiting.delete(box)
      if (signal.aborted) break
      await announceOne(box).catch((error: unknown) =>
        logger.debug('mailbox not announced', { code: errorCode(error) })
      )
    }
    running = undefined
  }
  return {
    announce: (boxes) => {
      for (const box of boxes) waiting.add(box)
      if (waiting.size > 0) running ??= run()
    },
    done: async () => {
      await running
    }
  }
}
