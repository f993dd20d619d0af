import { errorMessage } from '#contracts'
import type { CID } from 'multiformats/cid'
import { matchesCid, RAW_CODEC } from '../cid.ts'
import { LATE_STEPS_BYTES_MIN } from '../constants.ts'
import { ContentError } from '../errors.ts'
import type { FlowChannel } from '../flow/index.ts'
import type { Slabs } from '../slabs.ts'
import { ASKS_PER_CHANNEL_MAX } from './constants.ts'
import { FrameReader } from './frame-reader.ts'
import { encodeFrame } from './frames.ts'
import type { Ask, Frame } from './frames.ts'
import type { Pipe } from './pipe.ts'
import { createWalk } from './walk.ts'
import type { Walk } from './walk.ts'

/** What happens on a channel that we ask on. */
export interface AskingChannelInit {
  readonly pipe: Pipe
  /** Disposed when the channel ends. */
  readonly flow?: FlowChannel | undefined
  /** Where blocks are put together; memory of its own when absent. */
  readonly memory?: Slabs | undefined
  /** The next block, verified. */
  onBlock(this: void, block: VerifiedBlock): void
  /** These will come too, because of a block that came before. */
  onBelow(this: void, keys: readonly string[]): void
  /** The peer does not have this one, or not for us. */
  onAbsent(this: void, cid: CID): void
  /** These will not come on this channel any more. */
  onHandedBack(this: void, cids: readonly CID[], below: boolean): void
  /** An ask is answered. */
  onAnswered(this: void): void
  onSocketFrame(this: void, frame: Frame): void
  /** What was held back for a while is not any more: the peer had nothing to send until now. */
  onResumed(this: void): void
  /** It has ended: what was under way must be asked elsewhere. `blame`: the peer broke the protocol. */
  onEnd(this: void, end: { cause: Error; blame: Blame | undefined }): void
}

/** A block that came and hashes to its CID. */
export interface VerifiedBlock {
  readonly cid: CID
  readonly bytes: Uint8Array
  /** The keys of those that will come because of it; the first of them where there are more. */
  readonly keysBelow: readonly string[]
  /** Whether the others are told by and by, at the latest when the next block behind the first comes. */
  readonly hasMoreBelow: boolean
  /** Its bytes are needed no more: their memory may be used for others. It need not be called. */
  readonly release?: (() => void) | undefined
}

/** What a peer did that no honest one does. */
export type Blame = 'wrong-block' | 'malformed-message' | 'too-many-bytes'

/** What is left of an ask; of one for a part, the next blocks only. */
export interface Unanswered {
  readonly cids: readonly CID[]
  readonly below: boolean
}

interface OpenAsk {
  readonly ask: Ask
  readonly walk: Walk
}

/**
 * Asks one peer on one channel and verifies what comes as it comes: each block must be the very one that the walk
 * expects next. The first that is not ends the channel.
 */
export class AskingChannel {
  readonly #init: AskingChannelInit
  readonly #asks: OpenAsk[] = []
  /** Asks whose walk is being prepared, in their order. */
  readonly #preparing: Ask[] = []
  #credit = 0
  /** Granted as soon as the download cap allows more. */
  #ungranted = 0
  #held: Promise<void> | undefined
  #isSplitting = false
  #hasEnded = false
  readonly #reader: FrameReader
  #turn: Promise<unknown> = Promise.resolve()

  constructor(init: AskingChannelInit) {
    this.#init = init
    const reader = new FrameReader((frame) => {
      this.#take(frame)
    }, init.memory)
    this.#reader = reader
    init.pipe.receive(
      (bytes) => {
        if (this.#hasEnded) return
        this.#hold(init.flow?.received(bytes.length))
        try {
          reader.push(bytes)
        } catch (thrown) {
          this.#blame('malformed-message', thrown)
        }
      },
      (cause) => {
        this.#end(cause ?? new Error('the peer has closed the channel'))
      }
    )
  }

  /** Bytes of blocks that may still come without another {@link grant}. */
  get credit(): number {
    return this.#credit
  }

  /** Asks that are not answered. */
  get askCount(): number {
    return this.#asks.length + this.#preparing.length
  }

  /** Whether another ask may be made. */
  get hasRoom(): boolean {
    return !this.#hasEnded && this.askCount < ASKS_PER_CHANNEL_MAX / 2
  }

  /** Steps that are known to be left of what was asked. */
  get size(): number {
    return this.#asks.reduce((sum, { walk }) => sum + walk.size, 0)
  }

  /** Whether it can be asked to hand back some of the first ask. */
  get isDivisible(): boolean {
    const first = this.#asks[0]
    return (
      !this.#hasEnded &&
      !this.#isSplitting &&
      first !== undefined &&
      isWhole(first.ask) &&
      first.walk.size > 1
    )
  }

  /** Asks; the blocks come through `onBlock` in the order of the walk, behind those asked before. */
  ask(ask: Ask): void {
    this.#preparing.push(ask)
    // In turns, for the walk of one may be prepared sooner than that of one before.
    this.#turn = this.#turn.then(async () => {
      const walk = await createWalk(ask)
      if (this.#hasEnded) return
      this.#preparing.shift()
      walk.onRead = this.#init.onBelow
      this.#asks.push({ ask, walk })
      this.send({ type: 'ask', ask })
    })
  }

  /** Lets the peer send so many bytes more. */
  grant(bytes: number): void {
    this.#ungranted += bytes
    if (this.#ungranted <= 0 || this.#held !== undefined) return
    this.#credit += this.#ungranted
    this.send({ type: 'more', bytes: this.#ungranted })
    this.#ungranted = 0
  }

  /** Asks the peer to hand back the later half of what it sends now. */
  split(): void {
    if (!this.isDivisible) return
    this.#isSplitting = true
    this.send({ type: 'split' })
  }

  /** What of the asks is left, in order. */
  unanswered(): Unanswered[] {
    return [
      ...this.#asks.map(({ ask, walk }) => ({ cids: walk.rest(), below: isWhole(ask) })),
      ...this.#preparing.map((ask) => ({ cids: ask.roots, below: isWhole(ask) }))
    ]
  }

  /** Tells at once of all that will come. */
  readLinks(): void {
    if (!this.#hasEnded) for (const { walk } of this.#asks) walk.read()
  }

  /** Makes memory ready for a block of that size. */
  prepare(bytes: number): void {
    this.#reader.prepare(bytes)
  }

  /** Sends a frame; what cannot be sent ends the channel. */
  send(frame: Frame): void {
    if (this.#hasEnded) return
    try {
      this.#init.pipe.send(encodeFrame(frame))
    } catch (thrown) {
      this.#end(thrown instanceof Error ? thrown : new Error(errorMessage(thrown)))
    }
  }

  /** Ends it without a word to its owner. */
  close(): void {
    if (this.#hasEnded) return
    this.#hasEnded = true
    this.#init.flow?.[Symbol.dispose]()
    this.#init.pipe.abort(new Error('nothing more is asked'))
  }

  /** Grants nothing until more may be received. */
  #hold(until: Promise<void> | undefined): void {
    if (until === undefined) return
    this.#held = until
    void until.then(() => {
      if (this.#held !== until) return
      this.#held = undefined
      this.#init.onResumed()
      if (!this.#hasEnded) this.grant(0)
    })
  }

  #end(cause: Error, blame?: Blame): void {
    if (this.#hasEnded) return
    this.#hasEnded = true
    this.#init.flow?.[Symbol.dispose]()
    // A stream that only the peer has closed is still half open.
    this.#init.pipe.abort(cause)
    this.#init.onEnd({ cause, blame })
  }

  #blame(blame: Blame, thrown: unknown): void {
    this.#end(thrown instanceof Error ? thrown : new Error(errorMessage(thrown)), blame)
  }

  #take(frame: Frame): void {
    if (this.#hasEnded) return
    switch (frame.type) {
      case 'block':
        this.#block(frame)
        break
      case 'absent':
        this.#absent()
        break
      case 'end':
        this.#answered(frame.reason)
        break
      case 'handed-back':
        this.#handedBack(frame.steps)
        break
      case 'socket-hello':
      case 'socket-token':
      case 'socket-no':
        this.#init.onSocketFrame(frame)
        break
      default:
        this.#blame('malformed-message', unexpected('a frame of a provider', frame.type))
    }
  }

  #block({ bytes, release }: Extract<Frame, { type: 'block' }>): void {
    const walk = this.#asks[0]?.walk
    const cid = walk?.next()
    if (this.#credit <= 0) {
      this.#blame('too-many-bytes', unexpected('no block beyond what was granted', 'one'))
    } else if (walk === undefined || cid === undefined) {
      this.#blame('wrong-block', unexpected('no block', 'one'))
    } else if (!matchesCid(cid, bytes)) {
      this.#blame('wrong-block', unexpected(`block ${cid.toString()}`, 'another'))
    } else {
      this.#credit -= bytes.length
      // Who waits for the first of many links need not wait until the others are decoded.
      const isLate = bytes.length >= LATE_STEPS_BYTES_MIN
      const keysBelow = isLate ? walk.takeFirst(bytes) : walk.take(bytes)
      const hasMoreBelow = keysBelow.length > 0 && walk.hasUnread
      // Links are parts of the bytes that they were decoded from.
      const unneeded = cid.code === RAW_CODEC ? release : undefined
      this.#init.onBlock({ cid, bytes, keysBelow, hasMoreBelow, release: unneeded })
    }
  }

  #absent(): void {
    const walk = this.#asks[0]?.walk
    const cid = walk?.next()
    if (walk === undefined || cid === undefined) {
      this.#blame('malformed-message', unexpected('no word on a block that nobody asked for', 'one'))
      return
    }
    walk.skip()
    this.#init.onAbsent(cid)
  }

  #answered(reason: 'done' | 'limit'): void {
    const first = this.#asks[0]
    const isOver = first?.walk.next() === undefined
    if (first === undefined || !isOver || (reason === 'limit') !== first.walk.isCut) {
      this.#blame('malformed-message', unexpected('the end of an ask when it is answered', 'it before'))
      return
    }
    this.#asks.shift()
    this.#init.onAnswered()
  }

  #handedBack(steps: number): void {
    const first = this.#asks[0]
    if (!this.#isSplitting || steps > (first?.walk.size ?? 0)) {
      this.#blame('malformed-message', unexpected('what we asked to be handed back', String(steps)))
      return
    }
    this.#isSplitting = false
    if (first === undefined || steps === 0) return
    // The peer has counted what it had before it at this point of its answer, which is what we have now.
    first.walk.next()
    this.#init.onHandedBack(first.walk.handBack(steps), first.ask.below)
  }
}

function isWhole({ below, path = [], range }: Ask): boolean {
  return below && path.length === 0 && range === undefined
}

function unexpected(expected: string, got: string): ContentError {
  return new ContentError('ERR_DAG_STREAM_FRAME', `expected ${expected} and got ${got}`)
}
