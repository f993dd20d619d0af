import type { Clock, Logger, Random } from '#contracts'
import type { Did } from '#did'
import { startChronicle, type Chronicle } from './chronicle.ts'
import { HISTORY_BURST, HISTORY_PER_SECOND, HISTORY_SHOWN, RATED_MAX, READ_WRITE_MS } from './constants.ts'
import { RoomError } from './errors.ts'
import { answerFrom, isBehind } from './history-answer.ts'
import type { HistoryAnswer, HistoryRequest } from './history-exchange.ts'
import { startHistorySync, type HistorySync } from './history-sync.ts'
import { openHistory, type History, type HistoryRow } from './history.ts'
import type { Labels } from './labels.ts'
import type { VerifiedMessage } from './message.ts'
import { createRateLimit } from './rate-limit.ts'
import type { ReceivedMessage } from './receiver.ts'
import type { RoomEvent, TextEvent } from './room-events.ts'
import type { RoomStore } from './store.ts'
import { textEvent } from './text-event.ts'
import type { RoomTransport } from './transport.ts'

/** Collaborators of the history of a room that is open. */
export interface RoomHistoryComponents {
  readonly store: RoomStore
  readonly transport: Pick<RoomTransport, 'request' | 'peersOf'>
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  readonly labels: Labels
  readonly emit: (event: RoomEvent) => void
}

/** Whose history of what. */
export interface RoomHistoryInit {
  readonly topic: string
  /** Our device. */
  readonly device: Did
  /** The bytes of a history request with these marks. */
  readonly request: (marks: HistoryRequest['marks']) => Uint8Array
  /** Takes a message that another member told from its history; whether it was new. */
  readonly takePast: (bytes: Uint8Array) => boolean
  /** A message from our own history, verified anew. @throws RoomError when it is not valid any more */
  readonly verify: (bytes: Uint8Array) => VerifiedMessage
}

/** What was said in a room: kept, told to others, and asked of others. */
export interface RoomHistory extends AsyncDisposable {
  /** Takes a text of somebody else; whether it is new. */
  keep(message: ReceivedMessage, bytes: Uint8Array, isPast: boolean): boolean
  /** Takes a text of ours; resolves when it is in the history and was shown. */
  keepOwn(message: VerifiedMessage, bytes: Uint8Array): Promise<void>
  /** The sequence number of our last text; 0 when there is none. */
  ownHigh(): number
  /** Answers a member that has these marks. @throws RoomError `ERR_MESSAGE_RATE` */
  recall(peerId: string, marks: HistoryRequest['marks']): Promise<HistoryAnswer>
  /** A member came. */
  met(peerId: string): void
  /** What a person who joins is shown first: everything unseen, or the last hundred texts. */
  past(): Promise<readonly TextEvent[]>
  /** Somebody here has seen everything up to this index. */
  markSeen(index: number): void
}

/** Opens the history, and starts to ask other members for what is missing in it. */
export async function startRoomHistory(
  components: RoomHistoryComponents,
  init: RoomHistoryInit
): Promise<RoomHistory> {
  const { store, clock, logger, labels, emit, transport } = components
  const history = await openHistory(store, init.topic)
  const chronicle = startChronicle({
    ...{ history, clock, logger },
    onGap: () => sync.hurry(),
    show: ({ message, receivedAtMs, isPast }, index) => {
      const isSelf = message.device === init.device
      const event = textEvent({ message, isSelf, receivedAtMs, index }, labels)
      emit(isPast ? { ...event, isHistory: true } : event)
    }
  })
  const sync = startHistorySync(components, {
    peers: () => transport.peersOf(init.topic),
    request: () => init.request(chronicle.marks),
    take: init.takePast,
    hasGap: () => chronicle.hasGap
  })
  return new OpenHistory(components, init, { history, chronicle, sync })
}

interface HistoryParts {
  readonly history: History
  readonly chronicle: Chronicle
  readonly sync: HistorySync
}

class OpenHistory implements RoomHistory {
  readonly #components: RoomHistoryComponents
  readonly #init: RoomHistoryInit
  readonly #parts: HistoryParts
  readonly #rates = createRateLimit({
    ...{ burst: HISTORY_BURST, perSecond: HISTORY_PER_SECOND, namesMax: RATED_MAX }
  })
  #seenIndex = 0
  #marking: Disposable | undefined

  constructor(components: RoomHistoryComponents, init: RoomHistoryInit, parts: HistoryParts) {
    this.#components = components
    this.#init = init
    this.#parts = parts
  }

  keep(message: ReceivedMessage, bytes: Uint8Array, isPast: boolean): boolean {
    const { device, sequence, previous = 0 } = message
    const receivedAtMs = this.#components.clock.nowMs()
    return this.#parts.chronicle.take({ device, sequence, previous, message, bytes, receivedAtMs, isPast })
  }

  async keepOwn(message: VerifiedMessage, bytes: Uint8Array): Promise<void> {
    this.keep({ ...message, clockOffMs: undefined }, bytes, false)
    await this.#parts.chronicle.written()
  }

  ownHigh(): number {
    return this.#parts.chronicle.marks.get(this.#init.device)?.high ?? 0
  }

  async recall(peerId: string, marks: HistoryRequest['marks']): Promise<HistoryAnswer> {
    const { clock } = this.#components
    if (!this.#rates.take(peerId, clock.monotonicMs())) {
      throw new RoomError('ERR_MESSAGE_RATE', 'expected fewer questions for the history from this peer')
    }
    const { history, chronicle, sync } = this.#parts
    if (isBehind(chronicle.marks, marks)) sync.ask(peerId)
    return await answerFrom(history, marks, clock.nowMs())
  }

  met(peerId: string): void {
    this.#parts.sync.met(peerId)
  }

  async past(): Promise<readonly TextEvent[]> {
    const { history } = this.#parts
    const unseen = history.rows.filter(({ index }) => index > history.readUpTo).length
    const rows = history.rows.slice(-Math.max(unseen, HISTORY_SHOWN))
    const events = await Promise.all(rows.map(async (row) => await this.#eventOf(row)))
    return events.filter((event) => event !== undefined)
  }

  markSeen(index: number): void {
    this.#seenIndex = Math.max(this.#seenIndex, index)
    this.#marking ??= this.#components.clock.after(READ_WRITE_MS, () => {
      this.#marking = undefined
      void this.#writeSeen()
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { chronicle, sync } = this.#parts
    await sync[Symbol.asyncDispose]()
    await chronicle[Symbol.asyncDispose]()
    this.#marking?.[Symbol.dispose]()
    await this.#writeSeen()
  }

  async #writeSeen(): Promise<void> {
    const { history } = this.#parts
    await history.markRead(this.#seenIndex).catch(() => {
      this.#components.logger.warn('what was seen was not remembered')
    })
  }

  async #eventOf(row: HistoryRow): Promise<TextEvent | undefined> {
    const { history } = this.#parts
    const bytes = await history.read(row)
    if (bytes === undefined) return undefined
    try {
      const message = this.#init.verify(bytes)
      const isSelf = message.device === this.#init.device
      const told = { message, isSelf, receivedAtMs: row.receivedAtMs, index: row.index }
      const event = textEvent(told, this.#components.labels)
      return { ...event, isHistory: true, isSeen: row.index <= history.readUpTo }
    } catch {
      // Written by a version that understood it otherwise, or damaged.
      return undefined
    }
  }
}
