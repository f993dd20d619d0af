import { grown } from './event-wheel.ts'

/** Whom an answer names. */
export interface Named {
  readonly peers: Uint32Array
  readonly count: number
}

/** Answers under way: lists of peers of at most one size, in one array. What was taken last is whom it names. */
export class AnswerPool implements Named {
  readonly peers: Uint32Array
  count = 0
  /** An answer is so many words: how many it names, and whom. */
  readonly #words: number
  #kept: Uint32Array
  readonly #free: number[] = []
  #used = 0

  /** @param size - how many peers an answer names at most */
  constructor(size: number) {
    this.#words = size + 1
    this.peers = new Uint32Array(size)
    this.#kept = new Uint32Array(64 * this.#words)
  }

  /** Bytes of the arrays. */
  get bytes(): number {
    return this.#kept.byteLength
  }

  /** Copies the first `count` of `peers`. */
  keep(peers: Uint32Array, count: number): number {
    const answer = this.#free.pop() ?? this.#used++
    const from = answer * this.#words
    if (from === this.#kept.length) this.#grow()
    this.#kept[from] = count
    for (let index = 0; index < count; index++) this.#kept[from + 1 + index] = peers[index] as number
    return answer
  }

  /** Makes what was kept that which {@link peers} and {@link count} say, and gives its place back. */
  take(answer: number): void {
    const from = answer * this.#words
    const count = this.#kept[from] as number
    for (let index = 0; index < count; index++) this.peers[index] = this.#kept[from + 1 + index] as number
    this.count = count
    this.#free.push(answer)
  }

  #grow(): void {
    this.#kept = grown(this.#kept, new Uint32Array(Math.ceil(this.#used * 1.5) * this.#words))
  }
}
