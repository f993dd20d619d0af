import type { FlowLimits } from './limits.ts'

/** Who wants room. */
export interface Claimant {
  readonly peerId: string
  readonly protocol: string
}

/** The bounds that a {@link Room} observes. */
export type RoomLimits = Pick<
  FlowLimits,
  'sendingBytesPerPeerMax' | 'sendingBytesPerProtocolMax' | 'sendingBytesMax'
>

/** Bytes under way: handed over and not yet taken by a socket. */
export class Room {
  readonly #limits: RoomLimits
  readonly #peers = new Map<string, number>()
  readonly #protocols = new Map<string, number>()
  #total = 0

  constructor(limits: RoomLimits) {
    this.#limits = limits
  }

  /** Bytes under way in all. */
  get total(): number {
    return this.#total
  }

  /**
   * Whether there is room. Beside its own bound a peer may hold no more than what is free, so that some is always
   * left for whoever comes next (Choudhury and Hahne's dynamic threshold). `full`: the peer itself holds too much;
   * `crowded`: others do.
   */
  check({ peerId, protocol }: Claimant, bytes: number): 'free' | 'full' | 'crowded' {
    const { sendingBytesPerPeerMax, sendingBytesPerProtocolMax, sendingBytesMax } = this.#limits
    const held = this.#peers.get(peerId) ?? 0
    // Whoever holds nothing may have one piece of any size: nothing must wait for ever.
    if (this.#total === 0) return 'free'
    if (held > 0 && held + bytes > sendingBytesPerPeerMax) return 'full'
    const free = Math.min(
      sendingBytesMax - this.#total,
      sendingBytesPerProtocolMax - (this.#protocols.get(protocol) ?? 0)
    )
    return bytes > free || (held > 0 && held + bytes > free) ? 'crowded' : 'free'
  }

  /** Takes room; a negative number of bytes gives it back. */
  take({ peerId, protocol }: Claimant, bytes: number): void {
    add(this.#peers, peerId, bytes)
    add(this.#protocols, protocol, bytes)
    this.#total += bytes
  }
}

function add(sums: Map<string, number>, key: string, bytes: number): void {
  const sum = (sums.get(key) ?? 0) + bytes
  if (sum > 0) sums.set(key, sum)
  else sums.delete(key)
}
