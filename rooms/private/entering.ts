import type { Did } from '#did'
import { chainOf, type Branch } from './branches.ts'
import { BEFORE_WAIT_MS, COMMIT_TURN_MS, DEVICES_MAX, INTENTS_MAX } from './constants.ts'
import {
  currentMembers,
  isIn,
  membershipEvents,
  openIntents,
  rankOf,
  type Conversation,
  type Intent,
  type Step,
  type StepContext
} from './conversation.ts'
import { foreign, refused } from './errors.ts'
import type { SignedFrame } from './frame.ts'
import { enterGroup, infoOf, membersOf } from './group.ts'
import type { EpochFrame } from './hearing.ts'
import { decodeInfo, encodeInfo, mayBeIn, type ConversationInfo } from './info.ts'
import type { OwnPrekey } from './prekeys.ts'
import type { DeviceOfPerson } from './suite.ts'

type SyncFrame = Extract<SignedFrame, { kind: 'sync' }>

/**
 * Enters a conversation by a welcome. `known` is what this device knows of it already.
 *
 * @throws RoomError `ERR_PRIVATE_FOREIGN`, `ERR_PRIVATE_MALFORMED`, `ERR_PRIVATE_REFUSED`
 */
export async function takeWelcome(
  context: StepContext,
  { frame, prekey, known }: { frame: EpochFrame; prekey: OwnPrekey; known: Conversation | undefined }
): Promise<Step> {
  const { suite, nowMs } = context
  const state = await enterGroup(suite, frame.body, prekey)
  const { group, tip } = frame
  if (Buffer.from(state.groupContext.groupId).toString('hex') !== group)
    throw foreign('a welcome to its group')
  const info = decodeInfo(infoOf(state))
  const members = membersOf(state)
  const by = members.find(({ device }) => device === frame.from)
  if (by === undefined || !suite.isAllowed(by)) throw foreign('a welcome by a member')
  if (members.length > DEVICES_MAX || !members.every(({ person }) => mayBeIn(info, person)))
    throw refused('members that may be in this conversation')
  if (info.kind === 'direct' && !info.persons.includes(suite.own.person))
    throw refused('our own conversation')
  const branch: Branch = {
    ...{ tip, by: frame.from, added: [prekey.ref], removed: [] },
    ...{ learnedAtMs: nowMs, state, isWhole: true }
  }
  const opener = { person: by.person, device: by.device }
  if (known === undefined) {
    const conversation: Conversation = {
      ...{ group, info, root: tip, tip, branches: new Map([[tip, branch]]) },
      ...{ commits: new Map(), intents: [], hasLeft: false },
      ...(by.person === suite.own.person ? {} : { openedBy: by.person })
    }
    return { conversation, outgoing: [], events: [{ type: 'opened', group, by: opener }] }
  }
  return enterAgain(known, { branch, info, opener })
}

/**
 * The conversation with the names of the epochs before this device entered, which whoever took it in tells with the welcome: by them it
 * settles a fork that began before as everybody else does. If that was lost, or came before the welcome, any later frame of theirs tells them.
 * The same conversation when that is not what the frame says.
 */
export function withEpochsBefore(
  context: StepContext,
  conversation: Conversation,
  { from, chain }: SyncFrame
): Conversation {
  const { branches } = conversation
  const isUntold = (one: Branch | undefined): boolean =>
    one?.by === from && one.parent === undefined && one.before === undefined
  const at = chain.findIndex((name) => isUntold(branches.get(name)))
  const [entered, before] = [branches.get(chain[at] ?? ''), chain.slice(at + 1)]
  if (entered === undefined || before.length === 0) return conversation
  // Whoever was taken out since has no say in how forks end.
  if (!currentMembers(conversation).some(({ device }) => device === from)) return conversation
  const next = { ...conversation, branches: new Map(branches).set(entered.tip, { ...entered, before }) }
  return { ...next, intents: next.intents.map((intent) => released(context, next, intent)) }
}

/** A wish of before this device was taken in again, now that it knows what came before. */
function released(
  { signer, nowMs }: StepContext,
  conversation: Conversation,
  { isHeld, ...intent }: Intent
): Intent {
  if (isHeld !== true) return intent
  // Others who entered with this device want the same people out: in turn.
  const turn = intent.prekey === undefined ? rankOf(conversation, signer.did) : 0
  return { ...intent, dueAtMs: nowMs + (1 + turn) * COMMIT_TURN_MS }
}

function enterAgain(
  known: Conversation,
  { branch, info, opener }: { branch: Branch; info: ConversationInfo; opener: DeviceOfPerson }
): Step {
  const { group } = known
  if (Buffer.compare(encodeInfo(info), encodeInfo(known.info)) !== 0) throw refused('the same conversation')
  // Who knows the number of a group could else put this device into another one of that number.
  const isByMember = currentMembers(known).some(({ device }) => device === opener.device)
  if (isIn(known) && !isByMember) throw foreign('a welcome by a member we know')
  const branches = new Map(known.branches)
  const before = branches.get(known.tip)
  if (before !== undefined) branches.set(before.tip, { ...before, supersededAtMs: branch.learnedAtMs })
  branches.set(branch.tip, branch)
  const { rejoinAskedAtMs: _, ...rest } = known
  const entered = { ...rest, root: branch.tip, tip: branch.tip, branches, hasLeft: false }
  const conversation = { ...entered, intents: intentsAfter(known, entered, branch.learnedAtMs) }
  return {
    conversation,
    outgoing: [],
    events: isIn(known) ? membershipEvents(known, conversation) : [{ type: 'opened', group, by: opener }]
  }
}

/**
 * What is still wanted where this device was taken in again: out, whom the others took out where it was until now, as a fork that is too old
 * to be read is settled without regard to that; and in, whom it invited there itself. Neither before it knows whether that was in an
 * epoch that both sides share, after which they may have been taken out, or in, once more. Whom it took in *again* there is as lost as it was itself, and
 * asks again when they hear each other: taking them out and in once more would only make old what others do.
 */
function intentsAfter(known: Conversation, entered: Conversation, nowMs: number): readonly Intent[] {
  const waits = { isHeld: true, dueAtMs: nowMs + BEFORE_WAIT_MS } as const
  const out = removedOn(known)
  const [open, members] = [openIntents(known), currentMembers(entered)]
  const kept = known.intents
    .filter(({ isRejoin, invitedRef }) => !isRejoin || invitedRef !== undefined)
    // Who was taken out after they were invited is invited no more.
    .filter((intent) => !out.has(intent.device) || open.includes(intent))
    .map((intent) => ({ ...intent, isRejoin: false, ...waits }))
  const wished = kept.map(({ device }) => device)
  const removals = [...out]
    .filter(([device]) => !wished.includes(device) && members.some((member) => member.device === device))
    .map(([device, removedIn]) => ({ device, removedIn, isRejoin: false, askedAtMs: nowMs, ...waits }))
  return [...removals, ...kept].slice(0, INTENTS_MAX)
}

/** Who was taken out and is not in again, as far as this device remembers, and the epoch that it was done by. */
function removedOn(conversation: Conversation): ReadonlyMap<Did, string> {
  const removed = new Map<Did, string>()
  // Whoever is out itself has no say in it.
  if (!isIn(conversation)) return removed
  const members = currentMembers(conversation)
  for (const name of chainOf(conversation.branches, conversation.tip))
    for (const device of conversation.branches.get(name)?.removed ?? [])
      if (!removed.has(device) && !members.some((member) => member.device === device))
        removed.set(device, name)
  return removed
}
