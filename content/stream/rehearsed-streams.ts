import type { Stream } from '@libp2p/interface'
import type { Clock, Logger } from '#contracts'
import type { BlockStore } from '../block-store.ts'
import { Slabs } from '../slabs.ts'
import { DEFAULT_STREAM_LIMITS, READ_SLAB_BYTES } from './constants.ts'
import { DagFetch } from './dag-fetch.ts'
import { pipeOfStream } from './pipe.ts'
import type { Pipe } from './pipe.ts'
import { ServedChannel } from './served-channel.ts'
import type { BulkConnection } from './bulk-sockets.ts'
import type { DagStreams } from './start-dag-streams.ts'

/** What comes over a stream of libp2p comes in pieces of about this size. */
const PIECE_BYTES = 64 * 1024
const PEER = 'a rehearsal'
/** What is asked ahead is less than there is, so that nothing is found to be absent before the end. */
const LIMITS = { ...DEFAULT_STREAM_LIMITS, streamCreditBytes: 256 * 1024 }

/** A connection of this process with itself: what a rehearsal needs of the network, declared here by the consumer. */
export interface RehearsalNetwork extends AsyncDisposable {
  /** Both ends of a new stream, which is like those to other nodes. */
  openStream(signal: AbortSignal): Promise<readonly [asking: Stream, serving: Stream]>
}

/** Streams that lead from one store to another in the same process; in memory where there is no network. */
export function rehearsedStreams(o: {
  store: BlockStore
  provider: BlockStore
  clock: Clock
  logger: Logger
  network?: RehearsalNetwork | undefined
}): Pick<DagStreams, 'createFetch'> & AsyncDisposable {
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
    openPipe: async (_peerId: string, signal: AbortSignal) => {
      const ends = await o.network?.openStream(signal)
      const [pipe, other] =
        ends === undefined ? pipePair(clock) : [pipeOfStream(ends[0]), pipeOfStream(ends[1])]
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
