import { createRate } from '#contracts'
import type { Did } from '#did'
import { learn, rely } from './care.ts'
import { answerOf } from './challenge.ts'
import {
  CHALLENGES_PER_MINUTE,
  CLOCK_AHEAD_MS,
  HOLDERS_OF_ROOT_MAX,
  HOLDERS_PER_MESSAGE,
  LAPSED_MS,
  LEASE_MS_MAX,
  OFFERS_PER_MESSAGE,
  RATED_DEVICES_MAX,
  REQUEST_BURST,
  REQUESTS_MAX,
  REQUESTS_PER_SECOND
} from './constants.ts'
import {
  careOf,
  dropCare,
  goalOf,
  isAgreed,
  liveHolders,
  poolsAsked,
  poolsGivenTo,
  type KeeperCore
} from './core.ts'
import { ReplicationError } from './errors.ts'
import type { KnownSet } from './lease-book.ts'
import { noteMet, someOf, takeOffers } from './meeting.ts'
import {
  decodeAsk,
  encodeAnswer,
  type KeepState,
  type PeerOfRoot,
  type ReplicaAnswers,
  type ReplicaAsk,
  type SentLease
} from './messages.ts'
import { isPlaceLeft } from './quota.ts'
import { openGoal, openLease, setOf } from './records.ts'
import { introduce } from './renew.ts'
import type { SignedGoal } from './state.ts'
import type { Taking } from './taking.ts'
import type { ReplicaHandler, Root } from './types.ts'

type Of<K extends ReplicaAsk['ask']> = Extract<ReplicaAsk, { readonly ask: K }>

/** Answers what other devices ask; the transport has proven who they are. */
export function createAnswers(core: KeeperCore, taking: Taking): ReplicaHandler {
  const namesMax = RATED_DEVICES_MAX
  const isPaced = createRate(core.clock, {
    burst: REQUEST_BURST,
    everyMs: 1_000 / REQUESTS_PER_SECOND,
    namesMax
  })
  const mayChallenge = createRate(core.clock, {
    burst: CHALLENGES_PER_MINUTE,
    everyMs: 60_000 / CHALLENGES_PER_MINUTE,
    namesMax
  })
  return async (from, message) => {
    if (core.isDenied(from)) throw refused('a device that is not denied')
    if (!isPaced(from)) throw refused('fewer messages')
    const ask = decodeAsk(message)
    core.asker.isUp(from)
    switch (ask.ask) {
      case 'sync':
        return encodeAnswer(answerSync(core, from, ask))
      case 'keep':
        return encodeAnswer(await answerKeep({ core, taking, from }, ask))
      case 'lease':
        return encodeAnswer(answerLeases(core, from, ask))
      case 'challenge': {
        // what the user keeps and nobody counts on is nobody's business: not even that it is here
        const isAnswered = core.state.held.has(ask.root) && mayChallenge(from)
        const answer = isAnswered ? await answerOf(core, { ...ask, holder: core.self }) : undefined
        return encodeAnswer({ answer: answer ?? null })
      }
      case 'group':
        return encodeAnswer({ group: core.state.groups.get(ask.id)?.signed ?? null })
    }
  }
}

function refused(what: string): ReplicationError {
  return new ReplicationError('ERR_REPLICA_MESSAGE_INVALID', `expected ${what}`)
}

function answerSync(core: KeeperCore, from: Did, ask: Of<'sync'>): ReplicaAnswers['sync'] {
  const isOurs = [...poolsGivenTo(core), ...poolsAsked(core)].includes(ask.pool)
  if (!isOurs) return { offers: [], want: new Uint8Array() }
  noteMet(core, ask.pool, from)
  const nowMs = core.clock.nowMs()
  takeOffers(core, ask.pool, ask.offers)
  const { missing, unknown } = core.offers.compare(ask.pool, ask.have, nowMs)
  return { offers: someOf(core, missing, OFFERS_PER_MESSAGE), want: unknown }
}

async function answerKeep(
  { core, taking, from }: { core: KeeperCore; taking: Taking; from: Did },
  ask: Of<'keep'>
): Promise<ReplicaAnswers['keep']> {
  const asked: SignedGoal = { goal: openGoal(ask.goal), signed: Uint8Array.from(ask.goal) }
  const { goal } = asked
  const known = goalOf(core, goal.root) ?? core.fetching.get(goal.root)
  const isLater =
    known !== undefined && known.goal.person === goal.person && known.goal.issuedAtMs > goal.issuedAtMs
  const latest = isLater ? known : asked
  const later = isLater ? { goal: known.signed } : {}
  if (goal.owner === core.self || core.state.goals.has(goal.root)) {
    await learn(core, goal.root, asked.signed)
    return { state: 'refused', ...later }
  }
  if (goal.issuedAtMs > core.clock.nowMs() + CLOCK_AHEAD_MS) return { state: 'refused' }
  // whoever has a device that was lost must not make public or withdraw what its person wants kept
  if (core.isDenied(goal.owner)) return { state: 'refused', ...later }
  const holders = ask.holders.filter((device) => device !== goal.owner)
  // an owner has it, and that never counts as a copy
  if (from !== goal.owner) holders.push(from)
  const wanted = { latest, holders, owner: from === goal.owner ? from : undefined }
  return { state: await keep({ core, taking, from }, wanted), ...later }
}

async function keep(
  { core, taking, from }: { core: KeeperCore; taking: Taking; from: Did },
  { latest, holders, owner }: { latest: SignedGoal; holders: readonly Did[]; owner: Did | undefined }
): Promise<KeepState> {
  const { goal } = latest
  const held = core.state.held.get(goal.root)
  if (held !== undefined) {
    // The one whose goal it is held for decides.
    if (held.goal.person !== goal.person) return 'refused'
    if (goal.issuedAtMs > held.goal.issuedAtMs) {
      await core.state.putHeld({ ...held, ...latest })
      tellOwner(core, goal.root, held.goal.owner)
      // which may know others who hold it
      const news = { ask: 'keep', goal: latest.signed, holders: [] } as const
      if (held.goal.owner !== goal.owner) void core.asker.ask(held.goal.owner, news).catch(() => undefined)
    }
    if (owner !== undefined) tellOwner(core, goal.root, owner)
    if (goal.copies === 0 || !isAgreed(core, goal)) {
      core.hurry()
      return 'refused'
    }
    const care = careOf(core, goal.root)
    presume(core, goal.root, holders)
    if (care.handOffUntilMs !== undefined) return 'busy'
    rely(core, care)
    return 'held'
  }
  if (core.fetching.has(goal.root)) core.fetching.set(goal.root, latest)
  if (goal.copies === 0 || !isAgreed(core, goal)) return 'refused'
  const kept = [...core.state.held.values(), ...core.fetching.values()]
  if (!isPlaceLeft(kept, goal.person)) return 'full'
  const care = careOf(core, goal.root)
  presume(
    core,
    goal.root,
    holders.filter((device) => device !== goal.owner)
  )
  const isFailing = (care.failing.get(core.self) ?? 0) > core.clock.monotonicMs()
  const state = isFailing ? 'failed' : await taking.take(latest, [from, ...holders])
  if (state !== 'taken') dropCare(core, goal.root)
  return state
}

/** Who is not told now, because others are, hears of it with the next renewal: questions are for repairs too. */
async function introduceTo(core: KeeperCore, device: Did, shared: readonly Root[]): Promise<void> {
  const { introducing } = core
  if (introducing.has(device) || introducing.size >= REQUESTS_MAX / 2) return
  introducing.add(device)
  try {
    await introduce(core, shared, [device])
  } catch {
    // the keeper stops
  } finally {
    introducing.delete(device)
  }
}

/** Every device of a person that wants a root hears who holds it, not only the one whose goal is the latest. */
function tellOwner(core: KeeperCore, root: Root, owner: Did): void {
  const { owners } = careOf(core, root)
  owners.delete(owner)
  owners.set(owner, core.clock.monotonicMs() + LAPSED_MS)
  while (owners.size > HOLDERS_OF_ROOT_MAX) for (const oldest of owners.keys().take(1)) owners.delete(oldest)
}

/** Others are said to hold it: until they say so themselves, no copy is made in their place. */
function presume(core: KeeperCore, root: Root, devices: readonly Did[]): void {
  const nowMs = core.clock.monotonicMs()
  const untilMs = nowMs + core.limits.leaseMs
  for (const device of devices) {
    if (device !== core.self) core.leases.presume(root, device, { nowMs, untilMs })
  }
}

function answerLeases(core: KeeperCore, from: Did, ask: Of<'lease'>): ReplicaAnswers['lease'] {
  const wants: number[] = []
  const news = new Set<Root>()
  const sets: Root[] = []
  const nowMs = core.clock.monotonicMs()
  for (const [place, sent] of ask.leases.entries()) {
    const lease = openLease(sent.lease)
    if (lease.holder !== from) throw refused('leases of the device that sends them')
    const set = readSet(core, from, { sent, set: lease.set })
    if (set === undefined) {
      wants.push(place)
      continue
    }
    sets.push(...set.roots.filter((root) => core.care.has(root)))
    const termMs = Math.min(LEASE_MS_MAX, lease.expiresAtMs - lease.issuedAtMs)
    for (const root of core.leases.note({ lease, set, untilMs: nowMs + termMs }, nowMs)) news.add(root)
  }
  return { wants, peers: newcomer(core, from, { news, sets }) }
}

function readSet(
  core: KeeperCore,
  from: Did,
  { sent, set }: { sent: SentLease; set: string }
): KnownSet | undefined {
  if (sent.roots === undefined) return core.leases.rootsOf(from, set)
  if (setOf(sent.roots) !== set) throw refused('the roots of the set that was signed')
  return { roots: sent.roots, isSingle: sent.roots.length === 1 }
}

/**
 * Somebody holds what was not known: tell who else does, and let them hear from us. Of one more root, by lot, too: two
 * holders who missed each other once find each other all the same.
 */
function newcomer(
  core: KeeperCore,
  from: Did,
  { news, sets }: { news: Set<Root>; sets: readonly Root[] }
): PeerOfRoot[] {
  const shared: Root[] = []
  for (const root of news) {
    core.care.get(root)?.taking.delete(from)
    if (core.state.held.has(root)) shared.push(root)
  }
  if (shared.length > 0) void introduceTo(core, from, shared)
  const one = sets[Math.floor(core.random.unit() * sets.length)]
  const peers: PeerOfRoot[] = []
  for (const root of one === undefined ? news : news.add(one)) {
    const goal = goalOf(core, root)?.goal
    if (goal === undefined) continue
    for (const holder of liveHolders(core, goal).keys()) {
      if (holder !== from && holder !== core.self) peers.push({ holder, root })
    }
  }
  return peers.slice(0, HOLDERS_PER_MESSAGE)
}
