import { errorCode, orAborted, type Clock, type Logger, type Random } from '#contracts'
import {
  EXCHANGE_TIMEOUT_MS,
  GAP_ASK_MS,
  HISTORY_ANSWER_BYTES_MAX,
  HISTORY_INTERVAL_MS,
  HISTORY_JOIN_PEERS,
  HISTORY_PROTOCOL,
  HISTORY_QUEUE_MAX,
  HISTORY_RETRY_MS,
  HISTORY_ROUNDS_MAX,
  HISTORY_TRIED_MAX
} from './constants.ts'
import { startDeadline } from './deadline.ts'
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

/**
 * Starts asking: everybody who is named, and one member at random from time to time; soon, and of others, until a few
 * answered, since whoever comes back is told who was there before, and some of those may just have left.
 */
export function startHistorySync(components: HistorySyncComponents, init: HistorySyncInit): HistorySync {
  const { clock, random, logger } = components
  const queue: string[] = []
  const pause = createPause(clock)
  const stopping = new AbortController()
  const round = createRound()
  let hurrying: Disposable | undefined
  let lastMetMs = -Infinity

  const ask = (peerId: string): void => {
    if (queue.length >= HISTORY_QUEUE_MAX || queue.includes(peerId)) return
    queue.push(peerId)
    pause.cut()
  }
  const somebody = (): string | undefined => {
    const others = round.untried(init.peers())
    const peers = others.length > 0 ? others : init.peers()
    return peers[Math.floor(random.unit() * peers.length)]
  }
  const askOne = async (peerId: string): Promise<void> => {
    round.trying(peerId)
    try {
      await catchUp(components, init, { peerId, signal: stopping.signal })
      round.wanted = Math.max(round.wanted - 1, 0)
    } catch (error) {
      logger.debug('history not read', { peer: peerId, code: errorCode(error) })
    }
  }
  const run = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      const peerId = queue.shift() ?? somebody()
      if (peerId !== undefined) await askOne(peerId)
      // Alone: whoever comes next may know what was said meanwhile.
      if (init.peers().length === 0) round.begin()
      if (queue.length > 0) continue
      const isHurried = init.hasGap() || round.untried(init.peers()).length > 0
      const waitMs = jittered(isHurried ? HISTORY_RETRY_MS : HISTORY_INTERVAL_MS, random)
      await pause.wait(waitMs, stopping.signal).catch(() => undefined)
    }
  }
  const running = run()
  return {
    ask,
    met: (peerId) => {
      if (clock.monotonicMs() - lastMetMs > HISTORY_INTERVAL_MS && init.peers().length <= 1) round.begin()
      lastMetMs = clock.monotonicMs()
      if (queue.length < round.wanted && !round.tried.has(peerId)) ask(peerId)
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

/** Whom to ask after joining, or after being alone. */
interface Round {
  /** How many are still to answer. */
  wanted: number
  readonly tried: ReadonlySet<string>
  /** Of some peers those who are to be asked soon. */
  untried(peers: readonly string[]): readonly string[]
  begin(): void
  trying(peerId: string): void
}

function createRound(): Round {
  const tried = new Set<string>()
  const round = {
    tried,
    wanted: HISTORY_JOIN_PEERS,
    untried: (peers: readonly string[]) =>
      round.wanted > 0 ? peers.filter((peerId) => !tried.has(peerId)) : [],
    begin: () => {
      round.wanted = HISTORY_JOIN_PEERS
      tried.clear()
    },
    trying: (peerId: string) => {
      if (round.wanted > 0) tried.add(peerId)
      // Whoever meets so many that do not answer waits like everybody else.
      if (tried.size >= HISTORY_TRIED_MAX) round.wanted = 0
    }
  }
  return round
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
