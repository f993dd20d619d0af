import type { Clock, Logger } from '#contracts'
import { ContentError } from '../errors.ts'
import { NodeFlowChannel, type ChannelParts, type FlowChannel, type FlowChannelInit } from './channel.ts'
import { Gate } from './gate.ts'
import { DEFAULT_FLOW_LIMITS, pieceBytesOf, type FlowLimits, type Rates } from './limits.ts'
import { Room } from './room.ts'

/** Collaborators of `createFlow`. */
export interface FlowComponents {
  readonly clock: Clock
  readonly logger: Logger
}

/** Options of `createFlow`. */
export interface FlowInit {
  /** Caps of what is sent, bytes a second. */
  readonly upload?: Rates
  /** Caps of what is received, bytes a second. */
  readonly download?: Rates
  readonly limits?: Partial<FlowLimits>
}

/** What travels now, and how much did. */
export interface FlowStatus {
  /** The cap of what is sent in all, bytes a second; `undefined` without one. */
  readonly uploadMax: number | undefined
  /** The cap of what is received in all. */
  readonly downloadMax: number | undefined
  readonly sentBytes: number
  readonly receivedBytes: number
  /** Bytes handed over that sockets have not taken. */
  readonly sendingBytes: number
  /** Channels that wait for their turn to send, to receive or to be answered. */
  readonly waiting: number
  /** Channels given up because their peer took nothing while others waited. */
  readonly abandoned: number
}

/** Shares out what a node sends and receives between its peers. */
export interface Flow extends Disposable {
  /** A stream or socket to a peer has been opened; dispose the channel when it ends. */
  open(init: FlowChannelInit): FlowChannel
  /** True while some peer that sends is kept waiting by a cap. */
  readonly isHoldingBack: boolean
  status(): FlowStatus
}

/** The limits of one node, for all protocols that carry content. */
export function createFlow(components: FlowComponents, init: FlowInit = {}): Flow {
  return new NodeFlow(components, init)
}

class NodeFlow implements Flow {
  readonly #components: FlowComponents
  readonly #init: FlowInit
  readonly #limits: FlowLimits
  readonly #channels = new Set<NodeFlowChannel>()
  readonly #parts: ChannelParts
  #watch: Disposable | undefined

  constructor(components: FlowComponents, init: FlowInit) {
    const limits = { ...DEFAULT_FLOW_LIMITS, ...init.limits }
    const { clock } = components
    const room = new Room(limits)
    const hasRoom = (...[lane, bytes]: Parameters<Room['check']>): boolean => {
      const answer = room.check(lane, bytes)
      if (answer === 'crowded') this.#watchStalls()
      return answer === 'free'
    }
    this.#components = components
    this.#init = init
    this.#limits = limits
    this.#parts = {
      upload: new Gate({ clock, hasRoom }, init.upload ?? {}, limits),
      download: new Gate({ clock }, init.download ?? {}, limits),
      requests: new Gate({ clock }, limits.requests, limits),
      room,
      counters: { sentBytes: 0, receivedBytes: 0, abandoned: 0 },
      pieceBytes: pieceBytesOf(init.upload ?? {}, limits),
      waitingMax: limits.waitingPerChannelMax,
      nowMs: () => clock.monotonicMs(),
      onDisposed: (channel) => this.#channels.delete(channel)
    }
  }

  open(init: FlowChannelInit): FlowChannel {
    const channel = new NodeFlowChannel(this.#parts, init)
    this.#channels.add(channel)
    return channel
  }

  get isHoldingBack(): boolean {
    return this.#parts.download.waitingCount > 0
  }

  status(): FlowStatus {
    const { upload, download, requests, room, counters } = this.#parts
    return {
      ...counters,
      uploadMax: this.#init.upload?.total,
      downloadMax: this.#init.download?.total,
      sendingBytes: room.total,
      waiting: upload.waitingCount + download.waitingCount + requests.waitingCount
    }
  }

  [Symbol.dispose](): void {
    const { upload, download, requests } = this.#parts
    this.#watch?.[Symbol.dispose]()
    for (const channel of [...this.#channels]) channel[Symbol.dispose]()
    for (const gate of [upload, download, requests]) gate[Symbol.dispose]()
  }

  /** Somebody waits for room that others hold: whoever holds some for long without taking it makes room. */
  #watchStalls(): void {
    if (this.#watch !== undefined) return
    const oldest = this.#oldest()
    if (oldest === undefined) return
    const nowMs = this.#components.clock.monotonicMs()
    const waitMs = Math.max(0, (oldest.oldestLeaseMs ?? nowMs) + this.#limits.stallMs - nowMs)
    this.#watch = this.#components.clock.after(waitMs, () => {
      this.#watch = undefined
      if (this.#parts.upload.waitingCount === 0) return
      this.#abandonStalled()
      this.#parts.upload.open()
    })
  }

  /** One at a time: when it is our own line that is slow, most are not to blame. */
  #abandonStalled(): void {
    const oldest = this.#oldest()
    if (oldest === undefined || oldest.stalledMs() < this.#limits.stallMs) return
    this.#parts.counters.abandoned++
    this.#components.logger.info('gave up a peer that takes nothing while others wait', {
      peer: oldest.peerId,
      stalledMs: oldest.stalledMs()
    })
    oldest.abandon(new ContentError('ERR_FLOW_ENDED', 'the peer took nothing while others waited'))
  }

  #oldest(): NodeFlowChannel | undefined {
    let oldest: NodeFlowChannel | undefined
    for (const channel of this.#channels) {
      if ((channel.oldestLeaseMs ?? Infinity) < (oldest?.oldestLeaseMs ?? Infinity)) oldest = channel
    }
    return oldest
  }
}
