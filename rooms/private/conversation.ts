import type { ClientState } from 'ts-mls'
import type { Did, Signer } from '#did'
import { RoomError } from '../errors.ts'
import { chainOf, chooseTip, forgetOld, namesOf, type Branch, type Branches } from './branches.ts'
import { COMMIT_RANK_MAX, COMMIT_TURN_MS, EPOCHS_NAMED_MAX, INTENTS_MAX, INTENT_MS } from './constants.ts'
import { sealFrame, type Frame } from './frame.ts'
import { membersOf, type GroupMember } from './group.ts'
import type { ConversationInfo } from './info.ts'
import type { Prekey } from './prekeys.ts'
import type { DeviceOfPerson, Suite } from './suite.ts'

/** A change that somebody wants, until it is made and no fork can undo it any more. */
export interface Intent {
  readonly askedAtMs: number
  /** When it is this device's turn to make it. */
  readonly dueAtMs: number
  readonly device: Did
  /** The prekey to take the device in by; without it the device is to be taken out. */
  readonly prekey?: Pick<Prekey, 'bytes' | 'ref'>
  /** The device lost the thread: it is taken out and in again. */
  readonly isRejoin: boolean
  /** The prekey by which this device was to take it in for the first time, before it lost the thread. */
  readonly invitedRef?: string
  /** The epoch by which the device was taken out on the side of a fork that gave way: where it counts, nothing is left to do. */
  readonly removedIn?: string
  /** Wished before this device was taken in again: it waits until the epochs before are known, an invitation in vain from `dueAtMs` on. */
  readonly isHeld?: true
}

/** A private room or a direct conversation, as this device knows it. Never changed: each step makes a new one. */
export interface Conversation {
  readonly group: string
  readonly info: ConversationInfo
  /** The epoch in which this device entered, or the oldest it remembers. */
  readonly root: string
  /** The epoch in which this device speaks. */
  readonly tip: string
  readonly branches: Branches
  /** The commits that led to the epochs, as they came, for those who missed them. */
  readonly commits: ReadonlyMap<string, Uint8Array>
  readonly intents: readonly Intent[]
  /** This device left of its own accord. */
  readonly hasLeft: boolean
  /** Somebody else took this device in, and nobody of this person said anything in it yet. */
  readonly openedBy?: Did
  /** When it last asked to be taken in again, because its thread was lost. */
  readonly rejoinAskedAtMs?: number
}

/** What happened in a conversation. */
export type PrivateEvent =
  | {
      readonly type: 'text'
      readonly group: string
      /** The same on every device. */
      readonly id: string
      readonly from: DeviceOfPerson
      readonly text: string
      readonly sentAtMs: number
      readonly isSelf: boolean
    }
  | { readonly type: 'opened'; readonly group: string; readonly by: DeviceOfPerson }
  | {
      readonly type: 'members'
      readonly group: string
      readonly added: readonly DeviceOfPerson[]
      readonly removed: readonly DeviceOfPerson[]
    }
  | { readonly type: 'out' | 'rejoining'; readonly group: string }
  /** This consumer was too slow and missed some. */
  | { readonly type: 'missed' }

/** A frame on its way to a device. */
export interface Outgoing {
  readonly to: Did
  readonly bytes: Uint8Array
}

/** What a step needs besides the conversation. */
export interface StepContext {
  readonly suite: Suite
  readonly signer: Signer
  readonly nowMs: number
}

/** What a step leads to. All of it is stored at once, before anything is sent or shown. */
export interface Step {
  readonly conversation: Conversation
  readonly outgoing: readonly Outgoing[]
  readonly events: readonly PrivateEvent[]
  /** Others went on without this device: it has to ask to be taken in again. */
  readonly isLost?: boolean
}

/** The devices that are in now; none once this device is out. */
export function currentMembers(conversation: Conversation): readonly GroupMember[] {
  const state = conversation.branches.get(conversation.tip)?.state
  return state === undefined ? [] : membersOf(state)
}

/** The devices that are in now or, once this device is out, that were in the newest epoch whose keys are kept; none after that. */
export function lastMembers({ branches, tip }: Conversation): readonly GroupMember[] {
  const states = chainOf(branches, tip).map((name) => branches.get(name)?.state)
  const newest = states.find((state) => state !== undefined)
  return newest === undefined ? [] : membersOf(newest)
}

/** Whether this device takes part now. */
export function isIn(conversation: Conversation): boolean {
  return !conversation.hasLeft && conversation.branches.get(conversation.tip)?.isWhole === true
}

/** The state to speak with. @throws RoomError `ERR_PRIVATE_UNKNOWN` when this device is out */
export function speakingState(conversation: Conversation): ClientState {
  const state = conversation.branches.get(conversation.tip)?.state
  if (!isIn(conversation) || state === undefined)
    throw new RoomError('ERR_PRIVATE_UNKNOWN', 'expected a conversation that this device is in')
  return state
}

/** A frame for each of `devices` but this one. */
export function toDevices(
  { signer }: StepContext,
  devices: readonly Did[],
  frame: Frame
): readonly Outgoing[] {
  const bytes = sealFrame(signer, frame)
  return [...new Set(devices)].filter((to) => to !== signer.did).map((to) => ({ to, bytes }))
}

/** The conversation with a branch more, and with what that changes: the newest epoch, who is in, whose turn it is. */
export function withBranch(
  context: StepContext,
  conversation: Conversation,
  { branch, commit }: { readonly branch: Branch; readonly commit: Uint8Array }
): Pick<Step, 'conversation' | 'events'> {
  const branches = new Map(conversation.branches).set(branch.tip, branch)
  const commits = new Map(conversation.commits).set(branch.tip, commit)
  const next = { ...conversation, branches, commits }
  const tip = chooseTip(branches, conversation.root, allowedIn(context, next))
  if (tip === conversation.tip) return following(context, next, branch)
  return movedTo(context, next, { root: conversation.root, tip })
}

/**
 * The conversation where it goes on by what `by` did in the known epoch `tip`. A device that was taken in on both sides of a fork, as by
 * two who invited it at once, knows the commits on neither, so that no rule settles the fork for it: it goes where more has happened, and
 * by the smaller hash where as much has, as others do who know both. It follows nobody who is not in any more, who could otherwise lead it
 * back to a side on which they are.
 */
export function following(
  context: StepContext,
  conversation: Conversation,
  { tip: epoch, by }: Pick<Branch, 'tip' | 'by'>
): Pick<Step, 'conversation' | 'events'> {
  const { branches } = conversation
  const stays = { conversation, events: [] }
  if (!currentMembers(conversation).some(({ device }) => device === by)) return stays
  const root = chainOf(branches, epoch).at(-1)
  if (root === undefined || root === chainOf(branches, conversation.tip).at(-1) || !isIn(conversation))
    return stays
  const tip = chooseTip(branches, root, allowedIn(context, conversation))
  const there = branches.get(tip)
  if (there?.state === undefined || !there.isWhole) return stays
  const [theirs, ours] = [there.state.groupContext.epoch, speakingState(conversation).groupContext.epoch]
  if (theirs < ours || (theirs === ours && tip > conversation.tip)) return stays
  return movedTo(context, conversation, { root, tip })
}

/** Whether a device that is or was a member may take part, as this device sees it. */
function allowedIn({ suite }: StepContext, { branches }: Conversation): (did: Did) => boolean {
  return (did) => {
    const members = [...branches.values()].flatMap(({ state }) => (state ? membersOf(state) : []))
    const known = members.find(({ device }) => device === did)
    return known === undefined || suite.isAllowed(known)
  }
}

function movedTo(
  context: StepContext,
  conversation: Conversation,
  { root, tip }: Pick<Conversation, 'root' | 'tip'>
): Pick<Step, 'conversation' | 'events'> {
  const branches = new Map(conversation.branches)
  const before = branches.get(conversation.tip)
  if (before !== undefined) branches.set(before.tip, { ...before, supersededAtMs: context.nowMs })
  const isFork = branches.get(tip)?.parent !== conversation.tip
  const moved: Conversation = { ...conversation, branches, root, tip }
  const turned = isFork ? withNewTurns(context, moved) : moved
  return { conversation: turned, events: membershipEvents(conversation, turned) }
}

/** The conversation once somebody of this person spoke in it: no stranger's any more. */
export function withoutOpener({ openedBy: _, ...rest }: Conversation): Conversation {
  return rest
}

/** Puts down what somebody wants; a newer wish about the same device replaces an older one. */
export function withIntents(
  context: StepContext,
  conversation: Conversation,
  intents: readonly Omit<Intent, 'askedAtMs' | 'dueAtMs'>[]
): Conversation {
  const { nowMs } = context
  const devices = intents.map(({ device }) => device)
  const others = conversation.intents.filter(
    ({ device, askedAtMs }) => !devices.includes(device) && nowMs - askedAtMs < INTENT_MS
  )
  const added = intents.map((intent) => ({ ...intent, askedAtMs: nowMs, dueAtMs: nowMs }))
  const next = { ...conversation, intents: [...others, ...added].slice(-INTENTS_MAX) }
  return withNewTurns(context, next, devices)
}

/** The intents that the newest epoch does not fulfil. */
export function openIntents(conversation: Conversation): readonly Intent[] {
  const members = currentMembers(conversation)
  // Of the epochs before this device was taken in again, too: who was taken out since is not wanted any more.
  const names = namesOf(conversation.branches, conversation.tip)
  const refs = names.flatMap((tip) => conversation.branches.get(tip)?.added ?? [])
  return conversation.intents.filter(({ device, prekey, isRejoin, invitedRef = '', ...more }) => {
    const isMember = members.some((member) => member.device === device)
    if (prekey === undefined) return isMember && !names.includes(more.removedIn ?? '')
    if (more.isHeld === true || refs.includes(prekey.ref)) return false
    return isRejoin || (!isMember && !refs.includes(invitedRef))
  })
}

/** Who commits when: the member with the lowest leaf at once, the next a turn later, and so on. */
export function rankOf(conversation: Conversation, device: Did): number {
  const leaving = openIntents(conversation).map((intent) => intent.device)
  const staying = currentMembers(conversation).filter((member) => !leaving.includes(member.device))
  const rank = staying.findIndex((member) => member.device === device)
  return rank < 0 ? COMMIT_RANK_MAX : Math.min(rank, COMMIT_RANK_MAX)
}

/** Forgets what time has made useless; the same object when that is nothing. */
export function tidied(conversation: Conversation, nowMs: number): Conversation {
  const { tip, root } = conversation
  const kept = forgetOld(conversation.branches, { tip, root, nowMs })
  const intents = conversation.intents.filter(
    ({ askedAtMs, dueAtMs, isHeld, prekey }) =>
      nowMs - askedAtMs < INTENT_MS && !(isHeld === true && prekey !== undefined && nowMs >= dueAtMs)
  )
  const isSame = kept.branches === conversation.branches && intents.length === conversation.intents.length
  if (isSame && conversation.commits.size <= EPOCHS_NAMED_MAX) return conversation
  const commits = new Map(
    [...conversation.commits].filter(([name]) => kept.branches.has(name)).slice(-EPOCHS_NAMED_MAX)
  )
  return { ...conversation, ...kept, commits, intents }
}

/** A conversation that was left: nothing of it can be read or written any more. */
export function withoutKeys(conversation: Conversation): Conversation {
  const { rejoinAskedAtMs: _, ...rest } = conversation
  const branches = [...rest.branches.values()].map(({ state: __, ...branch }) => ({
    ...branch,
    isWhole: false
  }))
  const named = new Map(branches.map((branch) => [branch.tip, branch]))
  return { ...rest, branches: named, commits: new Map(), intents: [], hasLeft: true }
}

function withNewTurns(
  { signer, nowMs }: StepContext,
  conversation: Conversation,
  devices?: readonly Did[]
): Conversation {
  const dueAtMs = nowMs + rankOf(conversation, signer.did) * COMMIT_TURN_MS
  const isTurned = ({ device, isHeld }: Intent): boolean =>
    devices === undefined ? isHeld !== true : devices.includes(device)
  const intents = conversation.intents.map((intent) => (isTurned(intent) ? { ...intent, dueAtMs } : intent))
  return { ...conversation, intents }
}

/** What changed of who is in, or that this device is out. */
export function membershipEvents(before: Conversation, after: Conversation): readonly PrivateEvent[] {
  const { group } = after
  if (!isIn(after)) return isIn(before) ? [{ type: 'out', group }] : []
  const [old, now] = [currentMembers(before), currentMembers(after)]
  const isAmong = (members: readonly GroupMember[], device: Did): boolean =>
    members.some((member) => member.device === device)
  const added = now.filter(({ device }) => !isAmong(old, device))
  const removed = old.filter(({ device }) => !isAmong(now, device))
  if (added.length + removed.length === 0) return []
  const plain = ({ person, device }: GroupMember): DeviceOfPerson => ({ person, device })
  return [{ type: 'members', group, added: added.map(plain), removed: removed.map(plain) }]
}
