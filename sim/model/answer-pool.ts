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
  readonly #size: number
  #kept: Uint32Array
  #counts: Uint8Array
  readonly #free: number[] = []
  #used = 0

  /** @param size - how many peers an answer names at most */
  constructor(size: number) {
    this.#size = size
    this.peers = new Uint32Array(size)
    this.#kept = new Uint32Array(64 * size)
    this.#counts = new Uint8Array(64)
  }

  /** Bytes of the arrays. */
  get bytes(): number {
    return this.#kept.byteLength + this.#counts.byteLength
  }

  /** Copies the first `count` of `peers`. */
  keep(peers: Uint32Array, count: number): number {
    const answer = this.#free.pop() ?? this.#used++
    if (answer === this.#counts.length) this.#grow()
    const from = answer * this.#size
    for (let index = 0; index < count; index++) this.#kept[from + index] = peers[index] as number
    this.#counts[answer] = count
    return answer
  }

  /** Makes what was kept that which {@link peers} and {@link count} say, and gives its place back. */
  take(answer: number): void {
    const from = answer * this.#size
    this.count = this.#counts[answer] as number
    for (let index = 0; index < this.count; index++) this.peers[index] = this.#kept[from + index] as number
    this.#free.push(answer)
  }

  #grow(): void {
    const count = Math.ceil(this.#counts.length * 1.5)
    this.#kept = grown(this.#kept, new Uint32Array(count * this.#size))
    this.#counts = grown(this.#counts, new Uint8Array(count))
  }
}
