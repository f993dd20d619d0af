import type { BrokerSession, CapsuleSink, TerminalPower } from '#capsule-host'
import { orAborted, type TerminalSize } from '#contracts'
import { NodeError } from './errors.ts'
import { createScreenMemory } from './screen-memory.ts'

/** Somebody at the terminal of a run. */
export interface TerminalViewer {
  /** Its terminal; absent for a pipe, which has no size. */
  readonly size: TerminalSize | undefined
  /** Whether it only watches. */
  readonly isWatching: boolean
  /** Shows what the capsule wrote; resolves when it was taken. */
  show(stream: 'stdout' | 'stderr', bytes: Uint8Array): Promise<void>
  /** Keys are wanted one by one, or lines again. */
  setRaw(isRaw: boolean): void
  /** Says whether it types from now on, or somebody else does. */
  setTyping(isTyping: boolean): void
}

/** What became of keys: somebody else types, or the input has ended. */
export type Typed = 'taken' | 'watching' | 'ended'

/** A viewer that is there, until it is disposed. */
export interface Attachment extends Disposable {
  /** Aborts when it is of no use to stay: the run has ended, or it took what was written too slowly. */
  readonly over: AbortSignal
  /** Hands over keys; resolves when the capsule took them, or with why it takes none of this viewer's. */
  type(bytes: Uint8Array): Promise<Typed>
  /** Nothing more will be typed, by anybody. */
  endInput(): void
  resize(size: TerminalSize): void
}

/**
 * The terminal of one run, which outlives whoever looks at it. Any number may watch; one types, the last who came to. The size is that
 * one's.
 */
export interface RunTerminal {
  /** What the run is started with. */
  readonly stdin: AsyncIterable<Uint8Array>
  readonly stdout: CapsuleSink
  readonly stderr: CapsuleSink
  readonly power: TerminalPower
  /** Called with the session of the run. */
  readonly onSession: (session: Pick<BrokerSession, 'resize'>) => void
  /**
   * Lets somebody in, who is shown what was written last.
   *
   * @throws NodeError `ERR_CONTROL_BUSY` when too many are there
   */
  attach(viewer: TerminalViewer): Attachment
  /** Whether the run is over. */
  readonly hasEnded: boolean
  /** The run has ended. */
  end(): void
}

/** Who may look at one run at a time. */
const VIEWERS_MAX = 8
/** Bytes on their way to one who only watches; who takes less is left behind: nobody who watches holds up a capsule. */
const WATCHER_WAITING_BYTES_MAX = 1024 * 1024
/** The size of a terminal that nobody has looked at yet. */
const SIZE_DEFAULT: TerminalSize = { columns: 80, rows: 24 }

interface Place {
  readonly viewer: TerminalViewer
  readonly left: AbortController
  size: TerminalSize | undefined
  waitingBytes: number
  shown: Promise<void>
}

/** A terminal that nobody looks at yet. */
export function createRunTerminal(first: TerminalSize = SIZE_DEFAULT): RunTerminal {
  return new Terminal(first)
}

class Terminal implements RunTerminal {
  readonly stdin: AsyncIterable<Uint8Array> = { [Symbol.asyncIterator]: () => ({ next: () => this.#next() }) }
  readonly stdout: CapsuleSink = { write: async (bytes) => await this.#write('stdout', bytes) }
  readonly stderr: CapsuleSink = { write: async (bytes) => await this.#write('stderr', bytes) }
  readonly power: TerminalPower
  readonly onSession: RunTerminal['onSession']
  readonly #screen = createScreenMemory()
  /** In the order they came: the last one who does not only watch types. */
  readonly #places: Place[] = []
  #isOver = false
  #typed: {
    readonly place: Place
    readonly bytes: Uint8Array
    readonly taken: (typed: Typed) => void
  }[] = []
  #typing: Place | undefined
  #size: TerminalSize
  #isRaw = false
  #isInputOver = false
  #session: Pick<BrokerSession, 'resize'> | undefined
  #changed = Promise.withResolvers<undefined>()

  constructor(first: TerminalSize) {
    this.#size = first
    this.power = {
      status: () => ({ ...this.#size, isRaw: this.#isRaw }),
      setRaw: (isRaw) => {
        this.#isRaw = isRaw
        for (const { viewer } of this.#places) viewer.setRaw(isRaw)
      }
    }
    this.onSession = (session) => {
      this.#session = session
    }
  }

  get hasEnded(): boolean {
    return this.#isOver
  }

  attach(viewer: TerminalViewer): Attachment {
    if (this.#places.length >= VIEWERS_MAX) {
      throw new NodeError('ERR_CONTROL_BUSY', `expected at most ${VIEWERS_MAX} at the terminal of a run`)
    }
    const place: Place = {
      ...{ viewer, left: new AbortController(), size: viewer.size },
      ...{ waitingBytes: 0, shown: Promise.resolve() }
    }
    const again = this.#screen.replay()
    if (again.byteLength > 0) this.#show(place, 'stdout', again)
    if (this.#isRaw) viewer.setRaw(true)
    this.#places.push(place)
    if (this.#isOver) place.left.abort()
    this.#settle()
    return {
      over: place.left.signal,
      type: async (bytes) => (this.#typing === place ? await this.#take(place, bytes) : 'watching'),
      endInput: () => this.#endInput(),
      resize: (size) => {
        place.size = size
        if (this.#typing === place) this.#resize(size)
      },
      [Symbol.dispose]: () => this.#leave(place)
    }
  }

  end(): void {
    this.#isOver = true
    this.#endInput()
    for (const { left } of this.#places) left.abort()
  }

  #endInput(): void {
    this.#isInputOver = true
    this.#change()
  }

  #leave(place: Place): void {
    const index = this.#places.indexOf(place)
    if (index !== -1) this.#places.splice(index, 1)
    place.left.abort()
    // What the capsule did not take of its keys is not the next one's.
    for (const typed of this.#typed) if (typed.place === place) typed.taken('ended')
    this.#typed = this.#typed.filter((typed) => typed.place !== place)
    this.#settle()
  }

  /** Who types now, and with what size of a screen. */
  #settle(): void {
    const next = this.#places.findLast(({ viewer }) => !viewer.isWatching)
    const before = this.#typing
    if (next === before) return
    this.#typing = next
    // Who leaves knows.
    if (before?.left.signal.aborted === false) before.viewer.setTyping(false)
    if (next === undefined) return
    next.viewer.setTyping(true)
    if (next.size !== undefined) this.#drawAgain(next.size)
  }

  /** Makes a program draw all of its screen: one that has this very size already is told another one first. */
  #drawAgain(size: TerminalSize): void {
    const isSame = size.columns === this.#size.columns && size.rows === this.#size.rows
    if (isSame && size.rows > 1) this.#session?.resize({ columns: size.columns, rows: size.rows - 1 })
    this.#resize(size)
  }

  #resize(size: TerminalSize): void {
    this.#size = size
    this.#session?.resize(size)
  }

  async #take(place: Place, bytes: Uint8Array): Promise<Typed> {
    if (this.#isInputOver) return 'ended'
    return await new Promise((taken) => {
      this.#typed.push({ place, bytes, taken })
      this.#change()
    })
  }

  async #next(): Promise<IteratorResult<Uint8Array, undefined>> {
    for (;;) {
      const first = this.#typed.shift()
      if (first !== undefined) {
        first.taken('taken')
        return { done: false, value: first.bytes }
      }
      if (this.#isInputOver) return { done: true, value: undefined }
      await this.#changed.promise
    }
  }

  async #write(stream: 'stdout' | 'stderr', bytes: Uint8Array): Promise<void> {
    this.#screen.note(bytes)
    for (const place of [...this.#places]) {
      this.#show(place, stream, bytes)
      if (place !== this.#typing && place.waitingBytes > WATCHER_WAITING_BYTES_MAX) this.#leave(place)
    }
    const typing = this.#typing
    // Whoever types sets the pace, for as long as it is there.
    if (typing !== undefined) await orAborted(typing.shown, typing.left.signal).catch(() => undefined)
  }

  #show(place: Place, stream: 'stdout' | 'stderr', bytes: Uint8Array): void {
    place.waitingBytes += bytes.byteLength
    place.shown = place.shown
      .then(async () => await place.viewer.show(stream, bytes))
      .then(
        () => void (place.waitingBytes -= bytes.byteLength),
        () => this.#leave(place)
      )
  }

  #change(): void {
    this.#changed.resolve(undefined)
    this.#changed = Promise.withResolvers()
  }
}
