import { errorMessage } from '#contracts'
import type { Did } from '#did'
import {
  DEMAND_WINDOW_MS,
  DOWN_DEVICES_MAX,
  HOT_DEMAND,
  LAPSED_EVERY,
  LEASES_PER_MESSAGE,
  ROOTS_PER_MESSAGE
} from './constants.ts'
import { careOf, liveHolders, type KeeperCore } from './core.ts'
import type { PeerOfRoot, SentLease } from './messages.ts'
import { setOf, signLease } from './records.ts'
import type { Goal, Root } from './types.ts'

/** A lease of ours and the roots it covers. */
interface OwnLease {
  readonly lease: Uint8Array
  readonly set: string
  readonly roots: readonly Root[]
}

/** How leases are renewed. */
export interface RenewalInit {
  /** How long they last. */
  readonly termMs: number
  /** Counts renewals: those whose leases ended are told now and then. */
  readonly beat?: number
}

/** Renews the leases of everything that is held, and tells all who count on them. Failures are those of single devices. */
export async function renewAll(core: KeeperCore, { termMs, beat = 0 }: RenewalInit): Promise<void> {
  fadeDemand(core)
  const byPerson = new Map<Did, Root[]>()
  const hot: Root[] = []
  for (const { goal } of core.state.held.values()) {
    const roots = byPerson.get(goal.person) ?? []
    roots.push(goal.root)
    byPerson.set(goal.person, roots)
    if (careOf(core, goal.root).demand >= HOT_DEMAND / 4) hot.push(goal.root)
  }
  // Whoever publishes is asked first: how often is not for them alone to know, or others let go of what they make.
  for (const root of core.state.goals.keys()) {
    const isHot = careOf(core, root).demand >= HOT_DEMAND / 4
    if (isHot && !core.state.held.has(root) && core.content.has(root)) hot.push(root)
  }
  const leases = [...byPerson.values(), ...hot.map((root) => [root])].map((roots) =>
    sign(core, roots, termMs)
  )
  const withLapsed = core.greetsLapsed || beat % LAPSED_EVERY === 0
  core.greetsLapsed = false
  await tell(core, leases, withLapsed)
}

/** Says at once that some roots are held. */
export async function renewRoots(core: KeeperCore, roots: readonly Root[]): Promise<void> {
  const held = roots.filter((root) => core.state.held.has(root))
  await tell(
    core,
    held.map((root) => sign(core, [root], core.limits.leaseMs)),
    false
  )
}

/** Says that a root is held no more. */
export async function sayReleased(core: KeeperCore, goal: Goal): Promise<void> {
  await sendTo(core, audienceOf(core, goal, false), [sign(core, [goal.root], 0)])
}

/** Tells devices that were not known to hold a root that this one does. */
export async function introduce(
  core: KeeperCore,
  roots: readonly Root[],
  devices: readonly Did[]
): Promise<void> {
  const held = roots.filter((root) => core.state.held.has(root))
  const leases = held.map((root) => sign(core, [root], core.limits.leaseMs))
  await sendTo(core, new Set(devices), leases)
}

function sign(core: KeeperCore, roots: readonly Root[], termMs: number): OwnLease {
  const issuedAtMs = Math.floor(core.clock.nowMs())
  const set = setOf(roots)
  const [only] = roots
  const demand = roots.length === 1 && only !== undefined ? Math.floor(careOf(core, only).demand) : 0
  const lease = signLease(core.signer, { set, demand, issuedAtMs, expiresAtMs: issuedAtMs + termMs })
  return { lease, set, roots }
}

/** Those who count on a root that this device holds: its owner and the other holders, at times those whose leases ended. */
function audienceOf(core: KeeperCore, goal: Goal, withLapsed: boolean): Set<Did> {
  const audience = new Set<Did>([goal.owner, ...liveHolders(core, goal).keys()])
  const nowMs = core.clock.monotonicMs()
  for (const [device, untilMs] of core.care.get(goal.root)?.owners ?? []) {
    if (untilMs > nowMs) audience.add(device)
  }
  if (withLapsed) for (const holder of core.leases.lapsed(goal.root, nowMs)) audience.add(holder)
  audience.delete(core.self)
  return audience
}

async function tell(core: KeeperCore, leases: readonly OwnLease[], withLapsed: boolean): Promise<void> {
  const byDevice = new Map<Did, Set<OwnLease>>()
  for (const one of leases) {
    for (const root of one.roots) {
      const wanted = (core.state.held.get(root) ?? core.state.goals.get(root))?.goal
      if (wanted === undefined) continue
      for (const device of audienceOf(core, wanted, withLapsed)) {
        const told = byDevice.get(device) ?? new Set<OwnLease>()
        told.add(one)
        byDevice.set(device, told)
      }
    }
  }
  await Promise.all([...byDevice].map(async ([device, wanted]) => await sendAll(core, device, [...wanted])))
}

async function sendTo(
  core: KeeperCore,
  devices: ReadonlySet<Did>,
  leases: readonly OwnLease[]
): Promise<void> {
  await Promise.all([...devices].map(async (device) => await sendAll(core, device, leases)))
}

async function sendAll(core: KeeperCore, device: Did, leases: readonly OwnLease[]): Promise<void> {
  try {
    let left = leases
    while (left.length > 0) {
      const some = fitting(left)
      await send(core, device, some)
      left = left.slice(some.length)
    }
  } catch (thrown) {
    if (core.signal.aborted) return
    core.logger.debug('leases were not renewed', { device, reason: errorMessage(thrown) })
  }
}

async function send(core: KeeperCore, device: Did, leases: readonly OwnLease[]): Promise<void> {
  const sets = knownTo(core, device)
  const written = leases.map(({ lease, set, roots }): SentLease =>
    sets.has(set) ? { lease } : { lease, roots }
  )
  const answer = await core.asker.ask(device, { ask: 'lease', leases: written })
  if (answer === undefined) return
  for (const { set } of leases) sets.add(set)
  const wanted = answer.wants.flatMap((place) => leases[place] ?? [])
  for (const { set } of wanted) sets.delete(set)
  // Only what went without its roots can have been asked for: whoever asks again and again is told once.
  const again = wanted.filter((one) =>
    written.some(({ lease, roots }) => lease === one.lease && roots === undefined)
  )
  if (again.length > 0)
    await core.asker.ask(device, {
      ask: 'lease',
      leases: again.map(({ lease, roots }) => ({ lease, roots }))
    })
  for (const { set } of again) sets.add(set)
  await meet(core, answer.peers)
}

/** Others hold what this device holds and were not known to: they hear of us, and we then of them. */
async function meet(core: KeeperCore, peers: readonly PeerOfRoot[]): Promise<void> {
  const unknown = new Map<Did, Root[]>()
  for (const { holder, root } of peers) {
    const held = core.state.held.get(root)
    if (held === undefined || holder === core.self || liveHolders(core, held.goal).has(holder)) continue
    if (!core.asker.isDown(holder)) unknown.set(holder, [...(unknown.get(holder) ?? []), root])
  }
  for (const [holder, roots] of unknown) {
    const leases = fitting(roots.map((root) => sign(core, [root], core.limits.leaseMs)))
    const sent = leases.map(({ lease, roots: covered }) => ({ lease, roots: covered }))
    await core.asker.ask(holder, { ask: 'lease', leases: sent })
  }
}

/** As many leases as one message may have. */
function fitting(leases: readonly OwnLease[]): OwnLease[] {
  let roots = 0
  const some: OwnLease[] = []
  for (const one of leases.slice(0, LEASES_PER_MESSAGE)) {
    // the whole list may be asked for even when the set should be known
    roots += one.roots.length
    if (roots > ROOTS_PER_MESSAGE && some.length > 0) break
    some.push(one)
  }
  return some
}

/** The sets that a device is known to know; it says when it does not. */
function knownTo(core: KeeperCore, device: Did): Set<string> {
  const { toldSets } = core
  const sets = toldSets.get(device) ?? new Set<string>()
  // forgetting costs longer messages, nothing else
  if (sets.size > 4 * LEASES_PER_MESSAGE) sets.clear()
  if (toldSets.size > DOWN_DEVICES_MAX) toldSets.clear()
  toldSets.set(device, sets)
  return sets
}

/** Counts what was asked for since the last renewal, and lets what came before count less. */
function fadeDemand(core: KeeperCore): void {
  const faded = 1 - Math.min(1, core.limits.renewEveryMs / DEMAND_WINDOW_MS)
  for (const root of new Set([...core.state.held.keys(), ...core.state.goals.keys()])) {
    const care = careOf(core, root)
    care.demand = care.demand * faded + core.content.takeDemand(root)
  }
}
