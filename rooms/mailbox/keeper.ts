import { CID } from 'multiformats/cid'
import * as raw from 'multiformats/codecs/raw'
import { sha256 } from 'multiformats/hashes/sha2'
import { errorCode, type Clock, type Logger } from '#contracts'
import { encodeCanonical } from '#did'
import {
  MAILBOX_BURST,
  MAILBOX_CARE_MS,
  MAILBOX_DOMAIN,
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
import { decodeMailboxRequest, encodeMailboxAnswer } from './exchange.ts'
import { openShelf } from './shelf.ts'

/** Collaborators of a keeper. */
export interface KeeperComponents {
  readonly transport: Pick<RoomTransport, 'serve' | 'provide'>
  readonly store: RoomStore
  readonly clock: Clock
  readonly logger: Logger
}

/** No block has this CID; whoever keeps something in the mailbox announces itself as its provider. */
export async function mailboxCid(box: Uint8Array): Promise<CID> {
  return CID.createV1(raw.code, await sha256.digest(encodeCanonical([MAILBOX_DOMAIN, 'keepers', box])))
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
      const box = Buffer.from(request.box).toString('hex')
      const nowMs = clock.nowMs()
      if (request.kind === 'take') return encodeMailboxAnswer(await shelf.take(box, request.after, nowMs))
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
    await transport.provide(await mailboxCid(Buffer.from(box, 'hex')), deadline)
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
