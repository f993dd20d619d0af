import { errorCode, type Clock, type Logger, type Random } from '#contracts'
import {
  EXCHANGE_TIMEOUT_MS,
  GAP_ASK_MS,
  HISTORY_ANSWER_BYTES_MAX,
  HISTORY_INTERVAL_MS,
  HISTORY_JOIN_PEERS,
  HISTORY_PROTOCOL,
  HISTORY_QUEUE_MAX,
  HISTORY_RETRY_MS,
  HISTORY_ROUNDS_MAX
} from './constants.ts'
import { orAborted, startDeadline } from './deadline.ts'
import { decodeHistoryAnswer } from './history-exchange.ts'
import { createPause, jittered } from './pause.ts'
import type { RoomTransport } from './transport.ts'

/** Collaborators of the sync. */
export interface HistorySyncComponents {
  readonly transport: Pick<RoomTransport, 'request'>
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
}

/** What is synced. */
export interface HistorySyncInit {
  /** The connected subscribers of the room. */
  readonly peers: () => readonly string[]
  /** The bytes of a history request as of now. */
  readonly request: () => Uint8Array
  /** Takes a message from another member's history; whether it was new. */
  readonly take: (bytes: Uint8Array, peerId: string) => boolean
  /** Whether something is known to be missing. */
  readonly hasGap: () => boolean
}

/** Asks other members for what was missed. */
export interface HistorySync extends AsyncDisposable {
  /** A member that has something we lack, or may have. */
  ask(peerId: string): void
  /** A member came: the first few after joining, or after being alone, are asked at once. */
  met(peerId: string): void
  /** Something is missing: somebody is asked soon. */
  hurry(): void
}

/** Starts asking: everybody who is named, and one member at random from time to time. */
export function startHistorySync(components: HistorySyncComponents, init: HistorySyncInit): HistorySync {
  const { clock, random, logger } = components
  const queue: string[] = []
  const pause = createPause(clock)
  const stopping = new AbortController()
  let toMeet = HISTORY_JOIN_PEERS
  let hurrying: Disposable | undefined
  let lastMetMs = -Infinity

  const ask = (peerId: string): void => {
    if (queue.length >= HISTORY_QUEUE_MAX || queue.includes(peerId)) return
    queue.push(peerId)
    pause.cut()
  }
  const somebody = (): string | undefined => {
    const peers = init.peers()
    return peers[Math.floor(random.unit() * peers.length)]
  }
  const run = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      const peerId = queue.shift() ?? somebody()
      if (peerId !== undefined) {
        await catchUp(components, init, { peerId, signal: stopping.signal }).catch((error: unknown) =>
          logger.debug('history not read', { peer: peerId, code: errorCode(error) })
        )
      }
      // Alone: whoever comes next may know what was said meanwhile.
      if (init.peers().length === 0) toMeet = HISTORY_JOIN_PEERS
      if (queue.length > 0) continue
      const waitMs = jittered(init.hasGap() ? HISTORY_RETRY_MS : HISTORY_INTERVAL_MS, random)
      await pause.wait(waitMs, stopping.signal).catch(() => undefined)
    }
  }
  const running = run()
  return {
    ask,
    met: (peerId) => {
      if (clock.monotonicMs() - lastMetMs > HISTORY_INTERVAL_MS && init.peers().length <= 1) {
        toMeet = HISTORY_JOIN_PEERS
      }
      lastMetMs = clock.monotonicMs()
      if (toMeet <= 0) return
      toMeet--
      ask(peerId)
    },
    hurry: () => {
      hurrying?.[Symbol.dispose]()
      hurrying = clock.after(GAP_ASK_MS, () => {
        if (init.hasGap()) pause.cut()
      })
    },
    [Symbol.asyncDispose]: async () => {
      stopping.abort()
      hurrying?.[Symbol.dispose]()
      await running
    }
  }
}

async function catchUp(
  { transport, clock }: HistorySyncComponents,
  { request, take }: HistorySyncInit,
  { peerId, signal }: { readonly peerId: string; readonly signal: AbortSignal }
): Promise<void> {
  for (let round = 0; round < HISTORY_ROUNDS_MAX; round++) {
    using deadline = startDeadline(clock, EXCHANGE_TIMEOUT_MS, signal)
    const options = { signal: deadline.signal, responseBytesMax: HISTORY_ANSWER_BYTES_MAX }
    const asked = transport.request(peerId, HISTORY_PROTOCOL, request(), options)
    const { messages, hasMore } = decodeHistoryAnswer(await orAborted(asked, deadline.signal))
    const isNew = messages.map((bytes) => take(bytes, peerId)).includes(true)
    if (!hasMore || !isNew) return
  }
}
