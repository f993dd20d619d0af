import { orAborted } from '#contracts'

/** Bytes of input that may wait for a capsule that does not read; until then its user's keys are still looked at. */
const WAITING_BYTES_MAX = 64 * 1024

/**
 * One reader of standard input for two: the capsule, and whoever asks its user something. While a question is open, what
 * is typed goes to the question and never to the capsule.
 */
export interface InputRouter {
  /** What is for the capsule; ends with the input. */
  readonly forCapsule: AsyncIterable<Uint8Array>
  /** Takes over what is typed from now on, until disposed. One at a time. */
  takeOver(): QuestionInput
}

/** The input while a question is open. */
export interface QuestionInput extends Disposable {
  /** Throws away what was typed so far. */
  discard(): void
  /** The next line; `undefined` at the end of input. @throws the reason of `signal` */
  readLine(signal: AbortSignal): Promise<string | undefined>
}

/**
 * Routes `source`, which is read from the first use on.
 *
 * @param look - looks at what is typed for the capsule as it comes, whether or not that reads, and returns what of it is the capsule's
 */
export function createInputRouter(
  source: () => AsyncIterable<Uint8Array>,
  look: (bytes: Uint8Array) => Uint8Array = (bytes) => bytes
): InputRouter {
  return new Router(source, look)
}

class Router implements InputRouter {
  readonly forCapsule: AsyncIterable<Uint8Array>
  readonly #source: () => AsyncIterable<Uint8Array>
  readonly #look: (bytes: Uint8Array) => Uint8Array
  readonly #waiting: Uint8Array[] = []
  #waitingBytes = 0
  #question: LineBuffer | undefined
  #isEnded = false
  #isStarted = false
  #changed = Promise.withResolvers<undefined>()

  constructor(source: () => AsyncIterable<Uint8Array>, look: (bytes: Uint8Array) => Uint8Array) {
    this.#source = source
    this.#look = look
    this.forCapsule = { [Symbol.asyncIterator]: () => ({ next: async () => await this.#nextForCapsule() }) }
  }

  takeOver(): QuestionInput {
    this.#start()
    const buffer = new LineBuffer()
    if (this.#isEnded) buffer.end()
    this.#question = buffer
    this.#change()
    return {
      discard: () => buffer.discard(),
      readLine: async (signal) => await buffer.readLine(signal),
      [Symbol.dispose]: () => {
        this.#question = undefined
        this.#change()
      }
    }
  }

  async #nextForCapsule(): Promise<IteratorResult<Uint8Array, undefined>> {
    this.#start()
    for (;;) {
      const piece = this.#waiting.shift()
      if (piece !== undefined) {
        this.#waitingBytes -= piece.byteLength
        this.#change()
        return { done: false, value: piece }
      }
      if (this.#isEnded) return { done: true, value: undefined }
      await this.#changed.promise
    }
  }

  #start(): void {
    if (this.#isStarted) return
    this.#isStarted = true
    void this.#pump()
  }

  async #pump(): Promise<void> {
    try {
      const iterator = this.#source()[Symbol.asyncIterator]()
      for (;;) {
        while (this.#question === undefined && this.#waitingBytes >= WAITING_BYTES_MAX) {
          await this.#changed.promise
        }
        const next = await iterator.next()
        if (next.done === true) break
        // Decided when it was typed: what was meant for the question must not reach the capsule a moment later.
        if (this.#question === undefined) this.#await(this.#look(next.value))
        else this.#question.push(next.value)
        this.#change()
      }
    } catch {
      // A terminal that is gone has ended.
    }
    this.#isEnded = true
    this.#question?.end()
    this.#change()
  }

  #await(bytes: Uint8Array): void {
    if (bytes.byteLength === 0) return
    this.#waiting.push(bytes)
    this.#waitingBytes += bytes.byteLength
  }

  #change(): void {
    this.#changed.resolve(undefined)
    this.#changed = Promise.withResolvers()
  }
}

/** Characters of a line that somebody types; more is cut. */
const LINE_LENGTH_MAX = 4096

class LineBuffer {
  readonly #decoder = new TextDecoder()
  #text = ''
  #isEnded = false
  #changed = Promise.withResolvers<undefined>()

  push(bytes: Uint8Array): void {
    this.#text = (this.#text + this.#decoder.decode(bytes, { stream: true })).slice(-LINE_LENGTH_MAX)
    this.#change()
  }

  end(): void {
    this.#isEnded = true
    this.#change()
  }

  discard(): void {
    this.#text = ''
  }

  async readLine(signal: AbortSignal): Promise<string | undefined> {
    for (;;) {
      signal.throwIfAborted()
      const end = this.#text.search(/[\r\n]/)
      if (end !== -1) {
        const line = this.#text.slice(0, end)
        this.#text = this.#text.slice(end + 1).replace(/^\n/, '')
        return line
      }
      if (this.#isEnded) return undefined
      await orAborted(this.#changed.promise, signal)
    }
  }

  #change(): void {
    this.#changed.resolve(undefined)
    this.#changed = Promise.withResolvers()
  }
}
