import { errorCode, errorMessage } from '#contracts'
import type { Clock, Logger } from '#contracts'
import type { CID } from 'multiformats/cid'
import type { BlockFound, BlockStore } from '../block-store.ts'
import { RAW_CODEC } from '../cid.ts'
import { firstLink } from '../dag-pb-links.ts'
import { ContentError } from '../errors.ts'
import type { FlowChannel } from '../flow/index.ts'
import type { Slabs } from '../slabs.ts'
import {
  ASKS_PER_CHANNEL_MAX,
  CREDIT_BYTES_MAX,
  READ_BLOCKS_MAX,
  ROOTS_PER_REQUEST,
  SINGLE_READS
} from './constants.ts'
import type { StreamLimits } from './constants.ts'
import { FrameReader } from './frame-reader.ts'
import { FrameWriter } from './frame-writer.ts'
import { malformedFrame } from './frames.ts'
import type { Ask, Frame } from './frames.ts'
import type { Pipe } from './pipe.ts'
import { ReadAhead } from './read-ahead.ts'
import { createWalk } from './walk.ts'
import type { UpcomingBlock, Walk } from './walk.ts'

/** A peer's right to blocks. */
export interface ServingGrant {
  /** Whether everything below the block is meant too. */
  readonly below: boolean
  /** False from the moment on that the right is withdrawn. */
  holds(): boolean
}

/** What blocks are served with. */
export interface ServingComponents {
  readonly store: Pick<BlockStore, 'getMany' | 'hold'>
  /** The right of that peer to that block; `undefined` when it has none. Any doubt is none. */
  grantOf(cid: CID, peerId: string): Promise<ServingGrant | undefined>
  isDenied(cid: CID): boolean
  readonly clock: Clock
  readonly logger: Logger
}

/** What a frame about a second socket is answered with. */
export interface SocketFrameInit {
  send(this: void, frame: Frame): Promise<void>
  /** Aborts when the channel ends. */
  readonly signal: AbortSignal
}

/** One channel that a peer asks on. */
export interface ServedChannelInit {
  readonly peerId: string
  readonly pipe: Pipe
  readonly flow?: FlowChannel | undefined
  /** Where blocks are read to, shared by all channels. */
  readonly memory: Slabs
  /** A frame about a second socket has come; the answer goes through {@link ServedChannel.send}. */
  readonly onSocketFrame?: ((frame: Frame, o: SocketFrameInit) => void) | undefined
  /** The channel has ended, by whichever side. */
  onEnd(this: void): void
}

/**
 * Answers what one peer asks on one channel, one ask after the other, never more bytes than it was granted. What is
 * held in memory is one read of the store ahead and one write.
 *
 * Invariant: a block that may not be served is treated in every way as if it were not here.
 */
export class ServedChannel implements Disposable {
  readonly #components: ServingComponents
  readonly #init: ServedChannelInit
  readonly #limits: Pick<StreamLimits, 'idleTimeoutMs'>
  readonly #stop = new AbortController()
  readonly #writer: FrameWriter
  readonly #asks: Ask[] = []
  #credit = 0
  #isSplitWanted = false
  #wake: PromiseWithResolvers<void> | undefined
  /** Writes come one after the other, whoever wants them. */
  #turn: Promise<unknown> = Promise.resolve()
  #idleSinceMs: number
  blocksSent = 0
  bytesSent = 0

  constructor(
    components: ServingComponents,
    init: ServedChannelInit,
    limits: Pick<StreamLimits, 'idleTimeoutMs'>
  ) {
    this.#components = components
    this.#init = init
    this.#limits = limits
    this.#idleSinceMs = components.clock.monotonicMs()
    this.#writer = new FrameWriter({
      pipe: init.pipe,
      flow: init.flow,
      signal: this.#stop.signal,
      deadline: () => this.#deadline('taken')
    })
    const reader = new FrameReader((frame) => {
      this.#take(frame)
    })
    init.pipe.receive(
      (bytes) => {
        try {
          if (!this.#stop.signal.aborted) reader.push(bytes)
        } catch (thrown) {
          this.#fail(thrown)
        }
      },
      (cause) => {
        // A stream that only the peer has closed is still half open.
        this.#fail(cause ?? new Error('the peer has closed the channel'))
      }
    )
    void this.#serve()
  }

  /** Since when no block was sent, whatever the reason. */
  get idleSinceMs(): number {
    return this.#idleSinceMs
  }

  [Symbol.dispose](): void {
    this.#fail(new Error('the exchange was stopped'))
  }

  readonly #sendNow = async (frame: Frame): Promise<void> => {
    await this.#write(async () => {
      await this.#writer.frame(frame)
      await this.#writer.flush()
    })
  }

  #fail(thrown: unknown): void {
    const cause = thrown instanceof Error ? thrown : new Error(errorMessage(thrown))
    if (this.#stop.signal.aborted) return
    this.#stop.abort(cause)
    this.#init.pipe.abort(cause)
    this.#asks.length = 0
    this.#wake?.resolve()
    this.#init.onEnd()
  }

  #take(frame: Frame): void {
    switch (frame.type) {
      case 'ask':
        if (this.#asks.length >= ASKS_PER_CHANNEL_MAX) {
          throw malformedFrame(`at most ${ASKS_PER_CHANNEL_MAX} asks at a time`, 'more')
        }
        this.#asks.push(frame.ask)
        break
      case 'more':
        this.#credit += frame.bytes
        if (this.#credit > CREDIT_BYTES_MAX) throw malformedFrame('a sensible grant', String(this.#credit))
        break
      case 'split':
        this.#isSplitWanted = true
        break
      case 'socket-hello':
      case 'socket-token':
      case 'socket-please':
      case 'socket-no':
        this.#init.onSocketFrame?.(frame, { send: this.#sendNow, signal: this.#stop.signal })
        return
      default:
        throw malformedFrame('a frame of a requester', frame.type)
    }
    this.#wake?.resolve()
  }

  async #serve(): Promise<void> {
    const { logger } = this.#components
    try {
      for (;;) {
        const ask = this.#asks[0]
        if (ask === undefined) {
          await this.#handBack(undefined)
          if (this.#asks.length === 0) await this.#wait()
        } else {
          await this.#init.flow?.requested(Math.ceil(ask.roots.length / ROOTS_PER_REQUEST))
          await this.#answer(ask)
          this.#asks.shift()
        }
        this.#stop.signal.throwIfAborted()
      }
    } catch (thrown) {
      if (!this.#stop.signal.aborted) {
        logger.debug('a channel failed', { peer: this.#init.peerId, reason: errorMessage(thrown) })
      }
      this.#fail(thrown)
    }
  }

  async #answer(ask: Ask): Promise<void> {
    using _hold = this.#components.store.hold()
    const walk = await createWalk(ask)
    const grants = new Grants(this.#components, { peerId: this.#init.peerId, ask })
    await using ahead = new ReadAhead(this.#components.store, this.#init.memory)
    for (let runs = 0; ; runs++) {
      await this.#handBack(walk)
      // The first go out as soon as each is read, not with those behind them.
      const run = walk.upcoming(runs < SINGLE_READS ? 1 : READ_BLOCKS_MAX)
      if (run.length === 0) break
      await this.#sendRun(run, { walk, grants, ahead, isNextSingle: runs < SINGLE_READS - 1 })
    }
    await this.#write(async () => {
      await this.#writer.frame({ type: 'end', reason: walk.isCut ? 'limit' : 'done' })
      await this.#writer.flush()
    })
  }

  async #sendRun(
    run: readonly UpcomingBlock[],
    { walk, grants, ahead, isNextSingle }: Answer
  ): Promise<void> {
    await this.#credited()
    const allowed: boolean[] = []
    for (const block of run) allowed.push(await grants.allow(block))
    const wanted = run.filter((_, index) => allowed[index]).map(({ cid }) => cid)
    const found = ahead.read(wanted)
    try {
      for (const [index, block] of run.entries()) {
        const read = allowed[index] === true ? await this.#read(found) : undefined
        await this.#credited()
        if (this.#isSplitWanted && index > 0) return
        const bytes = read === 'corrupt' ? undefined : read?.bytes
        if (bytes === undefined || !grants.holds(block)) {
          walk.skip()
          await this.#write(async () => await this.#writer.frame({ type: 'absent' }))
        } else {
          const release = read === 'corrupt' ? undefined : read?.release
          const isLeaf = block.cid.code === RAW_CODEC
          // Links are parts of the bytes that they are decoded from, and outlive these.
          const kept = release === undefined || isLeaf ? bytes : bytes.slice()
          this.#credit -= bytes.length
          this.blocksSent++
          this.#idleSinceMs = this.#components.clock.monotonicMs()
          this.bytesSent += bytes.length
          if (isNextSingle && !isLeaf) readFirstBelow(block, kept, { walk, grants, ahead })
          await this.#write(async () => {
            await this.#writer.block(bytes, release)
            // What leads to others is the last of its run: the peer decodes it while we do.
            if (index === run.length - 1) await this.#writer.flush()
          })
          if (isNextSingle) walk.takeFirst(kept)
          else walk.take(kept)
        }
        // The store reads on in a new run.
        if (read === 'corrupt') return
      }
    } finally {
      await found.return?.()
      await this.#write(async () => await this.#writer.flush())
    }
  }

  /** A block that is corrupt on our disk is one that is not here. */
  async #read(found: AsyncIterator<BlockFound>): Promise<BlockFound | 'corrupt' | undefined> {
    try {
      const next = await found.next()
      return next.done === true ? undefined : next.value
    } catch (thrown) {
      if (errorCode(thrown) !== 'ERR_BLOCK_CORRUPT') throw thrown
      return 'corrupt'
    }
  }

  /** Every wish to split is answered once, be it by nothing. */
  async #handBack(walk: Walk | undefined): Promise<void> {
    if (!this.#isSplitWanted) return
    this.#isSplitWanted = false
    const steps = walk?.split().length ?? 0
    await this.#write(async () => {
      await this.#writer.frame({ type: 'handed-back', steps })
      await this.#writer.flush()
    })
  }

  /** Waits until at least one more block may be sent. */
  async #credited(): Promise<void> {
    while (this.#credit <= 0) {
      await this.#write(async () => await this.#writer.flush())
      if (this.#credit > 0) break
      await this.#wait()
    }
    this.#stop.signal.throwIfAborted()
  }

  /** Waits for the next frame. */
  async #wait(): Promise<void> {
    this.#stop.signal.throwIfAborted()
    this.#wake = Promise.withResolvers()
    using _deadline = this.#deadline('asked')
    await this.#wake.promise
    this.#wake = undefined
    this.#stop.signal.throwIfAborted()
  }

  #deadline(what: string): Disposable {
    const { idleTimeoutMs } = this.#limits
    return this.#components.clock.after(idleTimeoutMs, () => {
      this.#fail(new ContentError('ERR_DAG_STREAM_FRAME', `nothing was ${what} for ${idleTimeoutMs} ms`))
    })
  }

  async #write(task: () => Promise<void>): Promise<void> {
    const work = this.#turn.then(task)
    this.#turn = work.catch(() => undefined)
    await work
  }
}

/** One ask, as it is answered. */
interface Answer {
  readonly walk: Walk
  readonly grants: Grants
  readonly ahead: ReadAhead
  /** What comes behind this run is read by itself. */
  readonly isNextSingle: boolean
}

/** Begins to read what comes behind a block that goes out now, as far as the peer may have it. */
function readFirstBelow(
  { root }: UpcomingBlock,
  bytes: Uint8Array,
  { walk, grants, ahead }: Pick<Answer, 'walk' | 'grants' | 'ahead'>
): void {
  const cid = walk.isPlain ? firstLink(bytes) : undefined
  if (cid !== undefined && grants.holds({ cid, root })) ahead.begin(cid)
}

/** What one peer may have of one ask, found out root by root as they come up. */
class Grants {
  readonly #components: Pick<ServingComponents, 'grantOf' | 'isDenied'>
  readonly #peerId: string
  readonly #roots: readonly CID[]
  readonly #found = new Map<number, ServingGrant | undefined>()

  constructor(components: Pick<ServingComponents, 'grantOf' | 'isDenied'>, o: { peerId: string; ask: Ask }) {
    this.#components = components
    this.#peerId = o.peerId
    this.#roots = o.ask.roots
  }

  async allow(block: UpcomingBlock): Promise<boolean> {
    const { root } = block
    const cid = this.#roots[root]
    if (cid === undefined) return false
    if (!this.#found.has(root)) this.#found.set(root, await this.#components.grantOf(cid, this.#peerId))
    return this.holds(block)
  }

  holds({ cid, root }: UpcomingBlock): boolean {
    const grant = this.#found.get(root)
    if (grant?.holds() !== true || this.#components.isDenied(cid)) return false
    return grant.below || (this.#roots[root]?.equals(cid) ?? false)
  }
}
