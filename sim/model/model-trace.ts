/** Everything that happened, in its order, as 64 bits. */
export class ModelTrace {
  #first = 0
  #second = 0

  /** Takes note of an event: what it was, whom it was about, and when. */
  add(kind: number, about: number, nowMs: number): void {
    this.#first = (Math.imul(this.#first ^ about, 0x01000193) + nowMs) | 0
    this.#second = (Math.imul(this.#second ^ about, 0x85ebca6b) + kind) | 0
  }

  /** In hexadecimal. */
  hash(): string {
    return [this.#first, this.#second].map((word) => (word >>> 0).toString(16).padStart(8, '0')).join('')
  }
}
