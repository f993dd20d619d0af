import { ContentError } from '../errors.ts'
import type { Gate, Lane } from './gate.ts'
import type { Claimant, Room } from './room.ts'

/** One stream or socket between this node and a peer, as far as limits go. Disposing it gives back what it holds. */
export interface FlowChannel extends Disposable {
  /** Bytes that one {@link FlowChannel.send} should ask for at most. */
  readonly pieceBytes: number
  /**
   * Waits until so many bytes may be sent: before they are read from a disk, where that is possible.
   *
   * @returns to be disposed once the socket has taken the bytes, or they are not sent after all
   * @throws ContentError `ERR_FLOW_BUSY` when too many wait already, `ERR_FLOW_ENDED` when the channel ends first;
   *   the reason of `signal`
   */
  send(bytes: number, signal: AbortSignal): Promise<Disposable>
  /**
   * Counts bytes that came.
   *
   * @returns `undefined` to go on reading; else a promise, never rejected, before which nothing more is to be read
   */
  received(bytes: number): Promise<void> | undefined
  /**
   * Counts a request of the peer, or several that came as one.
   *
   * @returns `undefined` to answer it; else a promise, never rejected, to await first
   */
  requested(count?: number): Promise<void> | undefined
  /** How long ago the oldest bytes that the socket has not taken were granted, in milliseconds; 0 without any. */
  stalledMs(): number
}

/** What the channels of one node share. */
export interface ChannelParts {
  readonly upload: Gate
  readonly download: Gate
  readonly requests: Gate
  readonly room: Room
  readonly counters: { sentBytes: number; receivedBytes: number; abandoned: number }
  readonly pieceBytes: number
  readonly waitingMax: number
  readonly nowMs: () => number
  readonly onDisposed: (channel: NodeFlowChannel) => void
}

/** Whose channel it is, and how it is given up. */
export interface FlowChannelInit extends Claimant {
  /** The peer takes nothing while others wait: reset the stream. The channel has ended already. */
  abandon(this: void, cause: Error): void
}

interface Lease extends Disposable {
  readonly grantedAtMs: number
}

/** The channels of `createFlow`. */
export class NodeFlowChannel implements FlowChannel {
  readonly pieceBytes: number
  readonly #parts: ChannelParts
  readonly #init: FlowChannelInit
  readonly #upload: Lane
  readonly #download: Lane
  readonly #requests: Lane
  readonly #leases = new Set<Lease>()
  readonly #waiting = new Set<() => void>()
  #prepaidBytes = 0
  #isEnded = false

  constructor(parts: ChannelParts, init: FlowChannelInit) {
    this.#parts = parts
    this.#init = init
    this.pieceBytes = parts.pieceBytes
    this.#upload = parts.upload.lane(init)
    this.#download = parts.download.lane(init)
    this.#requests = parts.requests.lane(init)
  }

  /** Whose channel it is. */
  get peerId(): string {
    return this.#init.peerId
  }

  /** When the oldest lease was granted, `undefined` without any. */
  get oldestLeaseMs(): number | undefined {
    const [oldest] = this.#leases
    return oldest?.grantedAtMs
  }

  async send(bytes: number, signal: AbortSignal): Promise<Disposable> {
    signal.throwIfAborted()
    this.#checkOpen()
    const lease = this.#parts.upload.tryPass(this.#upload, bytes)
      ? this.#lease(bytes)
      : await this.#waitToSend(bytes, signal)
    this.#checkOpen()
    return lease
  }

  received(bytes: number): Promise<void> | undefined {
    const { download, counters } = this.#parts
    counters.receivedBytes += bytes
    if (this.#isEnded) return undefined
    download.charge(this.#download, bytes - this.#prepaidBytes)
    this.#prepaidBytes = 0
    if (download.isOpen(this.#download)) return undefined
    // What comes next is taken to be as large, so that one at a time goes on.
    return this.#pause(download, this.#download, {
      cost: bytes,
      onGrant: () => {
        this.#prepaidBytes = bytes
      }
    })
  }

  requested(count = 1): Promise<void> | undefined {
    const { requests } = this.#parts
    if (this.#isEnded || requests.tryPass(this.#requests, count)) return undefined
    return this.#pause(requests, this.#requests, { cost: count })
  }

  stalledMs(): number {
    const oldestMs = this.oldestLeaseMs
    return oldestMs === undefined ? 0 : this.#parts.nowMs() - oldestMs
  }

  /** Ends the channel because others wait for what it holds. */
  abandon(cause: Error): void {
    this[Symbol.dispose]()
    this.#init.abandon(cause)
  }

  [Symbol.dispose](): void {
    if (this.#isEnded) return
    this.#isEnded = true
    for (const end of [...this.#waiting]) end()
    for (const lease of [...this.#leases]) lease[Symbol.dispose]()
    if (this.#prepaidBytes > 0) this.#parts.download.charge(this.#download, -this.#prepaidBytes)
    this.#parts.onDisposed(this)
  }

  #checkOpen(): void {
    if (this.#isEnded) throw new ContentError('ERR_FLOW_ENDED', 'the peer took nothing for long, or is gone')
  }

  async #waitToSend(bytes: number, signal: AbortSignal): Promise<Disposable> {
    const { upload, waitingMax } = this.#parts
    if (this.#upload.turns.length >= waitingMax) {
      throw new ContentError('ERR_FLOW_BUSY', `expected at most ${waitingMax} sends to wait for one peer`)
    }
    const { promise, resolve, reject } = Promise.withResolvers<Disposable>()
    const end = this.#wait(upload, this.#upload, {
      cost: bytes,
      grant: () => {
        resolve(this.#lease(bytes))
      },
      end: () => {
        reject(new ContentError('ERR_FLOW_ENDED', 'the peer took nothing for long, or is gone'))
      }
    })
    const onAbort = (): void => {
      // The reason first: the end that follows gives another one.
      reject(signal.reason as Error)
      end()
    }
    signal.addEventListener('abort', onAbort, { once: true })
    try {
      return await promise
    } finally {
      signal.removeEventListener('abort', onAbort)
    }
  }

  /** Waits at a gate, unless that lets pass at once. */
  #pause(gate: Gate, lane: Lane, o: { cost: number; onGrant?(): void }): Promise<void> | undefined {
    const { promise, resolve } = Promise.withResolvers<void>()
    let isGranted = false
    const grant = (): void => {
      isGranted = true
      o.onGrant?.()
      resolve()
    }
    this.#wait(gate, lane, { cost: o.cost, grant, end: resolve })
    return isGranted ? undefined : promise
  }

  /** Waits at a gate until granted or ended; returns how to end it. */
  #wait(gate: Gate, lane: Lane, o: { cost: number; grant(): void; end(): void }): () => void {
    const end = (): void => {
      this.#waiting.delete(end)
      leave()
      o.end()
    }
    this.#waiting.add(end)
    const grant = (): void => {
      this.#waiting.delete(end)
      o.grant()
    }
    const leave = gate.wait(lane, { cost: o.cost, grant })
    return end
  }

  #lease(bytes: number): Disposable {
    const { room, upload, counters, nowMs } = this.#parts
    room.take(this.#init, bytes)
    counters.sentBytes += bytes
    const lease: Lease = {
      grantedAtMs: nowMs(),
      [Symbol.dispose]: () => {
        if (!this.#leases.delete(lease)) return
        room.take(this.#init, -bytes)
        upload.open()
      }
    }
    this.#leases.add(lease)
    return lease
  }
}
