import type { Did } from '#did'
import { DUTY_STEP_MS, HOT_COPIES_MAX, HOT_DEMAND, OFFER_LATE_MS } from './constants.ts'
import { dutyOrder, placementOrder } from './placement.ts'
import type { Goal, Offer } from './types.ts'

/** What a device knows of one root when it decides. */
export interface RootView {
  readonly goal: Goal
  readonly self: Did
  /** Those who hold it by their leases, and this device when it does; never the owner. */
  readonly live: ReadonlySet<Did>
  /** How often it was asked for lately, everywhere. */
  readonly demand: number
  readonly offers: readonly Offer[]
  /** Those who are not asked now: unreachable, failing, or denied. */
  readonly without: ReadonlySet<Did>
  /** By the clock that offers are signed by. */
  readonly nowMs: number
}

/** How many copies there should be: those of the goal, and some more while many ask for it. */
export function wantedCopies(goal: Pick<Goal, 'copies'>, demand: number): number {
  if (goal.copies === 0 || demand < HOT_DEMAND) return goal.copies
  return goal.copies + Math.min(HOT_COPIES_MAX, 1 + Math.floor(Math.log2(demand / HOT_DEMAND)))
}

/** Whom to ask to keep a root, in order; as many as copies are missing. */
export function whomToAsk(view: RootView): Did[] {
  const { goal, live, offers } = view
  const missing = wantedCopies(goal, view.demand) - live.size
  if (missing <= 0) return []
  const without = new Set([...view.without, ...live, goal.owner])
  const order = placementOrder({ root: goal.root, bytes: goal.bytes, offers, without })
  // What is placed already decides which hosts and networks are still without a copy.
  return spreadBeyond(order, view)
    .slice(0, missing)
    .map(({ holder }) => holder)
}

/**
 * How long this device lets others go first when copies are missing: those who hold the root, in the order of their duty,
 * then its owner.
 */
export function dutyDelayMs({ goal, live, self }: Pick<RootView, 'goal' | 'live' | 'self'>): number {
  const order = dutyOrder(goal.root, live)
  const rank = live.has(self) ? order.indexOf(self) : order.length
  return rank * DUTY_STEP_MS
}

/**
 * Whether this device's copy is one too many: as many as are wanted come before it in the order of placement, those whose
 * offers ended last.
 */
export function isSurplus(view: RootView): boolean {
  const { goal, self, live, offers } = view
  const wanted = wantedCopies(goal, view.demand)
  if (!live.has(self)) return false
  if (goal.copies === 0) return true
  if (live.size <= wanted) return false
  const order = keepingOrder({ goal, live, offers })
  return order.indexOf(self) >= wanted
}

/** Holders of a root in the order in which their copies stay. */
export function keepingOrder({ goal, live, offers }: Pick<RootView, 'goal' | 'live' | 'offers'>): Did[] {
  const holding = offers.filter(({ holder }) => live.has(holder))
  const placed = placementOrder({ root: goal.root, bytes: goal.bytes, offers: holding, holders: live }).map(
    ({ holder }) => holder
  )
  const rest = dutyOrder(
    goal.root,
    [...live].filter((holder) => !placed.includes(holder))
  )
  return [...placed, ...rest]
}

/**
 * The same order, those first whose host and person, then whose network, has no copy yet; last those whose offers were not
 * signed anew when they should have been: they are likely to be gone.
 */
function spreadBeyond(order: readonly Offer[], { offers, live, nowMs }: RootView): Offer[] {
  const holding = offers.filter(({ holder }) => live.has(holder))
  const hosts = new Set(holding.map(({ host }) => host))
  const people = new Set(holding.map(({ person }) => person))
  const networks = new Set(holding.map(({ network }) => network))
  const rankOf = ({ host, person, network, expiresAtMs }: Offer): number => {
    if (expiresAtMs - nowMs < OFFER_LATE_MS) return 3
    if (hosts.has(host) || people.has(person)) return 2
    return networks.has(network) ? 1 : 0
  }
  // sort() keeps the order of those that are equal
  return [...order].sort((a, b) => rankOf(a) - rankOf(b))
}
