import type { Libp2p } from '@libp2p/interface'
import type { Clock, Logger } from '#contracts'
import { startBitswap } from '../bitswap/index.ts'
import type { BitswapLibp2p } from '../bitswap/index.ts'
import type { BlockStore } from '../block-store.ts'
import { createFlow } from '../flow/index.ts'
import { Slabs } from '../slabs.ts'
import { DEFAULT_STREAM_LIMITS, READ_SLAB_BYTES } from './constants.ts'
import { DagFetch } from './dag-fetch.ts'
import type { Pipe } from './pipe.ts'
import { ServedChannel } from './served-channel.ts'
import type { BulkConnection } from './bulk-sockets.ts'
import { startDagStreams } from './start-dag-streams.ts'
import type { DagStreams, StreamLibp2p } from './start-dag-streams.ts'

/** What comes over a stream of libp2p comes in pieces of about this size. */
const PIECE_BYTES = 64 * 1024
const PEER = 'a rehearsal'
/**
 * What a provider hands to its stream at a time: every piece is one frame for the muxer and one for the encryption, and it is these
 * that make code run often. Up to 16 KiB would wait for the end of the turn and be written with others (`JOINED_FRAMES_BYTES_MAX`).
 */
const HANDED_BYTES = 17 * 1024
/** What is asked ahead is less than there is, so that nothing is found to be absent before the end. */
const LIMITS = { ...DEFAULT_STREAM_LIMITS, streamCreditBytes: 64 * 1024 }

/** Two nodes of this process that are connected: what a rehearsal needs of the network, declared here by the consumer. */
export interface RehearsalNetwork extends AsyncDisposable {
  /** Has dialled the other. */
  readonly asking: StreamLibp2p & BitswapLibp2p
  readonly serving: StreamLibp2p & Pick<Libp2p, 'getMultiaddrs'>
}

/** Where streams of a rehearsal lead from and to. */
export interface RehearsedStreamsInit {
  readonly store: BlockStore
  readonly provider: BlockStore
  readonly clock: Clock
  readonly logger: Logger
  readonly network?: RehearsalNetwork | undefined
}

/** Streams that lead from one store to another in the same process; in memory where there is no network. */
export async function rehearsedStreams(
  o: RehearsedStreamsInit
): Promise<Pick<DagStreams, 'createFetch'> & AsyncDisposable> {
  return o.network === undefined ? streamsInMemory(o) : await streamsOver(o.network, o)
}

/** All that a fetch of a node passes: a provider is looked for, found to be connected, asked over a new stream, and has the right to be. */
async function streamsOver(
  { asking, serving }: RehearsalNetwork,
  { clock, logger, store, provider }: RehearsedStreamsInit
): Promise<Pick<DagStreams, 'createFetch'> & AsyncDisposable> {
  await using stack = new AsyncDisposableStack()
  const common = { clock, logger, isDenied: () => false, grantOf }
  const connect = async (): Promise<void> => await Promise.resolve()
  const flow = stack.use(createFlow({ clock, logger }, { limits: { pieceBytesMax: HANDED_BYTES } }))
  stack.use(
    await startDagStreams(
      { ...common, connect, flow, libp2p: serving, store: provider, routing: undefined },
      { limits: LIMITS }
    )
  )
  const found = {
    peerId: serving.peerId.toString(),
    multiaddrs: serving.getMultiaddrs().map((address) => address.toString())
  }
  const routing = {
    findProviders: async function* () {
      yield await Promise.resolve(found)
    }
  }
  const mayServe = async (): Promise<boolean> => await Promise.resolve(false)
  const exchange = stack.use(await startBitswap({ clock, logger, libp2p: asking, store, routing, mayServe }))
  const streams = stack.use(
    await startDagStreams(
      { ...common, connect: (...to) => exchange.connect(...to), libp2p: asking, store, routing },
      { limits: LIMITS }
    )
  )
  const running = stack.move()
  return {
    createFetch: (init) => streams.createFetch(init),
    [Symbol.asyncDispose]: async () => await running.disposeAsync()
  }
}

function streamsInMemory(o: RehearsedStreamsInit): Pick<DagStreams, 'createFetch'> & AsyncDisposable {
  const { clock, logger, store, provider } = o
  const channels: Disposable[] = []
  const isDenied = (): boolean => false
  const components = {
    ...{ clock, logger, store, isDenied },
    routing: undefined,
    connect: async () => await Promise.resolve(),
    connectedPeers: () => [PEER],
    isAcceptable: () => true,
    onBlame: () => undefined,
    openPipe: async () => {
      const [pipe, other] = pipePair(clock)
      const serving = { store: provider, grantOf, isDenied, clock, logger }
      const memory = new Slabs({ slabBytes: READ_SLAB_BYTES, keptMax: 0 })
      const init = { peerId: PEER, pipe: other, memory, onEnd: () => undefined }
      channels.push(new ServedChannel(serving, init, LIMITS))
      return await Promise.resolve({ pipe, connection: {} as BulkConnection })
    }
  }
  return {
    createFetch: (init) => new DagFetch(components, init, LIMITS),
    [Symbol.asyncDispose]: async () => {
      for (const channel of channels) channel[Symbol.dispose]()
      await Promise.resolve()
    }
  }
}

const GRANT = { below: true, holds: () => true }

async function grantOf(): Promise<typeof GRANT> {
  return await Promise.resolve(GRANT)
}

/** Two ends: what goes into one comes out of the other, in another turn of the loop. */
function pipePair(clock: Clock): [Pipe, Pipe] {
  const [one, other] = [new End(clock), new End(clock)]
  one.peer = other
  other.peer = one
  return [one, other]
}

class End implements Pipe {
  readonly #clock: Clock
  peer: End | undefined
  #onBytes: ((bytes: Uint8Array) => void) | undefined
  #onEnd: ((cause: Error | undefined) => void) | undefined
  readonly #coming: Uint8Array[] = []
  #delivery: Disposable | undefined
  #hasEnded = false

  constructor(clock: Clock) {
    this.#clock = clock
  }

  send(bytes: Uint8Array, onSent?: () => void): boolean {
    for (let at = 0; at < bytes.length; at += PIECE_BYTES) this.peer?.put(bytes.slice(at, at + PIECE_BYTES))
    onSent?.()
    return true
  }

  put(bytes: Uint8Array): void {
    this.#coming.push(bytes)
    this.#delivery ??= this.#clock.after(0, () => this.#deliver())
  }

  #deliver(): void {
    this.#delivery = undefined
    const next = this.#coming.shift()
    if (next !== undefined && !this.#hasEnded) this.#onBytes?.(next)
    if (this.#coming.length > 0 && !this.#hasEnded)
      this.#delivery ??= this.#clock.after(0, () => this.#deliver())
  }

  async drained(): Promise<void> {
    await Promise.resolve()
  }

  receive(onBytes: (bytes: Uint8Array) => void, onEnd: (cause: Error | undefined) => void): void {
    this.#onBytes = onBytes
    this.#onEnd = onEnd
  }

  end(): void {
    this.abort(undefined)
  }

  abort(cause: Error | undefined): void {
    if (this.#hasEnded) return
    this.#hasEnded = true
    this.#delivery?.[Symbol.dispose]()
    this.#onEnd?.(cause)
    this.peer?.abort(cause)
  }
}
