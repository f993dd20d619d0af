import { peerIdFromString } from '@libp2p/peer-id'
import { CLOSEST_PEERS } from './constants.ts'
import { compareDistance, placeOf } from './provide/key-space.ts'

/** Why an answer of the DHT is to be doubted. */
export type Doubt =
  /** Nobody answered. */
  | 'no-peers'
  /** So few peers answered that they could agree on a lie, or on silence; a young node, or a small network. */
  | 'few-peers'
  /** Far more peers sit around the key than the size of the network explains: somebody may have put them there. */
  | 'crowded'

/** How far an answer of the DHT can be trusted: what was found is checked by itself, what was *not* found is not. */
export interface Confidence {
  /** `good`: nothing speaks against it. `weak`: too little to go by. `doubtful`: it looks like an attack. */
  readonly level: 'good' | 'weak' | 'doubtful'
  readonly doubts: readonly Doubt[]
  /** How many peers answered. */
  readonly peers: number
  /** How many peers the network has, by our estimate; `undefined` while we know too few. */
  readonly networkSize: number | undefined
}

/** Peers that answer at least, for an answer to be more than weak. */
const PEERS_MIN = 5

/**
 * How many times more crowded than expected the surroundings of a key may be. Peers are spread at random, so that the
 * number of them within a distance is Poisson-distributed: three times as many as expected among the nearest 20, or five times
 * among the nearest 10, come about by chance less than once in 20,000 lookups. The idea of watching the density is that
 * of Sridhar et al., Content Censorship in the InterPlanetary File System (NDSS 2024).
 */
const CROWDS: readonly { readonly nearest: number; readonly ratio: number }[] = [
  { nearest: 10, ratio: 5 },
  { nearest: 20, ratio: 3 }
]

/** Estimates of the network's size that are kept: their median counts, so that few wrong ones do no harm. */
const ESTIMATES_MAX = 64

/** Estimates of other places at least before one place is called crowded. */
const ESTIMATES_MIN = 3

/** Of the nearest peers of a key, those that an estimate is made of. */
const ESTIMATE_FROM = 4

/** Judges answers of one DHT, and learns from them how large it is. */
export interface Judge {
  /** Takes the peers nearest to a key into account, in any order. */
  learn(key: Uint8Array, peerIds: readonly string[]): void
  /** How far an answer about a key can be trusted that these peers gave. Does not learn from it. */
  judge(key: Uint8Array, peerIds: readonly string[]): Confidence
  /** How many peers the network has. */
  networkSize(): number | undefined
}

/**
 * A judge of a DHT. `neighbours` are the peers that we know nearest to ourselves, an estimate that is always there: to
 * fool it somebody has to surround us as well as the key.
 */
export function createJudge(
  neighbours: () => {
    readonly ownKey: Uint8Array
    readonly peerIds: readonly string[]
  }
): Judge {
  const estimates: { readonly place: string; readonly size: number }[] = []
  const estimate = (exceptFor?: Uint8Array): number | undefined => {
    const { ownKey, peerIds } = neighbours()
    const own = estimateSize(placeOf(ownKey), peerIds)
    const place = exceptFor && nameOf(exceptFor)
    const others = estimates.filter((other) => other.place !== place).map(({ size }) => size)
    const sizes = [...others, ...(own === undefined ? [] : [own])].toSorted((a, b) => a - b)
    return sizes[Math.floor(sizes.length / 2)]
  }
  return {
    learn: (key, peerIds) => {
      const place = placeOf(key)
      const size = estimateSize(place, peerIds)
      if (size === undefined) return
      const name = nameOf(place)
      const known = estimates.findIndex((other) => other.place === name)
      // one key that is asked for again and again counts once
      if (known >= 0) estimates.splice(known, 1)
      estimates.push({ place: name, size })
      if (estimates.length > ESTIMATES_MAX) estimates.shift()
    },
    judge: (key, peerIds) => {
      const place = placeOf(key)
      const networkSize = estimate(place)
      const doubts: Doubt[] = []
      if (peerIds.length === 0) doubts.push('no-peers')
      else if (peerIds.length < PEERS_MIN) doubts.push('few-peers')
      const isKnown = estimates.length + 1 >= ESTIMATES_MIN
      if (isKnown && networkSize !== undefined && isCrowded(distancesOf(place, peerIds), networkSize))
        doubts.push('crowded')
      const level = doubts.includes('crowded') ? 'doubtful' : doubts.length > 0 ? 'weak' : 'good'
      return { level, doubts, peers: peerIds.length, networkSize: networkSize && Math.round(networkSize) }
    },
    networkSize: () => estimate()
  }
}

/** Of two answers of different DHTs, the one to be trusted more. */
export function betterOf(a: Confidence | undefined, b: Confidence | undefined): Confidence | undefined {
  if (a === undefined || b === undefined) return a ?? b
  const order = ['doubtful', 'weak', 'good']
  return order.indexOf(b.level) > order.indexOf(a.level) ? b : a
}

/** The distances of peers from a place, the shortest first, as parts of the key space. */
function distancesOf(place: Uint8Array, peerIds: readonly string[]): number[] {
  return peerIds
    .map((peerId) => placeOf(peerIdFromString(peerId).toMultihash().bytes))
    .toSorted((a, b) => compareDistance(place, a, b))
    .map((other) => distance(place, other))
}

/** The distance of two places as a part of the key space: the first 48 bits tell enough. */
function distance(a: Uint8Array, b: Uint8Array): number {
  let sum = 0
  for (let index = 5; index >= 0; index -= 1) sum = (sum + ((a[index] ?? 0) ^ (b[index] ?? 0))) / 256
  return sum
}

/** If a place's i-th nearest of n evenly spread peers is expected at i / (n + 1), how large is n? The median over i. */
function estimateSize(place: Uint8Array, peerIds: readonly string[]): number | undefined {
  const nearest = distancesOf(place, peerIds).slice(0, CLOSEST_PEERS)
  if (nearest.length < CLOSEST_PEERS) return nearest.length === 0 ? undefined : nearest.length
  const sizes = nearest
    .map((part, index) => (index + 1) / Math.max(part, Number.EPSILON))
    .slice(ESTIMATE_FROM)
    .toSorted((a, b) => a - b)
  return sizes[Math.floor(sizes.length / 2)]
}

function isCrowded(distances: readonly number[], networkSize: number): boolean {
  return CROWDS.some(({ nearest, ratio }) => {
    const part = distances[nearest - 1]
    return part !== undefined && nearest / Math.max(part, Number.EPSILON) > ratio * networkSize
  })
}

function nameOf(place: Uint8Array): string {
  return Buffer.from(place).toString('latin1')
}
