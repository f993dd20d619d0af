import type { Clock, Logger } from '#contracts'
import type { Connection, Libp2p, PeerId, PeerStore, Stream } from '@libp2p/interface'
import { errorMessage } from '#contracts'
import { peerIdFromString } from '@libp2p/peer-id'
import { multiaddr } from '@multiformats/multiaddr'
import type { CID } from 'multiformats/cid'
import type { Flow } from '../flow/index.ts'
import type { BlockExchange, BlockSession, ContentRouting } from '../exchange.ts'
import { Channel } from './channel.ts'
import { Client, type ClientStats } from './client.ts'
import { Conduct, type Misbehaviour, type MisbehaviourReason } from './conduct.ts'
import { BITSWAP_PROTOCOLS, DIRECT_WAIT_MS } from './constants.ts'
import { DEFAULT_BITSWAP_LIMITS, type BitswapLimits } from './limits.ts'
import { Inbound } from './inbound.ts'
import type { Provider } from './peer-search.ts'
import { Server, type BlockSource, type ServerStats } from './server.ts'
import { Session } from './session.ts'

/** What the flow calls every dialect of bitswap. */
const FLOW_NAME = 'bitswap'

/** What bitswap needs of a libp2p node. */
export type BitswapLibp2p = Pick<
  Libp2p,
  | 'peerId'
  | 'handle'
  | 'unhandle'
  | 'register'
  | 'unregister'
  | 'dial'
  | 'dialProtocol'
  | 'hangUp'
  | 'getConnections'
  | 'addEventListener'
  | 'removeEventListener'
> & { readonly peerStore: Pick<PeerStore, 'get' | 'merge'> }

/** Collaborators of {@link startBitswap}. */
export interface BitswapComponents {
  readonly libp2p: BitswapLibp2p
  /** Leave out to ask connected peers only. */
  readonly routing?: Pick<ContentRouting, 'findProviders'>
  /** Where blocks to be served are read; what is fetched is not written there. */
  readonly store: BlockSource
  /** Whether that peer may have that block; asked before the store is. */
  mayServe(cid: CID, peerId: string): Promise<boolean>
  /** Limits shared with whatever else carries content; without them only those of bitswap count. */
  readonly flow?: Flow | undefined
  readonly clock: Clock
  readonly logger: Logger
  /** Told of each thing a peer does that no honest one does. */
  onMisbehaviour?(this: void, misbehaviour: Misbehaviour): void
}

/** Options of the block exchange. */
export interface BitswapInit {
  readonly limits?: Partial<BitswapLimits>
}

/** Counters of a running exchange. */
export interface BitswapStats extends ClientStats, ServerStats {
  /** Bytes of unfinished messages from peers held now. */
  readonly receiveBytes: number
}

/** A running exchange. */
export interface Bitswap extends BlockExchange, AsyncDisposable {
  /** As {@link BlockExchange.createSession}; `providers` are peers known to have the root. */
  createSession(init: { root: CID; signal: AbortSignal; providers?: readonly Provider[] }): BlockSession
  /** Connects to a provider, over no relay, unless that is done already. @throws when it cannot */
  connect(provider: Provider, signal: AbortSignal): Promise<void>
  /** A copy of the counters. */
  stats(): BitswapStats
}

/**
 * Starts to serve blocks to peers, as far as `mayServe` allows, and to fetch blocks from them.
 *
 * @throws whatever registering the protocol with libp2p throws
 */
export async function startBitswap(components: BitswapComponents, init: BitswapInit = {}): Promise<Bitswap> {
  const limits = { ...DEFAULT_BITSWAP_LIMITS, ...init.limits }
  const exchange = new RunningBitswap(components, limits)
  await exchange.start()
  return exchange
}

class RunningBitswap implements Bitswap {
  readonly verifiesBlocks = true
  readonly #components: BitswapComponents
  readonly #limits: BitswapLimits
  readonly #stop = new AbortController()
  readonly #channels = new Map<string, Channel>()
  readonly #connected = new Map<string, PeerId>()
  readonly #conduct: Conduct
  readonly #client: Client
  readonly #server: Server
  readonly #inbound: Inbound
  #topologies: string[] = []

  constructor(components: BitswapComponents, limits: BitswapLimits) {
    const { clock, logger, store } = components
    this.#components = components
    this.#limits = limits
    this.#conduct = new Conduct(clock, limits)
    this.#client = new Client(
      {
        clock,
        send: (peerId, entry) => {
          this.#channel(peerId).want(entry)
        },
        isHeldUp: () => components.flow?.isHoldingBack === true,
        onStrike: (peerId, reason) => this.#strike(peerId, reason)
      },
      limits
    )
    this.#server = new Server(
      {
        clock,
        logger,
        store,
        mayServe: (cid, peerId) => components.mayServe(cid, peerId),
        send: (peerId, answer) => this.#channel(peerId).answer(answer),
        stalledMs: (peerId) => this.#channels.get(peerId)?.stalledMs,
        abandon: (peerId) => {
          this.#closeChannel(peerId)
        }
      },
      limits
    )
    this.#inbound = new Inbound(
      {
        onMessage: (peerId, message) => {
          this.#server.receive(peerId, message)
          this.#client.receive(peerId, message)
        },
        onProgress: (peerId, bytes) => {
          this.#client.progress(peerId, bytes)
        },
        openFlow: (peerId, abandon) => components.flow?.open({ peerId, protocol: FLOW_NAME, abandon }),
        onRefused: (peerId, reason) => {
          // What it owes will not come on that stream.
          if (!this.#strike(peerId, reason)) this.#client.lose(peerId)
        }
      },
      limits
    )
  }

  async start(): Promise<void> {
    const { libp2p } = this.#components
    libp2p.addEventListener('peer:disconnect', this.#onDisconnect)
    await libp2p.handle([...BITSWAP_PROTOCOLS], this.#onStream, {
      maxInboundStreams: this.#limits.inboundStreamsMax,
      // small contents fit through a relay
      runOnLimitedConnection: true
    })
    for (const protocol of BITSWAP_PROTOCOLS) {
      const onConnect = (peerId: PeerId): void => {
        this.#meet(peerId)
      }
      this.#topologies.push(await libp2p.register(protocol, { onConnect, notifyOnLimitedConnection: true }))
    }
    for (const { remotePeer } of libp2p.getConnections())
      this.#connected.set(remotePeer.toString(), remotePeer)
  }

  createSession(init: { root: CID; signal: AbortSignal; providers?: readonly Provider[] }): BlockSession {
    const { clock, logger, routing } = this.#components
    const signal = AbortSignal.any([init.signal, this.#stop.signal])
    return new Session(
      {
        clock,
        logger,
        routing,
        client: this.#client,
        connect: (provider, dialSignal) => this.connect(provider, dialSignal),
        connectedPeers: () => this.#connected.keys(),
        isAcceptable: (peerId) =>
          peerId !== this.#components.libp2p.peerId.toString() && !this.#conduct.isShunned(peerId)
      },
      { ...init, signal },
      this.#limits
    )
  }

  async fetch(cid: CID, { signal }: { signal: AbortSignal }): Promise<Uint8Array> {
    const done = new AbortController()
    const session = this.createSession({ root: cid, signal: AbortSignal.any([signal, done.signal]) })
    try {
      return await session.fetch(cid, { signal })
    } finally {
      done.abort()
    }
  }

  notify(cid: CID): void {
    this.#server.notify(cid)
  }

  stats(): BitswapStats {
    return { ...this.#client.stats(), ...this.#server.stats(), receiveBytes: this.#inbound.heldBytes }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { libp2p } = this.#components
    this.#stop.abort(new Error('the exchange was stopped'))
    for (const topology of this.#topologies) libp2p.unregister(topology)
    libp2p.removeEventListener('peer:disconnect', this.#onDisconnect)
    for (const peerId of [...this.#channels.keys()]) this.#forget(peerId, false)
    this.#client[Symbol.dispose]()
    await libp2p.unhandle([...BITSWAP_PROTOCOLS])
  }

  readonly #onStream = (stream: Stream, connection: Connection): void => {
    const peerId = connection.remotePeer.toString()
    if (this.#stop.signal.aborted || this.#conduct.isShunned(peerId)) {
      stream.abort(new Error('not now'))
      return
    }
    this.#meet(connection.remotePeer)
    this.#inbound.accept(stream, peerId)
  }

  readonly #onDisconnect = (event: CustomEvent<PeerId>): void => {
    this.#forget(event.detail.toString(), false)
  }

  #meet(peer: PeerId): void {
    const peerId = peer.toString()
    if (this.#connected.has(peerId)) return
    this.#connected.set(peerId, peer)
    this.#client.meet(peerId)
  }

  #forget(peerId: string, misbehaved: boolean): void {
    this.#connected.delete(peerId)
    this.#closeChannel(peerId)
    this.#server.forget(peerId)
    this.#client.forget(peerId, misbehaved)
  }

  /** Notes a misbehaviour; returns whether the peer is disconnected for it. */
  #strike(peerId: string, reason: MisbehaviourReason): boolean {
    const { libp2p, logger, onMisbehaviour } = this.#components
    const misbehaviour = this.#conduct.strike(peerId, reason)
    const { strikes, disconnected } = misbehaviour
    logger.info('a peer misbehaved', { peer: peerId, reason, strikes, disconnected })
    onMisbehaviour?.(misbehaviour)
    if (!disconnected) return false
    this.#forget(peerId, true)
    libp2p.hangUp(peerIdFromString(peerId)).catch((cause: unknown) => {
      logger.debug('hanging up failed', { peer: peerId, error: errorMessage(cause) })
    })
    return true
  }

  #channel(peerId: string): Channel {
    const open = this.#channels.get(peerId)
    if (open !== undefined) return open
    const { clock, libp2p, logger } = this.#components
    const onLost = (cause: unknown): void => {
      logger.debug('a peer cannot be sent to', { peer: peerId, error: errorMessage(cause) })
      if (this.#channels.get(peerId) !== channel) return
      this.#closeChannel(peerId)
      this.#server.forget(peerId)
      this.#client.lose(peerId)
    }
    const channel = new Channel(
      {
        clock,
        openStream: (signal) =>
          libp2p.dialProtocol(peerIdFromString(peerId), [...BITSWAP_PROTOCOLS], {
            signal,
            runOnLimitedConnection: true
          }),
        flow: this.#components.flow?.open({ peerId, protocol: FLOW_NAME, abandon: onLost }),
        onLost
      },
      this.#limits
    )
    this.#channels.set(peerId, channel)
    return channel
  }

  #closeChannel(peerId: string): void {
    this.#channels.get(peerId)?.[Symbol.dispose]()
    this.#channels.delete(peerId)
  }

  async connect(provider: Provider, signal: AbortSignal): Promise<void> {
    const { libp2p } = this.#components
    // One that has said its own name before says it at once.
    const peerId = this.#connected.get(provider.peerId) ?? peerIdFromString(provider.peerId)
    if (libp2p.getConnections(peerId).some(isDirect)) return
    const multiaddrs = provider.multiaddrs.map((address) => multiaddr(address))
    if (multiaddrs.length > 0) await libp2p.peerStore.merge(peerId, { multiaddrs }, { signal })
    const connection = await libp2p.dial(peerId, { signal })
    if (!isDirect(connection)) await this.#direct(connection, signal)
  }

  /** A relay carries few bytes: hole punching is given a moment to do better, then small contents go over the relay. */
  async #direct({ remotePeer: peerId, timeline }: Connection, signal: AbortSignal): Promise<void> {
    const { libp2p, clock } = this.#components
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const waitMs = Math.max(0, DIRECT_WAIT_MS - (clock.nowMs() - timeline.open))
    using _limit = clock.after(waitMs, resolve)
    const onOpen = ({ detail }: CustomEvent<Connection>): void => {
      if (detail.remotePeer.equals(peerId) && isDirect(detail)) resolve()
    }
    const onAbort = (): void => {
      reject(signal.reason as Error)
    }
    libp2p.addEventListener('connection:open', onOpen)
    signal.addEventListener('abort', onAbort, { once: true })
    if (signal.aborted) onAbort()
    try {
      await promise
    } finally {
      libp2p.removeEventListener('connection:open', onOpen)
      signal.removeEventListener('abort', onAbort)
    }
  }
}

/** Whether a connection may carry any amount of bytes: it goes over no relay. */
function isDirect(connection: Connection): boolean {
  return connection.limits === undefined
}
