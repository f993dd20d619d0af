import type { Did } from '#did'
import { scoreOf, seedOf, type Seed } from './rendezvous.ts'
import type { Offer, Root } from './types.ts'

/** What placement looks at in an offer. */
export type PlacementOffer = Pick<
  Offer,
  'holder' | 'person' | 'spaceBytes' | 'freeBytes' | 'host' | 'network'
>

/** What is to be placed. */
export interface PlacementInit<O extends PlacementOffer = PlacementOffer> {
  readonly root: Root
  /** Bytes a new copy takes. */
  readonly bytes: number
  readonly offers: readonly O[]
  /** Those that hold it already: they need no more space for it. */
  readonly holders?: ReadonlySet<Did>
  /** Those that are not asked: the owner, whoever is down. */
  readonly without?: ReadonlySet<Did>
}

/** Weights are counted in this many bytes, and none is below one of them. */
const WEIGHT_UNIT_BYTES = 1_048_576

/** Space beyond this adds no weight: whoever says that it has all the space there is gets no more than a large disk does. */
const WEIGHT_BYTES_MAX = 68_719_476_736

/** Seeds of holders are remembered up to this many. */
const SEEDS_MAX = 131_072

/**
 * The offers that can take a root, in the order in which they are asked. The first `copies` of them are where copies belong:
 *
 * - every node computes the same order from the same offers, in whatever order it has them;
 * - a holder comes first in proportion to the space it gives, up to 64 GiB;
 * - one device of each host and of each person comes before the second of any, and within that one of each network before the
 *   second: many devices of one person crowd out nobody;
 * - when an offer comes or goes, the first `copies` change by one at most for each label it shares, mostly by one.
 *
 * Of several offers of one device (it may be in several pools) that with most space counts.
 *
 * @see docs/protocols/replication.md
 */
export function placementOrder<O extends PlacementOffer>(init: PlacementInit<O>): O[] {
  const { root, bytes, holders, without } = init
  const rootSeed = seedOf(root)
  const scored: Scored<O>[] = []
  for (const offer of largestOfEach(init.offers)) {
    if (without?.has(offer.holder) === true) continue
    if (offer.freeBytes < bytes && holders?.has(offer.holder) !== true) continue
    const weight = Math.max(1, Math.min(WEIGHT_BYTES_MAX, offer.spaceBytes) / WEIGHT_UNIT_BYTES)
    scored.push({
      offer,
      score: scoreOf(rootSeed, holderSeed(offer.holder), weight),
      hostRank: 0,
      personRank: 0,
      networkRank: 0
    })
  }
  scored.sort(byScore)
  rankWithin(scored, ({ offer }) => offer.host, 'hostRank')
  rankWithin(scored, ({ offer }) => offer.person, 'personRank')
  // Within one turn: the second device of a host or of a person competes with the second ones of others only.
  rankWithin(scored, (one) => `${turnOf(one)} ${one.offer.network}`, 'networkRank')
  scored.sort((a, b) => turnOf(a) - turnOf(b) || a.networkRank - b.networkRank || byScore(a, b))
  return scored.map(({ offer }) => offer)
}

/**
 * Where the copies of a root belong: the first `copies` of {@link placementOrder}; fewer when there are not enough offers.
 */
export function place<O extends PlacementOffer>(init: PlacementInit<O> & { readonly copies: number }): O[] {
  return placementOrder(init).slice(0, init.copies)
}

/**
 * Devices in the order in which they act for a root: who repairs it first, who checks it first. Another order than that of
 * placement, so that the one with most copies has not most of the work too.
 */
export function dutyOrder(root: Root, devices: Iterable<Did>): Did[] {
  const duty = seedOf(`${root} duty`)
  const scored = [...new Set(devices)].map((device) => ({
    device,
    score: scoreOf(duty, holderSeed(device), 1)
  }))
  scored.sort((a, b) => b.score - a.score || compareText(a.device, b.device))
  return scored.map(({ device }) => device)
}

interface Scored<O> {
  readonly offer: O
  readonly score: number
  hostRank: number
  personRank: number
  networkRank: number
}

/** How many devices of its host, or of its person, come before it. */
function turnOf({ hostRank, personRank }: Pick<Scored<PlacementOffer>, 'hostRank' | 'personRank'>): number {
  return Math.max(hostRank, personRank)
}

function byScore(a: Scored<PlacementOffer>, b: Scored<PlacementOffer>): number {
  return b.score - a.score || compareText(a.offer.holder, b.offer.holder)
}

function compareText(a: string, b: string): number {
  if (a === b) return 0
  return a < b ? -1 : 1
}

function rankWithin<O extends PlacementOffer>(
  scored: readonly Scored<O>[],
  labelOf: (one: Scored<O>) => string,
  rank: 'hostRank' | 'personRank' | 'networkRank'
): void {
  const counts = new Map<string, number>()
  for (const one of scored) {
    const label = labelOf(one)
    const before = counts.get(label) ?? 0
    one[rank] = before
    counts.set(label, before + 1)
  }
}

function largestOfEach<O extends PlacementOffer>(offers: readonly O[]): Iterable<O> {
  const byHolder = new Map<Did, O>()
  for (const offer of offers) {
    const before = byHolder.get(offer.holder)
    if (before === undefined || compareOffers(offer, before) < 0) byHolder.set(offer.holder, offer)
  }
  return byHolder.values()
}

/** Total over what placement looks at, so that the order in which offers came decides nothing. */
function compareOffers(a: PlacementOffer, b: PlacementOffer): number {
  return (
    b.spaceBytes - a.spaceBytes ||
    b.freeBytes - a.freeBytes ||
    compareText(a.host, b.host) ||
    compareText(a.network, b.network) ||
    compareText(a.person, b.person)
  )
}

const seeds = new Map<Did, Seed>()

/** A pure function of the did, remembered. */
function holderSeed(holder: Did): Seed {
  const known = seeds.get(holder)
  if (known !== undefined) return known
  const seed = seedOf(holder)
  if (seeds.size >= SEEDS_MAX) seeds.clear()
  seeds.set(holder, seed)
  return seed
}
