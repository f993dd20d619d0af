import { grown } from './event-wheel.ts'

/** Whom an answer names: how far each is from the target, in a part of an array. */
export interface Named {
  readonly distances: Int32Array
  readonly from: number
  readonly count: number
}

/** Answers under way: lists of at most one size, in one array. What was taken last is what it names, until something is kept. */
export class AnswerPool implements Named {
  distances: Int32Array
  from = 0
  count = 0
  /** An answer is so many words: how many it names, and how far they are. */
  readonly #words: number
  readonly #free: number[] = []
  #used = 0

  /** @param size - how many peers an answer names at most */
  constructor(size: number) {
    this.#words = size + 1
    this.distances = new Int32Array(64 * this.#words)
  }

  /** Bytes of the arrays. */
  get bytes(): number {
    return this.distances.byteLength
  }

  /** Copies the first `count` of `distances`. */
  keep(distances: Int32Array, count: number): number {
    const answer = this.#free.pop() ?? this.#used++
    const from = answer * this.#words
    if (from === this.distances.length) this.#grow()
    const kept = this.distances
    kept[from] = count
    for (let index = 0; index < count; index++) kept[from + 1 + index] = distances[index] as number
    return answer
  }

  /** Makes what was kept that which it names, and gives its place back. */
  take(answer: number): void {
    const at = answer * this.#words
    this.count = this.distances[at] as number
    this.from = at + 1
    this.#free.push(answer)
  }

  /** Reads what {@link take} will: so that memory brings it. */
  read(answer: number): number {
    const at = answer * this.#words
    return (this.distances[at] as number) ^ (this.distances[at + this.#words - 1] as number)
  }

  #grow(): void {
    this.distances = grown(this.distances, new Int32Array(Math.ceil(this.#used * 1.5) * this.#words))
  }
}
