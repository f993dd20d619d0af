import type { Clock, Random } from '#contracts'
import { CLOSEST_PEERS } from '../constants.ts'
import { startDeadline } from '../deadline.ts'
import type { DhtPeer, QueryEngine } from '../query/index.ts'
import { commonPrefixBits } from '../table-refresh.ts'
import {
  EXPLORE_LOOKUPS_MAX,
  EXPLORE_RANDOM_BITS_MAX,
  REGION_AGE_MAX_MS,
  REGION_LEAVES_MAX,
  SWEEP_DIRECT_KEYS_MAX,
  SWEEP_LOOKUP_TIMEOUT_MS
} from './constants.ts'
import { compareDistance, covers, halvesOf, isWithin, placeOf, randomKeyIn } from './key-space.ts'
import type { Region } from './key-space.ts'

/** A DHT as announcing in bulk needs it. */
export type ProvideNetwork = Pick<QueryEngine, 'lookup' | 'announceTo'>

/** What finding the peers of regions needs. */
export interface RegionsComponents {
  readonly network: Pick<ProvideNetwork, 'lookup'>
  /** About how many keys will be asked for in a region: what exploring it is worth. */
  readonly keysIn: (region: Region) => number
  /** A key in a region that will be asked for, if any. */
  readonly keyIn: (region: Region) => Promise<Uint8Array | undefined>
  readonly clock: Clock
  readonly random: Random
}

/** Finds the closest peers of many keys with few lookups. */
export interface Regions {
  /** The peers closest to a key, the closest first. @throws the reason of `signal`, why a lookup failed */
  closestPeers(key: Uint8Array, signal: AbortSignal): Promise<readonly DhtPeer[]>
  /** Leaves a peer out from now on: it did not answer. */
  drop(peerId: string): void
  /** How many lookups were made. */
  lookups(): number
  /** How many different sets of closest peers were found. */
  neighbourhoods(): number
}

/** A region all of whose peers are known: fewer than `k`, unless it is the whole key space. */
interface Leaf extends Region {
  readonly peers: readonly DhtPeer[]
  readonly foundAtMs: number
}

/**
 * Remembers what lookups have said. A lookup of a key names its `k` closest peers; if the farthest of them shares `d` bits
 * with the key, then whoever shares more is among them, so that all peers of that part of the key space, a leaf, are
 * known. The `k` peers closest to any key of a region are in the smallest region around it that has `k` peers: once its
 * leaves are known, no key in it needs a lookup of its own.
 *
 * The idea of exploring by region is that of Kubo's sweeping reprovider.
 */
export function createRegions(components: RegionsComponents): Regions {
  return new ExploredRegions(components)
}

class ExploredRegions implements Regions {
  readonly #components: RegionsComponents
  /** Disjoint; the oldest first. */
  #leaves: Leaf[] = []
  readonly #dropped = new Set<string>()
  /** The leaf of the key asked for last, and all peers around it. */
  #last: (Region & { readonly peers: readonly DhtPeer[] }) | undefined
  #lookups = 0
  #neighbourhoods = 0

  constructor(components: RegionsComponents) {
    this.#components = components
  }

  async closestPeers(key: Uint8Array, signal: AbortSignal): Promise<readonly DhtPeer[]> {
    this.#forgetOld()
    const place = placeOf(key)
    // keys come in the order of the key space: most have the same neighbours as the one before
    if (this.#last !== undefined && covers(this.#last, place)) return this.#closestOf(this.#last.peers, place)
    this.#neighbourhoods += 1
    let leaf = this.#leafOf(place)
    let found: readonly DhtPeer[] | undefined
    if (leaf === undefined) {
      found = await this.#lookUp(key, signal)
      leaf = this.#leafOf(place)
    }
    if (leaf !== undefined && this.#isWorthExploring(leaf)) {
      const peers = await this.#explore(place, signal)
      if (peers !== undefined) this.#last = { ...leaf, peers }
      found = peers ?? found
    } else if (leaf !== undefined && found === undefined) {
      const known = this.#neighbourhood(place)
      if ('peers' in known) found = known.peers
    }
    return this.#closestOf(found ?? (await this.#lookUp(key, signal)), place)
  }

  drop(peerId: string): void {
    this.#dropped.add(peerId)
    const [first] = this.#dropped
    if (this.#dropped.size > REGION_LEAVES_MAX && first !== undefined) this.#dropped.delete(first)
  }

  lookups(): number {
    return this.#lookups
  }

  neighbourhoods(): number {
    return this.#neighbourhoods
  }

  #isWorthExploring(leaf: Leaf): boolean {
    return this.#components.keysIn(leaf) > SWEEP_DIRECT_KEYS_MAX
  }

  /** Looks up what is not known yet around a place; `undefined` when that would take too long. */
  async #explore(place: Uint8Array, signal: AbortSignal): Promise<readonly DhtPeer[] | undefined> {
    for (let lookups = 0; lookups <= EXPLORE_LOOKUPS_MAX; lookups += 1) {
      const known = this.#neighbourhood(place)
      if ('peers' in known) return known.peers
      const target = await this.#keyIn(known.gap)
      if (target === undefined) return undefined
      await this.#lookUp(target, signal)
    }
    return undefined
  }

  async #keyIn(region: Region): Promise<Uint8Array | undefined> {
    const { keyIn, random } = this.#components
    const wanted = await keyIn(region)
    if (wanted !== undefined || region.bits > EXPLORE_RANDOM_BITS_MAX) return wanted
    return randomKeyIn(region, random)
  }

  async #lookUp(key: Uint8Array, signal: AbortSignal): Promise<readonly DhtPeer[]> {
    const { network, clock } = this.#components
    this.#lookups += 1
    using limit = startDeadline(clock, SWEEP_LOOKUP_TIMEOUT_MS, signal)
    const peers = await network.lookup(key, limit.signal, { isThorough: true })
    const place = placeOf(key)
    const foundAtMs = clock.nowMs()
    if (peers.length >= CLOSEST_PEERS) {
      const sharedBits = Math.min(...peers.map((peer) => commonPrefixBits(place, peer.kadId)))
      this.#keep({ place, bits: sharedBits + 1, peers, foundAtMs })
    } else if (peers.length > 0 && !this.#knowsMoreThan(peers.length)) {
      // fewer than were asked for are all there are, unless more have been found before
      this.#keep({ place, bits: 0, peers, foundAtMs })
    }
    return peers
  }

  #knowsMoreThan(count: number): boolean {
    return this.#leaves.reduce((sum, { peers }) => sum + peers.length, 0) > count
  }

  #keep(leaf: Leaf): void {
    const inside = leaf.peers.filter(({ kadId }) => covers(leaf, kadId))
    // what overlaps is older
    this.#last = undefined
    const others = this.#leaves.filter((other) => !isWithin(other, leaf) && !isWithin(leaf, other))
    this.#leaves = [...others, { ...leaf, peers: inside }].slice(-REGION_LEAVES_MAX)
  }

  #leafOf(place: Uint8Array): Leaf | undefined {
    return this.#leaves.find((leaf) => covers(leaf, place))
  }

  /** All peers of the smallest region around a place that has enough of them, or what of it is not known yet. */
  #neighbourhood(place: Uint8Array): { readonly peers: readonly DhtPeer[] } | { readonly gap: Region } {
    for (let bits = this.#leafOf(place)?.bits ?? 0; ; bits -= 1) {
      const region = { place, bits }
      const leaves = this.#leaves.filter((leaf) => isWithin(leaf, region) || isWithin(region, leaf))
      const gap = gapIn(region, leaves)
      if (gap !== undefined) return { gap }
      const peers = leaves.flatMap((leaf) => leaf.peers)
      if (peers.length >= CLOSEST_PEERS || bits === 0) return { peers }
    }
  }

  #closestOf(peers: readonly DhtPeer[], place: Uint8Array): DhtPeer[] {
    return peers
      .filter(({ peerId }) => !this.#dropped.has(peerId))
      .toSorted((a, b) => compareDistance(place, a.kadId, b.kadId))
      .slice(0, CLOSEST_PEERS)
  }

  #forgetOld(): void {
    const oldestMs = this.#components.clock.nowMs() - REGION_AGE_MAX_MS
    if ((this.#leaves[0]?.foundAtMs ?? Infinity) > oldestMs) return
    this.#leaves = this.#leaves.filter(({ foundAtMs }) => foundAtMs > oldestMs)
    this.#dropped.clear()
    this.#last = undefined
  }
}

/** A part of a region that none of these leaves covers. */
function gapIn(region: Region, leaves: readonly Leaf[]): Region | undefined {
  if (leaves.some((leaf) => isWithin(region, leaf))) return undefined
  const within = leaves.filter((leaf) => isWithin(leaf, region))
  if (within.length === 0) return region
  for (const half of halvesOf(region)) {
    const gap = gapIn(half, within)
    if (gap !== undefined) return gap
  }
  return undefined
}
