import { parseDid, type Did } from '#did'
import { lookAfter, shrink } from './care.ts'
import { challengeHolder } from './challenging.ts'
import {
  AGREEMENTS_MAX,
  CLOCK_AHEAD_MS,
  COPIES_MAX,
  GOAL_READERS_MAX,
  GOALS_MAX,
  HAND_OFF_MS,
  LABEL_CHARS_MAX,
  PUBLISHED_COPIES,
  PUBLISHER_SHARE
} from './constants.ts'
import {
  careOf,
  isAgreed,
  mayStay,
  offersTo,
  poolsAsked,
  poolsOfGoal,
  quotaItems,
  type KeeperCore
} from './core.ts'
import { ReplicationError } from './errors.ts'
import { groupId, signGroup, type Group } from './groups.ts'
import { askGroup, meetIn, poolsJoined, renewOffers } from './meeting.ts'
import { prepareAnswers } from './prepared.ts'
import { bytesOf } from './quota.ts'
import { isGroupId, isRoot, signGoal } from './records.ts'
import type { GoalInit, OfferInit, QuotaStatus, Replication } from './replication.ts'
import { readStatus } from './read-status.ts'
import type { OfferChoice } from './state.ts'
import { cancelTaking, type Taking } from './taking.ts'
import type { Goal, PoolId, Root } from './types.ts'

/** Space given when somebody is followed before anything was said: 5 GiB. */
const FIRST_SPACE_BYTES = 5_368_709_120

/** What a keeper is told and asked. */
export function createKeeper(
  core: KeeperCore,
  taking: Taking
): Omit<Replication, typeof Symbol.asyncDispose> {
  return {
    follow: async (person) => await follow(core, person),
    unfollow: async (person) => {
      await core.state.unfollow(person)
      await agreementChanged(core)
    },
    followed: () => [...core.state.followed],
    createGroup: async (name, members) => await createGroup(core, name, members),
    joinGroup: async (id) => await joinGroup(core, id),
    leaveGroup: async (id) => {
      if (!core.state.groups.has(id)) throw unknownGroup()
      await core.state.removeGroup(id)
      await agreementChanged(core)
    },
    groups: () =>
      [...core.state.groups.values()].map(({ group }) => ({ ...group, isOwn: group.person === core.person })),
    offer: async (init) => await offer(core, init),
    quota: () => readQuota(core),
    setGoal: async (root, init = {}) => await setGoal(core, root, init),
    list: () =>
      [...new Set([...core.state.goals.keys(), ...core.state.held.keys()])].map((root) =>
        readStatus(core, root)
      ),
    status: (root) => readStatus(core, root),
    challenge: async (root) => {
      const { copies } = readStatus(core, root)
      for (const { holder, isThis } of copies) if (!isThis) await challengeHolder(core, root, holder)
      return readStatus(core, root)
    },
    prepare: async (root) => await prepareAnswers(core, root),
    repair: async () => {
      const { missing, asked } = await lookAfter(core, true)
      return { missing, asked }
    },
    leave: async () => await leave(core, taking),
    isOffered: () => offersTo(core, poolsAsked(core)).some(({ holder }) => holder !== core.self),
    devicesOf: (person) => {
      const offers = core.offers.of(poolsJoined(core), core.clock.nowMs())
      return [...new Set(offers.flatMap((one) => (one.person === person ? [one.holder] : [])))]
    },
    hasGoal: (root) => core.state.goals.has(root),
    holds: (root) => core.state.held.has(root),
    recheck: (root) => {
      const care = core.care.get(root)
      if (care !== undefined) care.access = ''
      core.hurry()
    }
  }
}

async function follow(core: KeeperCore, person: Did): Promise<void> {
  const { state } = core
  if (state.followed.size >= AGREEMENTS_MAX && !state.followed.has(person))
    throw limit(`${AGREEMENTS_MAX} people`)
  await state.follow(parseDid(person))
  if (state.choice === undefined) await state.setChoice(FIRST_CHOICE)
  await agreementChanged(core)
  await meetSoon(core, person)
}

async function createGroup(core: KeeperCore, name: string, members: readonly Did[]): Promise<Group> {
  const id = groupId(core.person, name)
  const before = core.state.groups.get(id)?.group
  assertGroupRoom(core, id)
  const issuedAtMs = Math.max(Math.floor(core.clock.nowMs()), (before?.issuedAtMs ?? 0) + 1)
  const all = [...new Set([core.person, ...members])]
  const group = await core.state.putGroup(signGroup(core, { name, members: all, issuedAtMs }))
  await agreementChanged(core)
  await meetSoon(core, id)
  return group
}

async function joinGroup(core: KeeperCore, id: PoolId): Promise<Group> {
  if (!isGroupId(id)) {
    throw new ReplicationError(
      'ERR_GROUP_INVALID',
      'expected the id of a group: group: and 52 letters and digits'
    )
  }
  assertGroupRoom(core, id)
  const known = core.state.groups.get(id)
  if (known === undefined) await meetIn(core, id)
  const found = (await askGroup(core, id)) ?? known
  if (found === undefined) throw unknownGroup()
  if (!found.group.members.includes(core.person)) {
    throw new ReplicationError(
      'ERR_GROUP_NOT_MEMBER',
      `${core.person} is not on the list of ${found.group.name}: whoever made it can add you`
    )
  }
  const group = await core.state.putGroup(found.signed)
  if (core.state.choice === undefined) {
    await core.state.setChoice(FIRST_CHOICE)
  }
  await agreementChanged(core)
  await meetSoon(core, id)
  return group
}

async function offer(core: KeeperCore, init: OfferInit): Promise<QuotaStatus> {
  await core.state.setChoice(choiceOf(core.state.choice, init))
  await agreementChanged(core)
  return readQuota(core)
}

/** What is given when nothing was said. */
const FIRST_CHOICE: OfferChoice = {
  spaceBytes: FIRST_SPACE_BYTES,
  publisherBytesMax: Math.floor(FIRST_SPACE_BYTES / PUBLISHER_SHARE),
  isVolunteer: false,
  host: '',
  network: ''
}

/** @throws ReplicationError `ERR_REPLICA_OFFER_INVALID` */
function choiceOf(before: OfferChoice | undefined, init: OfferInit): OfferChoice {
  const known = before ?? FIRST_CHOICE
  const choice = { ...known, ...withoutAbsent(init) }
  // A share that was chosen stays chosen; one that followed from the space follows it.
  const isHalf = known.publisherBytesMax === Math.floor(known.spaceBytes / PUBLISHER_SHARE)
  if (isHalf && init.publisherBytesMax === undefined) {
    choice.publisherBytesMax = Math.floor(choice.spaceBytes / PUBLISHER_SHARE)
  }
  for (const bytes of [choice.spaceBytes, choice.publisherBytesMax]) {
    if (!Number.isSafeInteger(bytes) || bytes < 0) throw invalidOffer('a number of bytes')
  }
  for (const label of [choice.host, choice.network]) {
    const isLabel = /^[\x20-\x7e]*$/.test(label) && label.trim() === label && label.length <= LABEL_CHARS_MAX
    if (!isLabel) throw invalidOffer(`a label of at most ${LABEL_CHARS_MAX} letters, digits and signs`)
  }
  return choice
}

async function setGoal(core: KeeperCore, root: Root, init: GoalInit): Promise<Goal> {
  const { state, signal } = core
  assertGoal(core, root, init)
  const before = state.goals.get(root)?.goal
  const size = await core.content.size(root, { signal: init.signal ?? signal })
  const bytes = size?.bytes ?? before?.bytes
  if (bytes === undefined) {
    throw new ReplicationError('ERR_REPLICA_NOT_HERE', `${root} is not here whole: add, get or pin it first`)
  }
  const known = before ?? { copies: PUBLISHED_COPIES, isPublic: false, readers: [], issuedAtMs: 0 }
  const { copies, isPublic, readers } = { ...known, ...withoutAbsent(init) }
  const goal = {
    ...{ root, bytes, copies, isPublic, pools: poolsOfGoal(core, { isPublic }) },
    readers: [...new Set(readers)],
    issuedAtMs: afterGoal(core, known)
  }
  const signed = await state.putGoal(signGoal(core, goal))
  if (copies === 0) await state.dropPrepared(root)
  careOf(core, root)
  // many devices of one person are no choice
  const people = new Set(offersTo(core, goal.pools).map(({ person }) => person))
  if (people.size < goal.copies) core.seek()
  core.hurry()
  return signed
}

function assertGoal({ state }: KeeperCore, root: Root, { copies = 0, readers = [] }: GoalInit): void {
  if (!isRoot(root)) throw invalidGoal('a CID of version 1 in base32')
  if (!Number.isSafeInteger(copies) || copies < 0 || copies > COPIES_MAX) {
    throw invalidGoal(`0 to ${COPIES_MAX} copies`)
  }
  if (readers.length > GOAL_READERS_MAX) throw invalidGoal(`at most ${GOAL_READERS_MAX} readers`)
  if (!state.goals.has(root) && state.goals.size >= GOALS_MAX) throw limit(`${GOALS_MAX} goals`)
}

/** Only the fields that say something. */
function withoutAbsent<T extends object>(fields: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  const said = Object.entries(fields).filter(([, value]) => value !== undefined)
  return Object.fromEntries(said) as { [K in keyof T]: Exclude<T[K], undefined> }
}

function readQuota(core: KeeperCore): QuotaStatus {
  const items = quotaItems(core)
  const people = [...new Set(items.map(({ person }) => person))]
  return {
    ...(core.state.choice ?? { ...FIRST_CHOICE, spaceBytes: 0, publisherBytesMax: 0 }),
    usedBytes: bytesOf(items),
    held: core.state.held.size,
    fetching: core.fetching.size,
    publishers: people.map((person) => ({
      person,
      bytes: bytesOf(items, person),
      roots: items.filter((item) => item.person === person).length
    }))
  }
}

/** Offers say what is given now, and what is held without an agreement goes to others. */
async function agreementChanged(core: KeeperCore): Promise<void> {
  for (const { goal } of [...core.fetching.values()]) if (!isAgreed(core, goal)) cancelTaking(core, goal.root)
  const untilMs = core.clock.monotonicMs() + HAND_OFF_MS
  for (const { goal } of core.state.held.values()) {
    if (!mayStay(core, goal)) careOf(core, goal.root).handOffUntilMs ??= untilMs
    // what is agreed again stays
    else if (core.state.choice !== undefined && careOf(core, goal.root).handOffUntilMs !== undefined) {
      careOf(core, goal.root).handOffUntilMs = undefined
    }
  }
  shrink(core, untilMs)
  renewOffers(core, true)
  await renewGoals(core)
  core.seek()
  core.hurry()
}

/** A time after that of the goal before, where that is not of a clock that went back since. */
function afterGoal({ clock }: KeeperCore, before: Pick<Goal, 'issuedAtMs'>): number {
  const nowMs = Math.floor(clock.nowMs())
  return before.issuedAtMs > nowMs + CLOCK_AHEAD_MS ? nowMs : Math.max(nowMs, before.issuedAtMs + 1)
}

/** Goals name the pools of now. */
async function renewGoals(core: KeeperCore): Promise<void> {
  for (const { goal } of [...core.state.goals.values()]) {
    const pools = poolsOfGoal(core, goal)
    if (goal.copies === 0 || goal.pools.join() === pools.join()) continue
    const { root, copies, bytes, isPublic, readers } = goal
    const issuedAtMs = afterGoal(core, goal)
    const signed = signGoal(core, { root, copies, bytes, isPublic, readers, pools, issuedAtMs })
    await core.state.putGoal(signed)
  }
}

/** Looks for others of a pool now; that nobody is there is no failure. */
async function meetSoon(core: KeeperCore, pool: PoolId): Promise<void> {
  await core.network.announce(pool, { signal: core.signal }).catch(() => undefined)
  await meetIn(core, pool)
}

async function leave(core: KeeperCore, taking: Taking): Promise<void> {
  const { clock, state } = core
  for (const root of [...core.fetching.keys()]) cancelTaking(core, root)
  const choice = state.choice
  if (choice !== undefined) await state.setChoice({ ...choice, spaceBytes: 0 })
  const untilMs = clock.monotonicMs() + HAND_OFF_MS
  for (const root of state.held.keys()) careOf(core, root).handOffUntilMs ??= untilMs
  renewOffers(core, true)
  await taking.settled()
  while (state.held.size > 0) {
    core.hurry()
    await clock.sleep(1_000, core.signal)
  }
}

function assertGroupRoom({ state }: KeeperCore, id: PoolId): void {
  if (state.groups.size >= AGREEMENTS_MAX && !state.groups.has(id)) throw limit(`${AGREEMENTS_MAX} groups`)
}

function limit(what: string): ReplicationError {
  return new ReplicationError('ERR_REPLICA_LIMIT', `expected at most ${what}`)
}

function invalidOffer(what: string): ReplicationError {
  return new ReplicationError('ERR_REPLICA_OFFER_INVALID', `expected ${what}`)
}

function invalidGoal(what: string): ReplicationError {
  return new ReplicationError('ERR_REPLICA_GOAL_INVALID', `expected ${what}`)
}

function unknownGroup(): ReplicationError {
  return new ReplicationError('ERR_GROUP_UNKNOWN', 'nobody who was reached knows that group')
}
