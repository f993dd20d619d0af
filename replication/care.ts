import { errorMessage } from '#contracts'
import type { Did } from '#did'
import { openAccess } from './access.ts'
import {
  ASKS_PER_LOOK,
  BEYOND_CUT_MIN,
  CLOCK_AHEAD_MS,
  CUT_OFF_COPIES,
  CUT_OFF_PEERS_MIN,
  CUT_OFF_WAIT_MS,
  CUT_OFF_WINDOW_MS,
  FAILED_MS,
  HAND_OFF_MS,
  HOLDERS_PER_MESSAGE,
  LATE_RENEWALS,
  RELIED_MS,
  WITHDRAWN_MS
} from './constants.ts'
import {
  careOf,
  demandOf,
  dropCare,
  goalOf,
  liveHolders,
  mayStay,
  poolsOfGoal,
  quotaItems,
  viewOf,
  type KeeperCore,
  type RootCare
} from './core.ts'
import { dutyDelayMs, isSurplus, keepingOrder, wantedCopies, whomToAsk } from './decide.ts'
import { excess } from './quota.ts'
import { openGoal, signGoal } from './records.ts'
import { release } from './release.ts'
import type { SignedGoal } from './state.ts'
import { takingMs } from './taking.ts'
import type { Goal, Root } from './types.ts'

/** What one look after all goals did. */
export interface LookReport {
  /** Roots with fewer copies than wanted. */
  readonly missing: number
  /** Devices asked to keep one. */
  readonly asked: number
  /** Copies let go. */
  readonly released: number
}

/**
 * Looks after every goal of this device's person and everything it holds: asks for copies that are missing, lets go what is
 * too many. `isUrged` does without jitter and turns, for a person who waits.
 */
export async function lookAfter(core: KeeperCore, isUrged = false): Promise<LookReport> {
  const isCutOff = mayBeCutOff(core)
  const missing: { wanted: SignedGoal; live: number; copiesMax: number }[] = []
  let released = 0
  for (const root of rootsCaredFor(core)) {
    const wanted = goalOf(core, root)
    if (wanted === undefined) continue
    const care = careOf(core, root)
    endAgreement(core, wanted.goal, care)
    await guarded(core, root, async () => {
      if (await letGo(core, wanted, care)) released++
      else await openAccess(core, wanted.goal, care)
    })
    // nothing is asked for what was let go just now
    if (goalOf(core, root) === undefined) continue
    const isDoubtful = isCutOff && !isUrged && isBeyondCut(core, root)
    if (isMissing(core, wanted, care, isUrged ? 'now' : isDoubtful)) {
      const copiesMax = isDoubtful ? CUT_OFF_COPIES : Infinity
      missing.push({ wanted, live: liveHolders(core, wanted.goal).size, copiesMax })
    }
  }
  forgetFailed(core)
  await forgetWithdrawn(core)
  await signGoalsOfAnotherDay(core)
  await tellGoals(core)
  // those with fewest copies first
  missing.sort((a, b) => a.live - b.live)
  let asked = 0
  // side by side: one that does not answer holds up nothing else
  await Promise.all(
    missing.slice(0, ASKS_PER_LOOK).map(async ({ wanted, copiesMax }) => {
      await guarded(core, wanted.goal.root, async () => {
        const count = await askForCopies(core, wanted, copiesMax)
        asked += count
      })
    })
  )
  return { missing: missing.length, asked, released }
}

/** Lets go what a smaller quota has no room for, the least wanted first; others are asked to keep it before. */
export function shrink(core: KeeperCore, untilMs: number): void {
  const { choice, held } = core.state
  if (choice === undefined) return
  for (const root of excess(quotaItems(core), choice)) {
    if (held.has(root)) careOf(core, root).handOffUntilMs ??= untilMs
  }
}

/** What may stay no longer is handed off, whenever that was decided: before a restart, or by a list that changed. */
function endAgreement(core: KeeperCore, goal: Goal, care: RootCare): void {
  if (!core.state.held.has(goal.root) || mayStay(core, goal)) return
  const nowMs = core.clock.monotonicMs()
  // nobody else is asked to keep what is denied here
  if (core.isDenied(goal.root)) care.handOffUntilMs = nowMs
  else care.handOffUntilMs ??= nowMs + HAND_OFF_MS
}

/** What could not be fetched is forgotten once it may be asked for again. */
function forgetFailed(core: KeeperCore): void {
  const nowMs = core.clock.monotonicMs()
  for (const [root, { failing }] of core.care) {
    if ((failing.get(core.self) ?? 0) <= nowMs) dropCare(core, root)
  }
}

/** What is here still keeps that its goal was withdrawn: what is published would be given another. */
async function forgetWithdrawn(core: KeeperCore): Promise<void> {
  const lastMs = core.clock.nowMs() - WITHDRAWN_MS
  for (const { goal } of [...core.state.goals.values()]) {
    const { root, copies, issuedAtMs } = goal
    if (copies > 0 || issuedAtMs > lastMs || core.content.has(root)) continue
    if (liveHolders(core, goal).size > 0) continue
    await guarded(core, root, async () => {
      await core.state.removeGoal(root)
      dropCare(core, root)
    })
  }
}

function rootsCaredFor({ state }: KeeperCore): Set<Root> {
  return new Set([...state.held.keys(), ...state.goals.keys()])
}

async function guarded(core: KeeperCore, root: Root, task: () => Promise<void>): Promise<void> {
  try {
    await task()
  } catch (thrown) {
    core.signal.throwIfAborted()
    core.logger.warn('a goal was not looked after', { root, reason: errorMessage(thrown) })
  }
}

/** Whether copies are missing and it is this device's turn to ask for them. */
function isMissing(
  core: KeeperCore,
  { goal }: SignedGoal,
  ...[care, mode]: [care: RootCare, mode: boolean | 'now']
): boolean {
  const nowMs = core.clock.monotonicMs()
  const live = new Set(liveHolders(core, goal).keys())
  if (care.handOffUntilMs !== undefined) live.delete(core.self)
  if (live.size >= wantedCopies(goal, demandOf(core, goal.root))) {
    care.missingSinceMs = undefined
    return false
  }
  if (mode === 'now') return true
  if (nowMs < care.notBeforeMs) return false
  if (care.missingSinceMs === undefined) {
    care.missingSinceMs = nowMs
    care.jitterMs = core.random.unit() * core.limits.repairJitterMs
  }
  // Until its first copies are there nobody else knows the goal as well as who set it.
  const ageMs = core.clock.nowMs() - goal.issuedAtMs
  const isNew = goal.owner === core.self && (live.size === 0 || ageMs < 2 * core.limits.leaseMs)
  if (isNew || care.handOffUntilMs !== undefined) return true
  if (mode && live.size >= CUT_OFF_COPIES) return false
  const waitMs = dutyDelayMs({ goal, live, self: core.self }) + care.jitterMs
  return nowMs >= care.missingSinceMs + waitMs
}

async function askForCopies(core: KeeperCore, wanted: SignedGoal, copiesMax: number): Promise<number> {
  const { goal } = wanted
  const care = careOf(core, goal.root)
  const nowMs = core.clock.monotonicMs()
  for (const [device, untilMs] of care.taking) {
    if (untilMs > nowMs) continue
    care.taking.delete(device)
    care.failing.set(device, nowMs + FAILED_MS)
  }
  const view = viewOf(core, goal, care)
  for (const holder of view.live) care.taking.delete(holder)
  // those who are taking it count as copies to come
  const live = new Set([...view.live, ...care.taking.keys()])
  const chosen = whomToAsk({ ...view, live }).slice(0, Math.max(0, copiesMax - live.size))
  if (chosen.length === 0) return 0
  for (const device of chosen) care.taking.set(device, nowMs + takingMs(core, goal.bytes))
  await openAccess(core, goal, care)
  await Promise.all(chosen.map(async (device) => await askOne(core, wanted, device)))
  return chosen.length
}

async function askOne(core: KeeperCore, wanted: SignedGoal, device: Did): Promise<void> {
  const { goal, signed } = wanted
  const care = careOf(core, goal.root)
  const holders = [core.self, ...[...liveHolders(core, goal).keys()].filter((one) => one !== core.self)]
  const answer = await core.asker.ask(device, {
    ask: 'keep',
    goal: signed,
    holders: holders.slice(0, HOLDERS_PER_MESSAGE)
  })
  await learn(core, goal.root, answer?.goal)
  const nowMs = core.clock.monotonicMs()
  if (answer?.state === 'taken') {
    care.told.set(device, goal.issuedAtMs)
    return
  }
  care.taking.delete(device)
  if (answer === undefined) {
    // it is known to be down now: somebody else is asked at once
    core.hurry()
    return
  }
  if (answer.state === 'held') {
    care.told.set(device, goal.issuedAtMs)
    core.leases.presume(goal.root, device, { nowMs, untilMs: nowMs + core.limits.leaseMs })
    return
  }
  care.failing.set(device, nowMs + FAILED_MS)
  if (answer.state !== 'busy') core.hurry()
}

/** What was signed by a clock that went back since is taken by nobody: it is signed as of now. */
async function signGoalsOfAnotherDay(core: KeeperCore): Promise<void> {
  const nowMs = Math.floor(core.clock.nowMs())
  for (const { goal } of [...core.state.goals.values()]) {
    if (goal.issuedAtMs <= nowMs + CLOCK_AHEAD_MS) continue
    const { root, copies, bytes, isPublic, readers, pools } = goal
    const signed = signGoal(core, { root, copies, bytes, isPublic, readers, pools, issuedAtMs: nowMs })
    await guarded(core, root, async () => {
      await core.state.putGoal(signed)
    })
  }
}

/** Gives holders the latest goal where they may have an older one. */
async function tellGoals(core: KeeperCore): Promise<void> {
  const asks: Promise<void>[] = []
  for (const { goal, signed } of core.state.goals.values()) {
    const { told } = careOf(core, goal.root)
    for (const device of liveHolders(core, goal).keys()) {
      if (asks.length >= ASKS_PER_LOOK) break
      if (told.get(device) === goal.issuedAtMs || core.asker.isDown(device)) continue
      told.set(device, goal.issuedAtMs)
      asks.push(
        core.asker.ask(device, { ask: 'keep', goal: signed, holders: [] }).then(async (answer) => {
          if (answer === undefined) told.delete(device)
          await learn(core, goal.root, answer?.goal)
        })
      )
    }
  }
  await Promise.all(asks)
}

/** Another device of this device's person wants a root otherwise since: the later of two goals counts, on all of them. */
export async function learn(core: KeeperCore, root: Root, later: Uint8Array | undefined): Promise<void> {
  const own = core.state.goals.get(root)?.goal
  if (own === undefined || later === undefined) return
  await guarded(core, root, async () => {
    const goal = openGoal(later)
    const { copies, isPublic, readers, issuedAtMs } = goal
    const isOurs = goal.root === root && goal.person === core.person && !core.isDenied(goal.owner)
    if (!isOurs || issuedAtMs <= own.issuedAtMs || issuedAtMs > core.clock.nowMs() + CLOCK_AHEAD_MS) return
    const pools = poolsOfGoal(core, goal)
    const { bytes } = own
    await core.state.putGoal(signGoal(core, { root, bytes, pools, copies, isPublic, readers, issuedAtMs }))
  })
}

/** Lets this device's copy go when it is one too many, or is being handed off and others have enough. */
async function letGo(core: KeeperCore, { goal, signed }: SignedGoal, care: RootCare): Promise<boolean> {
  if (!core.state.held.has(goal.root)) return false
  const nowMs = core.clock.monotonicMs()
  if (care.handOffUntilMs !== undefined) {
    const others = liveHolders(core, goal)
    others.delete(core.self)
    const isEnough = others.size >= wantedCopies(goal, demandOf(core, goal.root))
    if (!isEnough && nowMs < care.handOffUntilMs) return false
    await letGoOf(core, goal.root)
    return true
  }
  // mostly there are not too many: then it needs no look at what everybody offers
  const isTooMany = liveHolders(core, goal).size > wantedCopies(goal, demandOf(core, goal.root))
  const view = goal.copies === 0 || isTooMany ? viewOf(core, goal, care) : undefined
  if (view === undefined || !isSurplus(view)) {
    care.surplusSinceMs = undefined
    return false
  }
  if (goal.copies > 0) {
    care.surplusSinceMs ??= nowMs
    if (nowMs < care.surplusSinceMs + core.limits.trimAfterMs) return false
    const wanted = wantedCopies(goal, view.demand)
    const staying = keepingOrder(view)
      .filter((one) => one !== core.self)
      .slice(0, wanted)
    if (!(await areHeld(core, signed, staying))) return false
    // Two that let go at once have asked each other: then both stay.
    if (care.reliedUntilMs > core.clock.monotonicMs()) return false
  }
  await letGoOf(core, goal.root)
  return true
}

async function letGoOf(core: KeeperCore, root: Root): Promise<void> {
  const tell = await release(core, root)
  await tell()
}

/** Whether all of these say that they hold it, and will for the next minutes. */
async function areHeld(core: KeeperCore, goal: Uint8Array, devices: readonly Did[]): Promise<boolean> {
  const answers = await Promise.all(
    devices.map(async (device) => await core.asker.ask(device, { ask: 'keep', goal, holders: [] }))
  )
  return answers.every((answer) => answer?.state === 'held')
}

/** Notes that somebody counts on a copy here. */
export function rely(core: KeeperCore, care: RootCare): void {
  care.reliedUntilMs = core.clock.monotonicMs() + RELIED_MS
}

/**
 * Whether it may be us who are cut off: more than half of those who spoke to us fell silent at once. It stays so until half
 * of those speak again, or for {@link CUT_OFF_WAIT_MS}.
 */
function mayBeCutOff(core: KeeperCore): boolean {
  const nowMs = core.clock.monotonicMs()
  // a renewal may be lost; who misses it is silent before its lease ends
  const lateMs = nowMs - core.limits.renewEveryMs * LATE_RENEWALS
  const lately = core.leases.heard(lateMs)
  const silent = core.leases.heard(lateMs - CUT_OFF_WINDOW_MS, lateMs)
  if (core.cutOff === undefined) {
    if (silent.length < CUT_OFF_PEERS_MIN || silent.length <= lately.length) return false
    core.cutOff = { sinceMs: nowMs, silent: new Set() }
    core.logger.warn('most who keep with this device fell silent: it may be cut off', {
      silent: silent.length
    })
  }
  const { sinceMs, silent: all } = core.cutOff
  // not all of them are late at once; who dies later is not beyond the cut
  if (nowMs < sinceMs + core.limits.leaseMs) for (const holder of silent) all.add(holder)
  const back = lately.filter((holder) => all.has(holder))
  if (nowMs >= sinceMs + CUT_OFF_WAIT_MS || 2 * back.length >= all.size) meetAgain(core)
  return core.cutOff !== undefined
}

/**
 * Whether several who fell silent held a root: it is likely to be kept beyond the cut, and only then can it wait. Who took it
 * since has not heard of them.
 */
function isBeyondCut(core: KeeperCore, root: Root): boolean {
  if (core.cutOff === undefined) return false
  const { sinceMs, silent } = core.cutOff
  const nowMs = core.clock.monotonicMs()
  const heldMs = core.clock.nowMs() - (core.state.held.get(root)?.sinceMs ?? 0)
  if (heldMs < nowMs - sinceMs + CUT_OFF_WINDOW_MS) return true
  const holders = [...core.leases.live(root, nowMs).keys(), ...core.leases.lapsed(root, nowMs)]
  return holders.filter((holder) => silent.has(holder)).length >= BEYOND_CUT_MIN
}

/** Those who were lost are asked again at once, and nothing is missing before they had time to say what they hold. */
function meetAgain(core: KeeperCore): void {
  core.cutOff = undefined
  core.asker.forgive()
  core.greetsLapsed = true
  core.greet()
  const notBeforeMs = core.clock.monotonicMs() + 2 * core.limits.leaseMs
  for (const root of rootsCaredFor(core)) careOf(core, root).notBeforeMs = notBeforeMs
}
