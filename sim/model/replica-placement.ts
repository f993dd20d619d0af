import type { Did } from '#did'
import { seedOf, unitOf, type Seed } from '#replication'
import { grown } from './event-wheel.ts'
import { slotOf, type Handle } from './identities.ts'

const NETWORKS = 50
/** Every third node is cut off when some are. */
const CUT_PART = 3

/** The did that a life of a node has in the model. */
export function didOf(handle: Handle): Did {
  return `did:key:z${handle}`
}

/** The name of an object of the model. */
export function rootOf(object: number): string {
  return `bafkmodel${object}`
}

/**
 * Offers of the same space from hosts of their own, one a place, as `place` of `replication/placement.ts` sees them: whom to ask
 * comes of one pass over scores in typed arrays, where the pure function sorts objects. A test holds the answers to its.
 */
export class OfferTable {
  #handles: Uint32Array
  #networks: Uint16Array
  #highs: Uint32Array
  #lows: Uint32Array
  /** Whose offers are known; of a node that died until its offer ends. */
  #count = 0
  readonly #placeOf = new Map<Handle, number>()

  /** @param capacity - for how many offers there is room at first */
  constructor(capacity: number) {
    this.#handles = new Uint32Array(capacity)
    this.#networks = new Uint16Array(capacity)
    this.#highs = new Uint32Array(capacity)
    this.#lows = new Uint32Array(capacity)
  }

  get size(): number {
    return this.#count
  }

  add(handle: Handle, network: number): void {
    if (this.#count === this.#handles.length) this.#grow()
    const [high, low] = seedOf(didOf(handle))
    const place = this.#count++
    this.#handles[place] = handle
    this.#networks[place] = network
    this.#highs[place] = high
    this.#lows[place] = low
    this.#placeOf.set(handle, place)
  }

  #grow(): void {
    const capacity = Math.ceil(this.#count * 1.5)
    this.#handles = grown(this.#handles, new Uint32Array(capacity))
    this.#networks = grown(this.#networks, new Uint16Array(capacity))
    this.#highs = grown(this.#highs, new Uint32Array(capacity))
    this.#lows = grown(this.#lows, new Uint32Array(capacity))
  }

  /** The last one takes its place: the order of the offers decides nothing. */
  remove(handle: Handle): void {
    const place = this.#placeOf.get(handle)
    if (place === undefined) return
    const last = --this.#count
    this.#placeOf.delete(handle)
    if (place === last) return
    for (const column of [this.#handles, this.#networks, this.#highs, this.#lows])
      column[place] = column[last] as number
    this.#placeOf.set(this.#handles[place] as number, place)
  }

  /**
   * The best offer for a root from a network that is in none of `networks`, without those in `except`; `undefined` when there
   * is none. Asked again with its network added it gives the next of the order.
   */
  best(
    root: Seed,
    networks: ReadonlySet<number>,
    except: ReadonlySet<Handle>
  ): { readonly handle: Handle; readonly network: number } | undefined {
    let [best, bestUnit] = [-1, -1]
    const seed: [number, number] = [0, 0]
    for (let place = 0; place < this.#count; place++) {
      seed[0] = this.#highs[place] as number
      seed[1] = this.#lows[place] as number
      // all weigh the same: the logarithm that makes a score of it changes no order
      const unit = unitOf(root, seed)
      if (unit <= bestUnit) continue
      if (networks.has(this.#networks[place] as number) || except.has(this.#handles[place] as number))
        continue
      best = place
      bestUnit = unit
    }
    if (best < 0) return undefined
    return { handle: this.#handles[best] as number, network: this.#networks[best] as number }
  }
}

/** The network that a node is in. */
export function networkOf(slot: number): number {
  return slot % NETWORKS
}

/** Whether a node is one of those that are cut off. */
export function isCut(handle: Handle): boolean {
  return slotOf(handle) % CUT_PART === 0
}

/** How many of these are beyond the cut to those that are cut off. */
export function countBeyondCut(copies: readonly { readonly handle: Handle }[]): number {
  return copies.filter(({ handle }) => !isCut(handle)).length
}

/** The offer of a life as the pure placement takes it. */
export function offerOf(
  handle: Handle,
  network: number
): {
  readonly holder: `did:key:z${string}`
  readonly person: `did:key:z${string}`
  readonly spaceBytes: number
  readonly freeBytes: number
  readonly host: string
  readonly network: string
} {
  return {
    holder: didOf(handle),
    person: didOf(handle),
    spaceBytes: 1,
    freeBytes: 1,
    host: `host ${handle}`,
    network: `network ${network}`
  }
}
