import { errorMessage } from '#contracts'
import type { Connection, Libp2p, NewStreamOptions, PeerId, PeerStore, Stream } from '@libp2p/interface'
import { peerIdFromString } from '@libp2p/peer-id'
import { Conduct } from '../bitswap/conduct.ts'
import type { Misbehaviour } from '../bitswap/conduct.ts'
import { DEFAULT_BITSWAP_LIMITS } from '../bitswap/limits.ts'
import type { PeerSearchComponents } from '../bitswap/peer-search.ts'
import type { BlockStore } from '../block-store.ts'
import type { Flow, FlowChannel } from '../flow/index.ts'
import type { BulkSockets } from './bulk-sockets.ts'
import { Slabs } from '../slabs.ts'
import {
  DAG_PROTOCOL,
  DEFAULT_STREAM_LIMITS,
  IDLE_CHANNEL_MS,
  READ_SLAB_BYTES,
  READ_SLABS_KEPT_MAX
} from './constants.ts'
import type { StreamLimits } from './constants.ts'
import { DagFetch } from './dag-fetch.ts'
import type { DagFetchInit } from './dag-fetch.ts'
import { pipeOfStream } from './pipe.ts'
import type { Pipe } from './pipe.ts'
import { ServedChannel } from './served-channel.ts'
import type { ServingComponents } from './served-channel.ts'
import { answerSocketFrames } from './socket-answers.ts'
import type { OpenedPipe } from './source.ts'

/** What the streams need of a libp2p node. */
export type StreamLibp2p = Pick<
  Libp2p,
  | 'peerId'
  | 'handle'
  | 'unhandle'
  | 'register'
  | 'unregister'
  | 'dial'
  | 'getConnections'
  | 'addEventListener'
  | 'removeEventListener'
> & { readonly peerStore: Pick<PeerStore, 'get'> }

/** Collaborators of `startDagStreams`. */
export interface DagStreamComponents
  extends Omit<ServingComponents, 'store'>, Pick<PeerSearchComponents, 'routing' | 'connect'> {
  readonly libp2p: StreamLibp2p
  readonly store: BlockStore
  /** Absent: everything goes over libp2p's streams. */
  readonly sockets?: BulkSockets | undefined
  readonly flow?: Flow | undefined
  /** Told of each thing a peer does that no honest one does. */
  onMisbehaviour?: ((misbehaviour: Misbehaviour) => void) | undefined
}

/** Options of `startDagStreams`. */
export interface DagStreamInit {
  readonly limits?: Partial<StreamLimits>
}

/** Counters of {@link DagStreams}. */
export interface DagStreamStats {
  readonly channelsServed: number
  readonly blocksSent: number
  readonly bytesSent: number
}

/** Serves DAGs to peers and fetches them. */
export interface DagStreams extends AsyncDisposable {
  createFetch(init: DagFetchInit): DagFetch
  stats(): DagStreamStats
}

/**
 * Starts to serve DAGs to peers as far as they have a right to them.
 *
 * @throws whatever registering the protocol with libp2p throws
 */
export async function startDagStreams(
  components: DagStreamComponents,
  init: DagStreamInit = {}
): Promise<DagStreams> {
  const streams = new RunningDagStreams(components, { ...DEFAULT_STREAM_LIMITS, ...init.limits })
  await streams.start()
  return streams
}

/** What libp2p notes about a peer that has said what it is. */
const IDENTIFIED = 'AgentVersion'

class RunningDagStreams implements DagStreams {
  readonly #components: DagStreamComponents
  readonly #limits: StreamLimits
  readonly #conduct: Conduct
  readonly #stop = new AbortController()
  readonly #memory = new Slabs({ slabBytes: READ_SLAB_BYTES, keptMax: READ_SLABS_KEPT_MAX })
  readonly #channels = new Map<ServedChannel, string>()
  readonly #connected = new Map<string, PeerId>()
  #topology: string | undefined
  #gone = { blocksSent: 0, bytesSent: 0 }

  constructor(components: DagStreamComponents, limits: StreamLimits) {
    this.#components = components
    this.#limits = limits
    this.#conduct = new Conduct(components.clock, { ...DEFAULT_BITSWAP_LIMITS, strikesMax: 1 })
  }

  async start(): Promise<void> {
    const { libp2p } = this.#components
    libp2p.addEventListener('peer:disconnect', this.#onDisconnect)
    await libp2p.handle(DAG_PROTOCOL, this.#onStream, {
      maxInboundStreams: this.#limits.channelsPerPeerMax,
      // small contents fit through a relay
      runOnLimitedConnection: true
    })
    const onConnect = (peerId: PeerId): void => {
      this.#connected.set(peerId.toString(), peerId)
    }
    this.#topology = await libp2p.register(DAG_PROTOCOL, { onConnect, notifyOnLimitedConnection: true })
  }

  createFetch(init: DagFetchInit): DagFetch {
    const { libp2p, flow } = this.#components
    const fetch = new DagFetch(
      {
        ...this.#components,
        openPipe: (peerId, signal) => this.#openPipe(peerId, signal),
        openFlow: flow === undefined ? undefined : (peerId, abandon) => this.#openFlow(flow, peerId, abandon),
        connectedPeers: () => this.#connected.keys(),
        isAcceptable: (peerId) => peerId !== libp2p.peerId.toString() && !this.#conduct.isShunned(peerId),
        onBlame: (peerId, reason) => {
          const misbehaviour = this.#conduct.strike(
            peerId,
            reason === 'wrong-block' ? 'unwanted-block' : reason
          )
          this.#components.logger.info('a peer misbehaved', { peer: peerId, reason })
          this.#components.onMisbehaviour?.(misbehaviour)
        }
      },
      init,
      this.#limits
    )
    return fetch
  }

  stats(): DagStreamStats {
    let { blocksSent, bytesSent } = this.#gone
    for (const channel of this.#channels.keys()) {
      blocksSent += channel.blocksSent
      bytesSent += channel.bytesSent
    }
    return { channelsServed: this.#channels.size, blocksSent, bytesSent }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { libp2p } = this.#components
    this.#stop.abort(new Error('the exchange was stopped'))
    if (this.#topology !== undefined) libp2p.unregister(this.#topology)
    libp2p.removeEventListener('peer:disconnect', this.#onDisconnect)
    for (const channel of [...this.#channels.keys()]) channel[Symbol.dispose]()
    await libp2p.unhandle(DAG_PROTOCOL)
  }

  readonly #onDisconnect = (event: CustomEvent<PeerId>): void => {
    const gone = event.detail.toString()
    this.#connected.delete(gone)
    // A socket of its own lives no longer than the connection that says whose it is.
    for (const [channel, peerId] of [...this.#channels]) if (peerId === gone) channel[Symbol.dispose]()
  }

  readonly #onStream = (stream: Stream, connection: Connection): void => {
    this.#serve(pipeOfStream(stream), connection)
  }

  #serve(pipe: Pipe, connection: Connection): void {
    const { flow, sockets, logger } = this.#components
    const peerId = connection.remotePeer.toString()
    if (this.#stop.signal.aborted || !this.#makeRoom(peerId)) {
      pipe.abort(new Error('not now'))
      return
    }
    const flowChannel =
      flow === undefined ? undefined : this.#openFlow(flow, peerId, (cause) => pipe.abort(cause))
    const channel: ServedChannel = new ServedChannel(
      { ...this.#components, logger },
      {
        peerId,
        pipe,
        flow: flowChannel,
        memory: this.#memory,
        onSocketFrame: answerSocketFrames({
          sockets,
          connection,
          clock: this.#components.clock,
          timeoutMs: this.#limits.socketTimeoutMs,
          onPipe: (opened) => this.#serve(opened, connection),
          onFailed: (cause) => logger.debug('no socket', { peer: peerId, reason: errorMessage(cause) })
        }),
        onEnd: () => {
          this.#gone.blocksSent += channel.blocksSent
          this.#gone.bytesSent += channel.bytesSent
          flowChannel?.[Symbol.dispose]()
          this.#channels.delete(channel)
        }
      },
      this.#limits
    )
    this.#channels.set(channel, peerId)
  }

  /** Ends the channel on which no block was sent for longest, where there is no room for another. */
  #makeRoom(peerId: string): boolean {
    const { channelsMax, channelsPerPeerMax } = this.#limits
    const ofPeer = [...this.#channels].filter(([, other]) => other === peerId)
    const isPeerFull = ofPeer.length >= channelsPerPeerMax
    if (!isPeerFull && this.#channels.size < channelsMax) return true
    const latestMs = this.#components.clock.monotonicMs() - IDLE_CHANNEL_MS
    let idlest: ServedChannel | undefined
    for (const [channel] of isPeerFull ? ofPeer : this.#channels) {
      const { idleSinceMs } = channel
      if (idleSinceMs < (idlest?.idleSinceMs ?? latestMs)) idlest = channel
    }
    idlest?.[Symbol.dispose]()
    return idlest !== undefined
  }

  #openFlow(flow: Flow, peerId: string, abandon: (cause: Error) => void): FlowChannel {
    return flow.open({ peerId, protocol: DAG_PROTOCOL, abandon })
  }

  async #openPipe(peerId: string, signal: AbortSignal): Promise<OpenedPipe> {
    const { libp2p } = this.#components
    // One that has said its own name before says it at once.
    const id = this.#connected.get(peerId) ?? peerIdFromString(peerId)
    // A relay may set no limits either; libp2p knows whether there is a better way.
    const open = libp2p
      .getConnections(id)
      .find(({ status, limits, direct }) => status === 'open' && limits === undefined && direct)
    const connection = open ?? (await libp2p.dial(id, { signal }))
    const options: NewStreamOptions & { windowBytes: number } = {
      signal,
      runOnLimitedConnection: true,
      // who is not known not to speak it is asked without a round trip in which nothing is said
      negotiateFully: !this.#connected.has(peerId) && (await this.#isKnownToLack(connection.remotePeer)),
      windowBytes: this.#limits.streamCreditBytes
    }
    const stream = await connection.newStream(DAG_PROTOCOL, options)
    // A peer that does not speak it may have said so already, and a stream that has ended says nothing more.
    if (stream.status !== 'open') throw new Error(`the stream was ${stream.status} as soon as it was opened`)
    return { pipe: pipeOfStream(stream), connection }
  }

  async #isKnownToLack(peer: PeerId): Promise<boolean> {
    const known = await this.#components.libp2p.peerStore.get(peer).catch(() => undefined)
    // Before identify has told what it speaks the store knows the protocols of streams that were opened, identify's own among them.
    if (known?.metadata.has(IDENTIFIED) !== true) return false
    return known.protocols.length > 0 && !known.protocols.includes(DAG_PROTOCOL)
  }
}
