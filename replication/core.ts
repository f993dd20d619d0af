import type { Did } from '#did'
import type { Asker } from './asker.ts'
import {
  CHALLENGE_EVERY_MS,
  GOAL_POOLS_MAX,
  LEASE_MS,
  LOOK_EVERY_MS,
  MEET_EVERY_MS,
  RENEW_EVERY_MS,
  REPAIR_BYTES_PER_SECOND,
  REPAIR_JITTER_MS,
  SYNC_EVERY_MS,
  TRIM_AFTER_MS
} from './constants.ts'
import type { HolderEntry, LeaseBook } from './lease-book.ts'
import type { OfferBook } from './offer-book.ts'
import type { QuotaItem } from './quota.ts'
import { wantedCopies, type RootView } from './decide.ts'
import { isGroupId } from './records.ts'
import type { ReplicaState, SignedGoal } from './state.ts'
import { ANYONE, type Goal, type Offer, type PoolId, type ReplicationComponents, type Root } from './types.ts'

/** The paces of a keeper; every one has a default in `constants.ts`. */
export interface ReplicationLimits {
  readonly leaseMs: number
  readonly renewEveryMs: number
  readonly lookEveryMs: number
  readonly repairJitterMs: number
  readonly repairBytesPerSecond: number
  readonly trimAfterMs: number
  readonly syncEveryMs: number
  readonly meetEveryMs: number
  readonly challengeEveryMs: number
}

/** The paces a keeper has unless told otherwise. */
export const DEFAULT_LIMITS: ReplicationLimits = {
  leaseMs: LEASE_MS,
  renewEveryMs: RENEW_EVERY_MS,
  lookEveryMs: LOOK_EVERY_MS,
  repairJitterMs: REPAIR_JITTER_MS,
  repairBytesPerSecond: REPAIR_BYTES_PER_SECOND,
  trimAfterMs: TRIM_AFTER_MS,
  syncEveryMs: SYNC_EVERY_MS,
  meetEveryMs: MEET_EVERY_MS,
  challengeEveryMs: CHALLENGE_EVERY_MS
}

/** What became of a challenge. */
export interface ChallengeResult {
  /** Milliseconds since the Unix epoch. */
  readonly atMs: number
  readonly isPassed: boolean
  /** How long the answer took. */
  readonly tookMs: number
}

/** What a keeper remembers of a root while it runs. Times by a clock that never goes back. */
export interface RootCare {
  /** Nothing is done before: leases have yet to come. */
  notBeforeMs: number
  /** Since when copies are missing, and how long this device waits beyond its duty. */
  missingSinceMs: number | undefined
  jitterMs: number
  surplusSinceMs: number | undefined
  /** Those who are fetching it, until when they are waited for. */
  readonly taking: Map<Did, number>
  /** Those who are not asked for it, until when. */
  readonly failing: Map<Did, number>
  /** Somebody lets theirs go because this one is here. */
  reliedUntilMs: number
  /** This device lets it go then at the latest, and before when others have enough. */
  handOffUntilMs: number | undefined
  /** The goal that each holder has, by when it was issued. */
  readonly told: Map<Did, number>
  /** Other devices of the goal's person that want it too, and until when they hear of this copy. */
  readonly owners: Map<Did, number>
  /** Fetches from here, fading. */
  demand: number
  /** Who may read it as it was last set. */
  access: string
  readonly challenges: Map<Did, ChallengeResult>
  /** Challenges in a row that got no answer at all. */
  readonly silences: Map<Did, number>
}

/** The parts of a keeper and what they share. */
export interface KeeperCore extends ReplicationComponents {
  readonly self: Did
  readonly person: Did
  readonly limits: ReplicationLimits
  readonly state: ReplicaState
  readonly offers: OfferBook
  readonly leases: LeaseBook
  readonly asker: Asker
  readonly care: Map<Root, RootCare>
  /** The sets of roots that others know from leases of ours. */
  readonly toldSets: Map<Did, Set<string>>
  /** Devices met in each pool. */
  readonly met: Map<PoolId, Set<Did>>
  /** Set while it may be this device that is cut off: since when, and who fell silent then. */
  cutOff: { readonly sinceMs: number; readonly silent: Set<Did> } | undefined
  /** The next renewal goes to those whose leases ended too. */
  greetsLapsed: boolean
  /** What is being fetched or waits to be, and its bytes. */
  readonly fetching: Map<Root, SignedGoal>
  /** Holders who are being told of ours, because they were not known. */
  readonly introducing: Set<Did>
  readonly isPublishing: () => boolean
  /** Aborts when the keeper stops. */
  readonly signal: AbortSignal
  /** Looks after goals now rather than at the next occasion. */
  hurry(): void
  /** Renews all leases now. */
  greet(): void
  /** Looks for others of its pools now. */
  seek(): void
}

/** What is remembered of a root, made when it is not there. */
export function careOf(core: KeeperCore, root: Root): RootCare {
  const known = core.care.get(root)
  if (known !== undefined) return known
  const care: RootCare = {
    notBeforeMs: 0,
    missingSinceMs: undefined,
    jitterMs: 0,
    surplusSinceMs: undefined,
    taking: new Map(),
    failing: new Map(),
    reliedUntilMs: 0,
    handOffUntilMs: undefined,
    told: new Map(),
    owners: new Map(),
    demand: 0,
    access: '',
    challenges: new Map(),
    silences: new Map()
  }
  core.care.set(root, care)
  core.leases.follow(root)
  return care
}

/** Forgets a root that is neither held nor wanted. */
export function dropCare(core: KeeperCore, root: Root): void {
  if (core.state.held.has(root) || core.state.goals.has(root) || core.fetching.has(root)) return
  core.care.delete(root)
  core.leases.unfollow(root)
}

/** The goal of a root, whether it is our own or we hold for it. */
export function goalOf(core: KeeperCore, root: Root): SignedGoal | undefined {
  return core.state.goals.get(root) ?? core.state.held.get(root)
}

/** Those who hold a root by their leases, and this device when it does; the owner never counts. */
export function liveHolders(core: KeeperCore, goal: Goal): Map<Did, HolderEntry | undefined> {
  const live = new Map<Did, HolderEntry | undefined>(core.leases.live(goal.root, core.clock.monotonicMs()))
  live.delete(goal.owner)
  // their own content, of which they say how often it is asked for
  for (const owner of core.care.get(goal.root)?.owners.keys() ?? []) live.delete(owner)
  live.delete(core.self)
  if (core.state.held.has(goal.root) && goal.owner !== core.self) live.set(core.self, undefined)
  return live
}

/** How often a root was asked for lately, here and elsewhere. */
export function demandOf(core: KeeperCore, root: Root): number {
  const own = core.care.get(root)?.demand ?? 0
  const nowMs = core.clock.monotonicMs()
  const others = core.leases.live(root, nowMs).values()
  const counted = others.reduce((sum, one) => sum + (one.demandUntilMs > nowMs ? one.demand : 0), 0)
  return Math.floor(own) + counted
}

/** What this device knows of a root when it decides. */
export function viewOf(core: KeeperCore, goal: Goal, care: RootCare): RootView {
  const nowMs = core.clock.monotonicMs()
  const live = new Set(liveHolders(core, goal).keys())
  if (care.handOffUntilMs !== undefined) live.delete(core.self)
  const offers = offersTo(core, goal.pools)
  const without = new Set<Did>([core.self])
  for (const { holder } of offers) if (core.asker.isDown(holder)) without.add(holder)
  for (const [device, untilMs] of care.failing) {
    if (untilMs > nowMs) without.add(device)
    else care.failing.delete(device)
  }
  const view = { goal, live, offers, without, self: core.self, nowMs: core.clock.nowMs() }
  return { ...view, demand: demandOf(core, goal.root) }
}

/** Everything that is held or on its way, as a quota sees it. */
export function quotaItems(core: KeeperCore): QuotaItem[] {
  const nowMs = core.clock.monotonicMs()
  const held = [...core.state.held.values()].map(({ goal, bytes }): QuotaItem => {
    const others = liveHolders(core, goal)
    others.delete(core.self)
    return {
      ...{ root: goal.root, person: goal.person, bytes },
      spare: others.size - wantedCopies(goal, demandOf(core, goal.root)),
      isRelied: careOf(core, goal.root).reliedUntilMs > nowMs
    }
  })
  const coming = [...core.fetching.values()].map(({ goal }): QuotaItem => ({
    ...{ root: goal.root, person: goal.person, bytes: goal.bytes },
    ...{ spare: -1, isRelied: false }
  }))
  return [...held, ...coming]
}

/** Pools this device gives space to. */
export function poolsGivenTo({ state, person }: KeeperCore): PoolId[] {
  if ((state.choice?.spaceBytes ?? 0) === 0) return []
  const volunteered = state.choice?.isVolunteer === true ? [ANYONE] : []
  // the other devices of one's own person need no following
  return [...new Set([person, ...state.followed, ...state.groups.keys(), ...volunteered])]
}

/** Pools whose offers may hold what this device's person publishes. */
export function poolsAsked({ state, person }: KeeperCore): PoolId[] {
  return [person, ...state.groups.keys(), ANYONE]
}

/** Pools that a goal of this device's person names: what is not public is for those who were chosen, never for volunteers. */
export function poolsOfGoal(core: KeeperCore, { isPublic }: Pick<Goal, 'isPublic'>): PoolId[] {
  return poolsAsked(core)
    .filter((pool) => isPublic || pool !== ANYONE)
    .slice(0, GOAL_POOLS_MAX)
}

/** Offers to some pools that hold now. Anybody can sign one to a group: those of its members count. */
export function offersTo({ state, offers, clock }: KeeperCore, pools: readonly PoolId[]): Offer[] {
  return pools.flatMap((pool) => {
    const signed = offers.of([pool], clock.nowMs())
    if (!isGroupId(pool)) return signed
    const members = new Set(state.groups.get(pool)?.group.members)
    return signed.filter(({ person }) => members.has(person))
  })
}

/** Pools whose others this device looks for: those it gives to, and, when there is something to keep, those it asks. */
export function poolsSought(core: KeeperCore): PoolId[] {
  const asks = core.isPublishing() || core.state.goals.values().some(({ goal }) => goal.copies > 0)
  return [...new Set([...poolsGivenTo(core), ...core.state.groups.keys(), ...(asks ? poolsAsked(core) : [])])]
}

/** Whether it was agreed to keep what that goal wants. */
export function isAgreed(core: KeeperCore, goal: Goal): boolean {
  return !core.isDenied(goal.owner) && mayStay(core, goal)
}

/** Whether what is held for a goal may stay: it does when the device that signed is lost and revoked. */
export function mayStay(core: KeeperCore, goal: Goal): boolean {
  const { state, isDenied, person } = core
  if (isDenied(goal.person) || isDenied(goal.root)) return false
  if ((state.choice?.spaceBytes ?? 0) === 0) return false
  return goal.pools.some((pool) => {
    if (pool === ANYONE) return state.choice?.isVolunteer === true
    if (pool === goal.person) return state.followed.has(goal.person) || goal.person === person
    const members = state.groups.get(pool)?.group.members
    return members?.includes(goal.person) === true && members.includes(person)
  })
}
