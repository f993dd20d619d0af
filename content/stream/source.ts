import { errorMessage } from '#contracts'
import type { Clock, Logger } from '#contracts'
import type { CID } from 'multiformats/cid'
import { RAW_CODEC } from '../cid.ts'
import type { FlowChannel } from '../flow/index.ts'
import type { Slabs } from '../slabs.ts'
import { AskingChannel } from './asking-channel.ts'
import type { Blame, Unanswered, VerifiedBlock } from './asking-channel.ts'
import type { BulkConnection, BulkSockets } from './bulk-sockets.ts'
import { LATE_STEPS_AFTER_MS } from '../constants.ts'
import { ASK_ROOTS_MAX, FIRST_CREDIT_BYTES, LEAF_BYTES, REST_CREDIT_AFTER_MS } from './constants.ts'
import type { StreamLimits } from './constants.ts'
import { malformedFrame } from './frames.ts'
import type { Ask, Frame } from './frames.ts'
import type { Pipe } from './pipe.ts'

/** What of a DAG is asked for, where it is not all. */
export type AskedPart = Pick<Ask, 'path' | 'range'>

/** A channel to a provider, as it is opened. */
export interface OpenedPipe {
  readonly pipe: Pipe
  readonly connection: BulkConnection
}

/** What a {@link Source} works with. */
export interface SourceComponents {
  readonly clock: Clock
  readonly logger: Logger
  /** Absent: everything goes over libp2p's stream. */
  readonly sockets?: BulkSockets | undefined
  /**
   * Opens a stream to that peer; fails when it does not speak the protocol, or ends the stream with an
   * `UnsupportedProtocolError` when that turns out only later.
   */
  openPipe(peerId: string, signal: AbortSignal): Promise<OpenedPipe>
  openFlow?: ((peerId: string, abandon: (cause: Error) => void) => FlowChannel) | undefined
}

/** What a source tells the fetch that it belongs to. */
export interface SourceEvents {
  /** Where blocks of all sources are put together. */
  readonly memory: Slabs
  onBlock(source: Source, block: VerifiedBlock): void
  onBelow(source: Source, keys: readonly string[]): void
  onAbsent(source: Source, cid: CID): void
  onHandedBack(source: Source, left: Unanswered): void
  /** It has room for another ask. */
  onRoom(source: Source): void
  /** It is gone; `left` must be asked of others. */
  onEnd(source: Source, end: { left: readonly Unanswered[]; cause: Error; blame: Blame | undefined }): void
}

/** The limits that a source observes. */
export type SourceLimits = Pick<
  StreamLimits,
  'openTimeoutMs' | 'socketTimeoutMs' | 'streamCreditBytes' | 'socketCreditBytes' | 'socketFromBytes'
>

type SocketState = 'none' | 'opening' | 'over'

/**
 * One provider of one fetch. Blocks come over the stream at once, and over a socket of their own as soon as there is
 * one.
 */
export class Source implements Disposable {
  readonly peerId: string
  readonly #components: SourceComponents
  readonly #events: SourceEvents
  readonly #limits: SourceLimits
  readonly #stop = new AbortController()
  #connection: BulkConnection | undefined
  #channel: AskingChannel | undefined
  /** A channel over a socket, waiting until the stream has sent what it was granted. */
  #next: AskingChannel | undefined
  #socketState: SocketState = 'none'
  /** Links are decoded then that nobody needed until now. */
  #reading: Disposable | undefined
  /** Bytes of the first grant that are still kept back. */
  #keptBack = 0
  /** Grants them. */
  #granting: Disposable | undefined
  #onSocketFrame: ((frame: Frame) => void) | undefined
  #creditMax: number
  #received = 0
  /** Bytes that were stored and not granted anew. */
  #owed = 0
  /** When the last block came, or the first ask since there were none was made. */
  lastBlockMs = 0
  /** When the last bytes came. */
  lastBytesMs = 0
  /** What it owes is asked of somebody else as well. */
  isHedged = false

  constructor(
    components: SourceComponents,
    o: { peerId: string; events: SourceEvents },
    limits: SourceLimits
  ) {
    this.peerId = o.peerId
    this.#components = components
    this.#events = o.events
    this.#limits = limits
    this.#creditMax = limits.streamCreditBytes
  }

  /**
   * Opens the stream.
   *
   * @throws when the peer does not speak the protocol or cannot be reached
   */
  async open(): Promise<void> {
    const { clock, openPipe } = this.#components
    const late = new AbortController()
    using _deadline = clock.after(this.#limits.openTimeoutMs, () => {
      late.abort(new Error('the peer opened no stream in time'))
    })
    const { pipe, connection } = await openPipe(
      this.peerId,
      AbortSignal.any([this.#stop.signal, late.signal])
    )
    if (this.#stop.signal.aborted) {
      pipe.abort(this.#stop.signal.reason as Error)
      this.#stop.signal.throwIfAborted()
    }
    this.#connection = connection
    this.#channel = this.#start(pipe)
    const first = Math.min(FIRST_CREDIT_BYTES, this.#creditMax)
    this.#keptBack = this.#creditMax - first
    // Before the grant: a stream that has gone ends this with it.
    this.#granting = clock.after(REST_CREDIT_AFTER_MS, () => this.#grantRest())
    this.#channel.grant(first)
  }

  /** Whether it answers nothing now. */
  get isIdle(): boolean {
    return this.#channel?.askCount === 0
  }

  /**
   * Whether it can be asked more. Whole DAGs are asked one at a time: only what it answers now can be taken from it
   * when another peer has nothing to do.
   */
  hasRoomFor(below: boolean): boolean {
    return below ? this.isIdle : this.#channel?.hasRoom === true
  }

  /** Steps known to be left of what it was asked. */
  get size(): number {
    return this.#channel?.size ?? 0
  }

  /** Whether some of what it is asked can be taken from it. */
  get isDivisible(): boolean {
    return this.#next === undefined && this.#channel?.isDivisible === true
  }

  /** Whether it was granted bytes that it does not send. */
  get owes(): boolean {
    return !this.isIdle && (this.#channel?.credit ?? 0) > 0
  }

  /** Asks for these, behind what was asked before. */
  ask(ask: Ask): void {
    if (this.isIdle) this.#renew()
    this.#channel?.ask(ask)
  }

  /** Asks it to hand back the later half of what it sends. */
  split(): void {
    this.#channel?.split()
  }

  /** Blocks of this many bytes are where they belong: so many more may come. */
  release(bytes: number): void {
    this.#owed += bytes + this.#keptBack
    this.#keptBack = 0
    const channel = this.#channel
    if (channel === undefined || this.#next !== undefined) return
    if (this.#owed < this.#creditMax / 8 && channel.credit > this.#creditMax / 2) return
    // Whatever it did not send until now it was not allowed to.
    if (channel.credit <= 0) this.#renew()
    channel.grant(this.#owed)
    this.#owed = 0
  }

  #grantRest(): void {
    if (this.#keptBack > 0) this.release(0)
  }

  /** What it was asked and has not answered. */
  unanswered(): Unanswered[] {
    return this.#channel?.unanswered() ?? []
  }

  /** Tells at once of all that will come. */
  readLinks(): void {
    this.#reading?.[Symbol.dispose]()
    this.#channel?.readLinks()
  }

  [Symbol.dispose](): void {
    if (this.#stop.signal.aborted) return
    this.#reading?.[Symbol.dispose]()
    this.#granting?.[Symbol.dispose]()
    this.#stop.abort(new Error('the fetch has ended'))
    this.#channel?.close()
    this.#next?.close()
  }

  /** It owes something from now on only. */
  #renew(): void {
    this.lastBlockMs = this.lastBytesMs = this.#components.clock.monotonicMs()
  }

  #start(pipe: Pipe): AskingChannel {
    const events = this.#events
    const flow = this.#components.openFlow?.(this.peerId, (cause) => pipe.abort(cause))
    const channel: AskingChannel = new AskingChannel({
      pipe: this.#timed(pipe),
      flow,
      memory: events.memory,
      onBlock: (block) => {
        this.lastBlockMs = this.#components.clock.monotonicMs()
        this.isHedged = false
        this.#received += block.bytes.length
        events.onBlock(this, block)
        if (block.hasMoreBelow) {
          this.#readLinksSoon()
          channel.prepare(LEAF_BYTES)
        }
        // Behind a root that was larger the first leaf waits.
        if (channel.credit <= 0 && block.cid.code !== RAW_CODEC) this.#grantRest()
        this.#afterBlock()
      },
      onBelow: (keys) => events.onBelow(this, keys),
      onAbsent: (cid) => events.onAbsent(this, cid),
      onHandedBack: (cids, below) => events.onHandedBack(this, { cids, below }),
      onAnswered: () => {
        this.#switch()
        events.onRoom(this)
      },
      onResumed: () => this.#renew(),
      onSocketFrame: (frame) => this.#onSocketFrame?.(frame),
      onEnd: (end) => this.#ended(channel, end)
    })
    return channel
  }

  #readLinksSoon(): void {
    if (this.#stop.signal.aborted) return
    this.#reading?.[Symbol.dispose]()
    this.#reading = this.#components.clock.after(LATE_STEPS_AFTER_MS, () => this.#channel?.readLinks())
  }

  #timed(pipe: Pipe): Pipe {
    const { clock } = this.#components
    return {
      send: (bytes, onSent) => pipe.send(bytes, onSent),
      drained: async () => await pipe.drained(),
      end: () => pipe.end(),
      abort: (cause) => pipe.abort(cause),
      receive: (onBytes, onEnd) => {
        const onTimedBytes = (bytes: Uint8Array): void => {
          this.lastBytesMs = clock.monotonicMs()
          onBytes(bytes)
        }
        pipe.receive(onTimedBytes, onEnd)
      }
    }
  }

  #ended(channel: AskingChannel, end: { cause: Error; blame: Blame | undefined }): void {
    if (this.#stop.signal.aborted) return
    if (channel === this.#next) {
      this.#next = undefined
      this.release(0)
      if (end.blame === undefined) return
    } else if (this.#next !== undefined && end.blame === undefined) {
      this.#take(this.#next)
      return
    }
    const left = this.unanswered()
    this[Symbol.dispose]()
    this.#events.onEnd(this, { left, ...end })
  }

  #afterBlock(): void {
    if (this.#socketState === 'none' && this.#received >= this.#limits.socketFromBytes) this.#openSocketSoon()
    else this.#switch()
  }

  /** Goes on over the socket once everything that was granted to the stream has come. */
  #switch(): void {
    const channel = this.#channel
    if (this.#next === undefined || channel === undefined) return
    if (channel.credit <= 0 || channel.askCount === 0) this.#take(this.#next)
  }

  #take(next: AskingChannel): void {
    const left = this.unanswered()
    this.#channel?.close()
    this.#channel = next
    this.#next = undefined
    this.#creditMax = this.#limits.socketCreditBytes
    this.#owed = this.#keptBack = 0
    next.grant(this.#creditMax)
    for (const { cids, below } of left) {
      if (cids.length > 0) next.ask({ roots: cids.slice(0, ASK_ROOTS_MAX), below })
      const more = cids.slice(ASK_ROOTS_MAX)
      if (more.length > 0) this.#events.onHandedBack(this, { cids: more, below })
    }
    this.#events.onRoom(this)
  }

  /** Not before those who wait for the block that came have it: the first socket of a process needs a key. */
  #openSocketSoon(): void {
    this.#socketState = 'opening'
    const timer = this.#components.clock.after(0, () => {
      this.#stop.signal.removeEventListener('abort', onAbort)
      void this.#openSocket()
    })
    const onAbort = (): void => timer[Symbol.dispose]()
    this.#stop.signal.addEventListener('abort', onAbort, { once: true })
  }

  async #openSocket(): Promise<void> {
    const { clock, logger, sockets } = this.#components
    const connection = this.#connection
    const side = connection === undefined ? undefined : sockets?.sideOf(connection)
    const late = new AbortController()
    using _deadline = clock.after(this.#limits.socketTimeoutMs, () => {
      late.abort(new Error('no socket in time'))
    })
    try {
      if (sockets === undefined || connection === undefined || side === undefined) return
      const signal = AbortSignal.any([this.#stop.signal, late.signal])
      const open = side === 'dial' ? this.#dial : this.#expect
      const pipe = await open.call(this, { sockets, connection, signal })
      if (this.#stop.signal.aborted) {
        pipe.abort(this.#stop.signal.reason as Error)
        return
      }
      this.#next = this.#start(pipe)
      this.#switch()
    } catch (thrown) {
      logger.debug('no socket of its own', { peer: this.peerId, reason: errorMessage(thrown) })
    } finally {
      this.#socketState = 'over'
    }
  }

  async #dial({ sockets, connection, signal }: SocketInit): Promise<Pipe> {
    const answer = this.#socketFrame('socket-token', signal)
    this.#channel?.send({ type: 'socket-hello', fingerprint: sockets.fingerprint })
    const { fingerprint, token } = await answer
    return await sockets.dial({ connection, fingerprint, token, signal })
  }

  async #expect({ sockets, connection, signal }: SocketInit): Promise<Pipe> {
    const answer = this.#socketFrame('socket-hello', signal)
    this.#channel?.send({ type: 'socket-please' })
    const { fingerprint } = await answer
    const { token, pipe } = sockets.expect({ connection, fingerprint, signal })
    this.#channel?.send({ type: 'socket-token', fingerprint: sockets.fingerprint, token })
    return await pipe
  }

  async #socketFrame<T extends 'socket-token' | 'socket-hello'>(
    type: T,
    signal: AbortSignal
  ): Promise<Extract<Frame, { type: T }>> {
    const { promise, resolve, reject } = Promise.withResolvers<Extract<Frame, { type: T }>>()
    const onAbort = (): void => reject(signal.reason as Error)
    signal.addEventListener('abort', onAbort, { once: true })
    this.#onSocketFrame = (frame) => {
      if (frame.type === type) resolve(frame as Extract<Frame, { type: T }>)
      else reject(malformedFrame(type, frame.type))
    }
    try {
      return await promise
    } finally {
      this.#onSocketFrame = undefined
      signal.removeEventListener('abort', onAbort)
    }
  }
}

interface SocketInit {
  readonly sockets: BulkSockets
  readonly connection: BulkConnection
  readonly signal: AbortSignal
}
