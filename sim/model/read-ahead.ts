import { NOTHING, type EventWheel } from './event-wheel.ts'

/** How many events are read ahead at a time: what they read has to stay in the nearest cache until they happen. */
const EVENTS_AHEAD = 16

/** Reads what an event will read, and returns something made of it: a read whose value nobody uses is left out by the engine. */
export type ReadOfEvent = (event: number) => number

/**
 * Reads what the next events will read, before they happen. An event reads one line of hundreds of megabytes after the other, and
 * waits for each; of several events that do not wait for each other memory brings the lines all at once. It changes nothing.
 */
export class ReadAhead {
  readonly #wheel: EventWheel
  readonly #read: ReadOfEvent
  readonly #coming: Int32Array = new Int32Array(EVENTS_AHEAD)
  #comingCount = 0
  /** What follows those. */
  #next: number = NOTHING
  /** How many of those that were read have not happened. */
  #left = 0
  #seen = 0

  constructor(wheel: EventWheel, read: ReadOfEvent) {
    this.#wheel = wheel
    this.#read = read
  }

  /** What was read, mixed. */
  get seen(): number {
    return this.#seen
  }

  /** Forgets what was to come: something else may have happened since. */
  restart(): void {
    this.#left = 0
    this.#comingCount = 0
    this.#next = NOTHING
  }

  /** Takes note of an event that the wheel just gave, before it happens. */
  pass(event: number): void {
    if (this.#left === 0) this.#readFrom(event)
    this.#left--
    // one step for each event: the list of those to come is in no cache either
    if (this.#next !== NOTHING) this.#follow()
  }

  #readFrom(event: number): void {
    if (this.#comingCount === 0) this.#next = event
    while (this.#next !== NOTHING && this.#comingCount < EVENTS_AHEAD) this.#follow()
    const coming = this.#coming
    const count = this.#comingCount
    let seen = this.#seen
    for (let index = 0; index < count; index++) seen ^= this.#read(coming[index] as number)
    this.#seen = seen
    this.#left = count
    this.#comingCount = 0
  }

  #follow(): void {
    this.#coming[this.#comingCount++] = this.#next
    this.#next = this.#wheel.after(this.#next)
  }
}
