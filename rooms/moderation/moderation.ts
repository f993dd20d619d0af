import { errorCode, orAborted, type Clock, type Logger, type Random } from '#contracts'
import type { Did, Signer } from '#did'
import { EXCHANGE_TIMEOUT_MS, HISTORY_QUEUE_MAX, RATED_MAX, TOPIC_PREFIX } from '../constants.ts'
import { startDeadline } from '../deadline.ts'
import { RoomError } from '../errors.ts'
import { createPause, jittered } from '../pause.ts'
import { createRateLimit } from '../rate-limit.ts'
import type { RoomEvent } from '../room-events.ts'
import type { RoomStore } from '../store.ts'
import type { RoomTransport, TopicMessage, TopicVerdict } from '../transport.ts'
import { isListHeard, openModerationBook, type ModerationBook } from './book.ts'
import {
  LISTS_PER_ANSWER_MAX,
  MODERATION_ANSWER_BYTES_MAX,
  MODERATION_BURST,
  MODERATION_EXCHANGE,
  MODERATION_INTERVAL_MS,
  MODERATION_PER_SECOND,
  MODERATION_ROUNDS_MAX,
  MODERATION_TOPIC_PREFIX
} from './constants.ts'
import { decodeModerationAnswer, encodeModerationRequest, type ModerationRequest } from './exchange.ts'
import { openModerationList, type ModerationList } from './list.ts'
import type { ModerationHandler } from './server.ts'
import { changedList, statusOf, type ModerationChange, type ModerationStatus } from './own-list.ts'
import { createVeil } from './veil.ts'

/** What the moderation of a room works with. */
export interface ModerationComponents {
  readonly signer: Signer
  readonly certificate?: Uint8Array
  readonly transport: RoomTransport
  readonly store: RoomStore
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  readonly isDenied?: (did: Did) => boolean
  readonly isRevoked?: (person: Did, device: Did) => boolean
}

/** Which room, as whom. */
export interface ModerationInit {
  readonly room: string
  readonly topic: string
  /** Who signs our own list. */
  readonly author: Did
  /** Our presence for another member. */
  readonly showPresence: () => Uint8Array
  readonly emit: (event: RoomEvent) => void
  /** Another member that shows who it is. @throws RoomError when its presence is not valid */
  readonly admit: (peerId: string, presence: Uint8Array) => void
  /** Answers other members with `handler` until disposed. */
  readonly serve: (handler: ModerationHandler) => Disposable
}

/** The moderation of a room as its person sees and changes it. */
export interface RoomModeration {
  /** Whose lists are followed, and the lists that hold now. */
  status(): ModerationStatus
  /**
   * Follows or leaves somebody, or changes our own list; resolves when that is on the disk.
   *
   * @throws RoomError `ERR_MODERATION_FULL`
   */
  change(change: ModerationChange): Promise<ModerationStatus>
}

/** The moderation of a room this node is in. */
export interface RunningModeration extends RoomModeration, AsyncDisposable {
  /** The same event; of a text that a list hides it says by whom. */
  mark<E extends RoomEvent>(event: E): E
}

/** Opens the moderation of a room; nothing of it is on the network where nobody is followed and nothing was said. */
export async function startModeration(
  components: ModerationComponents,
  init: ModerationInit
): Promise<RunningModeration> {
  const { store, clock, isDenied, isRevoked } = components
  const { room, topic, author } = init
  const nowMs = (): number => Math.floor(clock.nowMs())
  const book = await openModerationBook(store, { room, topic, self: author, nowMs, isDenied, isRevoked })
  return new OpenModeration(components, init, book)
}

class OpenModeration implements RunningModeration {
  readonly #components: ModerationComponents
  readonly #init: ModerationInit
  readonly #book: ModerationBook
  readonly #topic: string
  readonly #veil = createVeil()
  readonly #rates = createRateLimit({
    ...{ burst: MODERATION_BURST, perSecond: MODERATION_PER_SECOND, namesMax: RATED_MAX }
  })
  readonly #stopping = new AbortController()
  readonly #network = new DisposableStack()
  readonly #queue: string[] = []
  readonly #pause
  #asking: Promise<void> | undefined

  constructor(components: ModerationComponents, init: ModerationInit, book: ModerationBook) {
    this.#components = components
    this.#init = init
    this.#book = book
    this.#topic = MODERATION_TOPIC_PREFIX + init.topic.slice(TOPIC_PREFIX.length)
    this.#pause = createPause(components.clock)
    this.#network.use(init.serve((peerId, request) => this.#answer(peerId, request)))
    this.#apply()
    this.#join()
  }

  status(): ModerationStatus {
    return statusOf(this.#book, { self: this.#init.author, nowMs: this.#components.clock.nowMs() })
  }

  async change(change: ModerationChange): Promise<ModerationStatus> {
    const own = changeBook(this.#components, this.#init, { book: this.#book, change })
    this.#apply()
    this.#join()
    if (own !== undefined) {
      // Whoever follows us and is away asks later.
      await this.#components.transport.publish(this.#topic, own.bytes).catch(() => undefined)
    }
    this.#pause.cut()
    await this.#book.written()
    return this.status()
  }

  mark<E extends RoomEvent>(event: E): E {
    return this.#veil.mark(event, this.#components.clock.nowMs())
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopping.abort()
    this.#network.dispose()
    await this.#asking
    await this.#book.written().catch(() => undefined)
  }

  /** Meets those who follow somebody too, once there is something to hear or to say. */
  #join(): void {
    if (this.#asking !== undefined || this.#stopping.signal.aborted) return
    if (this.#book.followed.length === 0 && this.#book.current().length === 0) return
    const { transport } = this.#components
    this.#network.use(transport.subscribe(this.#topic, (message) => this.#hear(message)))
    this.#network.use(
      transport.onPeerJoin?.(this.#topic, (peerId) => {
        if (this.#queue.length < HISTORY_QUEUE_MAX) this.#queue.push(peerId)
        this.#pause.cut()
      })
    )
    this.#asking = this.#ask()
  }

  #hear({ from, bytes }: TopicMessage): TopicVerdict {
    try {
      this.#limit(from)
      return this.#take(bytes) ? 'accept' : 'ignore'
    } catch (error) {
      const code = errorCode(error)
      this.#components.logger.debug('list of a moderator dropped', { code })
      return code === 'ERR_MESSAGE_RATE' || code === 'ERR_MESSAGE_TIME' ? 'ignore' : 'reject'
    }
  }

  #answer(peerId: string, { presence, wanted }: ModerationRequest): readonly Uint8Array[] {
    this.#limit(peerId)
    this.#init.admit(peerId, presence)
    const newer = this.#book
      .current()
      .filter(({ author, sequence }) => sequence > (wanted.get(author) ?? Infinity))
    return newer.slice(0, LISTS_PER_ANSWER_MAX).map(({ bytes }) => bytes)
  }

  /** Whether it is a newer list of somebody who is followed. @throws RoomError when it is none at all */
  #take(bytes: Uint8Array): boolean {
    const { clock } = this.#components
    const list = openModerationList(bytes, { room: this.#init.room, nowMs: clock.nowMs() })
    if (!isListHeard(list, this.#components) || !this.#book.take(list)) return false
    this.#apply()
    return true
  }

  #apply(): void {
    const changed = this.#veil.draw(this.#book.current(), this.#components.clock.nowMs())
    if (changed.hidden.length + changed.shown.length > 0) this.#init.emit({ type: 'moderated', ...changed })
  }

  #limit(peerId: string): void {
    if (this.#rates.take(peerId, this.#components.clock.monotonicMs())) return
    throw new RoomError('ERR_MESSAGE_RATE', 'expected fewer lists from this peer')
  }

  async #ask(): Promise<void> {
    const { random, logger, transport } = this.#components
    const { signal } = this.#stopping
    while (!signal.aborted) {
      const peers = transport.peersOf(this.#topic)
      const peerId = this.#queue.shift() ?? peers[Math.floor(random.unit() * peers.length)]
      if (peerId !== undefined) {
        await this.#askPeer(peerId).catch((error: unknown) =>
          logger.debug('lists not read', { peer: peerId, code: errorCode(error) })
        )
      }
      // What expired meanwhile hides nothing any more.
      this.#apply()
      if (this.#queue.length > 0) continue
      const waitMs = jittered(MODERATION_INTERVAL_MS, random)
      await this.#pause.wait(waitMs, signal).catch(() => undefined)
    }
  }

  async #askPeer(peerId: string): Promise<void> {
    const { clock, transport } = this.#components
    const { topic, showPresence } = this.#init
    for (let round = 0; round < MODERATION_ROUNDS_MAX; round += 1) {
      using deadline = startDeadline(clock, EXCHANGE_TIMEOUT_MS, this.#stopping.signal)
      const authors = [...this.#book.trusted()]
      const wanted = new Map(authors.map((author) => [author, this.#book.highest(author)]))
      const request = encodeModerationRequest({ topic, presence: showPresence(), wanted })
      const options = { signal: deadline.signal, responseBytesMax: MODERATION_ANSWER_BYTES_MAX }
      const asked = transport.request(peerId, MODERATION_EXCHANGE, request, options)
      const lists = decodeModerationAnswer(await orAborted(asked, deadline.signal))
      // A list may appoint others, whose lists are asked for in the next round.
      if (!lists.map((bytes) => this.#take(bytes)).includes(true)) return
    }
  }
}

/**
 * Follows or leaves somebody, or signs our next list; that list where it is one.
 *
 * @throws RoomError `ERR_MODERATION_FULL`
 */
export function changeBook(
  { signer, certificate, clock }: Pick<ModerationComponents, 'signer' | 'certificate' | 'clock'>,
  { room, author }: Pick<ModerationInit, 'room' | 'author'>,
  { book, change }: { readonly book: ModerationBook; readonly change: ModerationChange }
): ModerationList | undefined {
  if (change.action === 'list') return undefined
  if (change.action === 'follow' || change.action === 'unfollow') {
    book.follow(change.did, change.action === 'follow')
    return undefined
  }
  const nowMs = Math.floor(clock.nowMs())
  const own = book.current().find((list) => list.author === author)
  // By the time of day, so that another device of the same person goes on above it.
  const sequence = Math.max(book.highest(author) + 1, nowMs)
  const list = changedList({ signer, certificate, room, author, nowMs, sequence, own }, change)
  if (!book.take(list)) {
    throw new RoomError('ERR_MODERATION_FULL', 'expected a place for our own list among those that are kept')
  }
  return list
}
