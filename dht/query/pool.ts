import type { Connection } from '@libp2p/interface'
import type { KadDHTComponents } from '@libp2p/kad-dht'
import { multiaddr } from '@multiformats/multiaddr'
import type { Multiaddr } from '@multiformats/multiaddr'
import { orAborted, type Clock } from '#contracts'
import { startDeadline } from '../deadline.ts'
import { DhtError } from '../errors.ts'
import { encodeMessage } from './codec.ts'
import type { KnownEntries } from './codec.ts'
import {
  ANSWER_CHECK_INTERVAL_MS,
  ANSWER_TIMEOUT_MS,
  IDLE_CHECK_INTERVAL_MS,
  IDLE_STREAM_MS,
  OPEN_TIMEOUT_MS,
  PIPELINED_MAX,
  STREAMS_MAX
} from './constants.ts'
import { Link, LinkLostError } from './link.ts'
import { KAD_MESSAGE } from './messages.ts'
import type { KadMessage } from './messages.ts'
import type { BookPeer } from './peer-book.ts'

/** What a pool of streams is made of. */
export interface StreamPoolComponents {
  readonly connectionManager: Pick<KadDHTComponents['connectionManager'], 'getConnections' | 'openConnection'>
  readonly protocol: string
  /** Whether libp2p knows by itself where the peer is. */
  readonly isKnown: (peer: BookPeer) => boolean
  /** Which of the addresses that others name may be dialled. */
  readonly mayDial: (address: Multiaddr) => boolean
  /** Peers that answers name again and again. */
  readonly known?: KnownEntries
  readonly clock: Clock
}

/** Counters of a {@link StreamPool}. */
export interface StreamPoolMetrics {
  readonly messages: number
  readonly failures: number
  readonly streams: number
}

/** Streams to DHT peers that stay open from one message to the next. */
export interface StreamPool extends Disposable {
  /**
   * Sends a request and resolves with its answer.
   *
   * @throws {@link DhtError} `ERR_REQUEST_FAILED`, `ERR_DHT_TIMEOUT`, `ERR_PEER_UNREACHABLE`, or the reason of `signal`
   */
  request(peer: BookPeer, message: KadMessage, signal: AbortSignal): Promise<KadMessage>
  /**
   * Sends messages that are not answered and resolves when the peer has dealt with them. Nothing says so for them, but a
   * ping behind them is answered in its turn; a peer that refuses one resets the stream instead.
   *
   * @throws as `request`
   */
  tell(peer: BookPeer, messages: readonly KadMessage[], signal: AbortSignal): Promise<void>
  /** Whether there is a connection to the peer that may carry a stream. */
  isConnected(peer: BookPeer): boolean
  metrics(): StreamPoolMetrics
}

const PING_BYTES = encodeMessage({ type: KAD_MESSAGE.ping })

/** A pool with no streams in it yet. */
export function startStreamPool(components: StreamPoolComponents): StreamPool {
  return new Pool(components)
}

class Pool implements StreamPool {
  readonly #components: StreamPoolComponents
  /** The stream to use for each peer. */
  readonly #links = new Map<BookPeer, Link>()
  /** Those, and full ones that others took the place of. */
  readonly #allLinks = new Set<Link>()
  readonly #opening = new Map<BookPeer, Promise<Link>>()
  readonly #closing = new AbortController()
  readonly #idleCheck: Disposable
  /** One timer for all answers rather than one for each, and none while none is waited for. */
  #answerCheck: Disposable | undefined
  #messages = 0
  #failures = 0
  #streams = 0

  constructor(components: StreamPoolComponents) {
    this.#components = components
    this.#idleCheck = components.clock.every(IDLE_CHECK_INTERVAL_MS, () => this.#closeIdle())
  }

  async request(peer: BookPeer, message: KadMessage, signal: AbortSignal): Promise<KadMessage> {
    this.#messages += 1
    const bytes = encodeMessage(message)
    return await this.#exchange(peer, bytes, signal)
  }

  async tell(peer: BookPeer, messages: readonly KadMessage[], signal: AbortSignal): Promise<void> {
    this.#messages += messages.length
    // one write for all of them: what a stream costs, it costs a write
    const bytes = Buffer.concat([...messages.map(encodeMessage), PING_BYTES])
    await this.#exchange(peer, bytes, signal)
  }

  isConnected(peer: BookPeer): boolean {
    return this.#connectionTo(peer) !== undefined
  }

  metrics(): StreamPoolMetrics {
    return { messages: this.#messages, failures: this.#failures, streams: this.#streams }
  }

  [Symbol.dispose](): void {
    this.#idleCheck[Symbol.dispose]()
    this.#answerCheck?.[Symbol.dispose]()
    this.#answerCheck = undefined
    const closed = new DhtError('ERR_HOST_CLOSED', 'the DHT is stopped')
    this.#closing.abort(closed)
    for (const link of this.#allLinks) link.abort(closed)
    this.#links.clear()
  }

  async #exchange(peer: BookPeer, bytes: Uint8Array, signal: AbortSignal): Promise<KadMessage> {
    signal.throwIfAborted()
    const { clock } = this.#components
    const ask = async (link: Link): Promise<KadMessage> => {
      if (!this.#closing.signal.aborted)
        this.#answerCheck ??= clock.every(ANSWER_CHECK_INTERVAL_MS, () => this.#expire())
      return await link.ask(bytes, clock.monotonicMs(), signal)
    }
    try {
      const held = this.#heldLink(peer)
      if (held !== undefined) {
        try {
          return await ask(held)
        } catch (error) {
          // a stream that was kept may have been given up by its peer meanwhile; all messages bear being sent twice
          if (!(error instanceof LinkLostError)) throw error
        }
      }
      const opened = await orAborted(this.#open(peer), signal)
      signal.throwIfAborted()
      return await ask(opened)
    } catch (error) {
      if (!signal.aborted) this.#failures += 1
      throw error
    }
  }

  #heldLink(peer: BookPeer): Link | undefined {
    const link = this.#links.get(peer)
    return link?.isOpen === true && link.pending < PIPELINED_MAX ? link : undefined
  }

  #open(peer: BookPeer): Promise<Link> {
    const underWay = this.#opening.get(peer)
    if (underWay !== undefined) return underWay
    const opening = this.#openLink(peer).finally(() => this.#opening.delete(peer))
    // nobody may be left who waits for it
    opening.catch(() => undefined)
    this.#opening.set(peer, opening)
    return opening
  }

  async #openLink(peer: BookPeer): Promise<Link> {
    const { clock, protocol } = this.#components
    this.#closing.signal.throwIfAborted()
    using limit = startDeadline(clock, OPEN_TIMEOUT_MS, this.#closing.signal)
    const { signal } = limit
    const connection = this.#connectionTo(peer) ?? (await this.#dial(peer, signal))
    try {
      // the first request goes with it: whoever is asked is one that speaks the protocol, or else does not answer
      const stream = await connection.newStream(protocol, { signal, negotiateFully: false })
      this.#streams += 1
      const link: Link = new Link(stream, {
        nowMs: clock.monotonicMs(),
        known: this.#components.known,
        onLost: () => {
          this.#allLinks.delete(link)
          if (this.#links.get(peer) === link) this.#links.delete(peer)
        }
      })
      this.#keep(peer, link)
      return link
    } catch (cause) {
      signal.throwIfAborted()
      const message = `expected a stream for ${protocol} to ${peer.peerId}`
      throw new DhtError('ERR_REQUEST_FAILED', message, { cause })
    }
  }

  #keep(peer: BookPeer, link: Link): void {
    if (!link.isOpen) return
    this.#allLinks.add(link)
    this.#links.set(peer, link)
    if (this.#links.size <= STREAMS_MAX) return
    for (const [other, oldest] of this.#links) {
      if (oldest.pending > 0) continue
      this.#links.delete(other)
      oldest.close()
      return
    }
  }

  #connectionTo(peer: BookPeer): Connection | undefined {
    const { connectionManager } = this.#components
    const { libp2pId } = peer
    if (libp2pId === undefined) return undefined
    return connectionManager
      .getConnections(libp2pId)
      .find(({ status, limits }) => status === 'open' && limits === undefined)
  }

  /** Dials a peer by its id when libp2p knows where it is, else at the addresses that others named. */
  async #dial(peer: BookPeer, signal: AbortSignal): Promise<Connection> {
    const { connectionManager, isKnown, mayDial } = this.#components
    const addresses = isKnown(peer) ? [] : dialable(peer, mayDial)
    try {
      const { libp2pId } = peer
      if (libp2pId === undefined) throw new Error('not the id of a peer')
      return await connectionManager.openConnection(addresses.length > 0 ? addresses : libp2pId, { signal })
    } catch (cause) {
      this.#closing.signal.throwIfAborted()
      const message = `expected ${peer.peerId} to be reachable, it is not`
      throw new DhtError('ERR_PEER_UNREACHABLE', message, { cause })
    }
  }

  /** Who does not answer in time has its stream ended, and whatever else waits on it. */
  #expire(): void {
    const sinceMs = this.#components.clock.monotonicMs() - ANSWER_TIMEOUT_MS
    let isWaiting = false
    for (const link of this.#allLinks) {
      if (link.pending === 0) continue
      isWaiting = true
      link.expire(sinceMs, overdue)
    }
    if (isWaiting) return
    this.#answerCheck?.[Symbol.dispose]()
    this.#answerCheck = undefined
  }

  #closeIdle(): void {
    const oldestMs = this.#components.clock.monotonicMs() - IDLE_STREAM_MS
    for (const link of this.#allLinks) if (link.pending === 0 && link.usedAtMs <= oldestMs) link.close()
    for (const [peer, link] of this.#links) {
      if (link.pending === 0 && link.usedAtMs <= oldestMs) this.#links.delete(peer)
    }
  }
}

function overdue(): DhtError {
  return new DhtError('ERR_DHT_TIMEOUT', `expected an answer of a peer within ${ANSWER_TIMEOUT_MS} ms`)
}

function dialable(peer: BookPeer, mayDial: (address: Multiaddr) => boolean): Multiaddr[] {
  const suffix = `/p2p/${peer.peerId}`
  return peer.multiaddrs.flatMap((bytes) => {
    try {
      const address = multiaddr(bytes)
      if (!mayDial(address)) return []
      const last = address.getComponents().at(-1)
      // whoever is named with the address of somebody else is left out
      if (last?.name === 'p2p') return last.value === peer.peerId ? [address] : []
      return [multiaddr(`${address.toString()}${suffix}`)]
    } catch {
      return []
    }
  })
}
