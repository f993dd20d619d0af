import { chainOf, namesOf, type Branch } from './branches.ts'
import { DEVICES_MAX, REJOIN_INTERVAL_MS, SYNC_COMMITS_MAX } from './constants.ts'
import {
  currentMembers,
  following,
  isIn,
  openIntents,
  speakingState,
  toDevices,
  withBranch,
  withIntents,
  withoutOpener,
  type Conversation,
  type Step,
  type StepContext
} from './conversation.ts'
import { foreign, stale } from './errors.ts'
import { tipOf, type Frame, type SignedFrame } from './frame.ts'
import { membersOf, readMessage, type GroupChange } from './group.ts'
import { mayBeIn, type ConversationInfo } from './info.ts'
import { decodePayload } from './payload.ts'
import { readPrekey, type OwnPrekey } from './prekeys.ts'
import { commitDue } from './speaking.ts'
import type { DeviceOfPerson } from './suite.ts'

type FrameOf<Kind extends Frame['kind']> = Extract<SignedFrame, { kind: Kind }>
/** A frame that belongs to an epoch. */
export type EpochFrame = FrameOf<'welcome' | 'commit' | 'message'>

/** Takes a commit or a message; `'hold'` when its epoch is not known yet. @throws as both do */
export async function takeEpoch(
  context: StepContext,
  conversation: Conversation,
  { frame, bytes }: { readonly frame: EpochFrame; readonly bytes: Uint8Array }
): Promise<Step | 'hold'> {
  return frame.kind === 'commit'
    ? await takeCommit(context, conversation, { frame, bytes })
    : await takeMessage(context, conversation, frame)
}

/**
 * Takes a commit. `'hold'` when the epoch it ends is not known yet.
 *
 * @throws RoomError `ERR_PRIVATE_FOREIGN`, `ERR_PRIVATE_STALE`, `ERR_PRIVATE_REFUSED`, `ERR_PRIVATE_MALFORMED`
 */
async function takeCommit(
  context: StepContext,
  conversation: Conversation,
  { frame, bytes }: { readonly frame: EpochFrame; readonly bytes: Uint8Array }
): Promise<Step | 'hold'> {
  const tip = tipOf(frame.body)
  if (conversation.branches.has(tip) || frame.from === context.signer.did) return unchanged(conversation)
  const parent = conversation.branches.get(frame.tip)
  if (parent === undefined) return 'hold'
  if (parent.state === undefined || !parent.isWhole) throw stale('a commit on an epoch whose keys are kept')
  assertMember(parent, frame)
  const judge = (change: GroupChange): boolean => isAllowed(conversation.info, parent, change)
  const read = await readMessage(context.suite, parent.state, { bytes: frame.body, judge })
  if (read.kind === 'ahead') return 'hold'
  if (read.kind !== 'commit' || read.from !== frame.from) throw foreign('a commit of the device that sent it')
  const { added, removed } = read.change
  const branch: Branch = {
    ...{ tip, parent: parent.tip, by: read.from, learnedAtMs: context.nowMs },
    added: added.map(({ ref }) => ref),
    removed: removed.map(({ device }) => device),
    // Whoever was taken out has no use for the keys, and does not keep them.
    ...(read.isRemoved ? { isWhole: false } : { isWhole: true, state: read.state })
  }
  const { conversation: next, events } = withBranch(context, conversation, { branch, commit: bytes })
  return { conversation: withoutRejoins(next, branch.removed), events, outgoing: [] }
}

/** Who was taken out by somebody else, and is out, is not taken in by this device for having lost the thread before. */
function withoutRejoins(conversation: Conversation, removed: Branch['removed']): Conversation {
  const members = currentMembers(conversation)
  const gone = removed.filter((device) => !members.some((member) => member.device === device))
  const intents = conversation.intents.filter(({ device, isRejoin }) => !(isRejoin && gone.includes(device)))
  return intents.length === conversation.intents.length ? conversation : { ...conversation, intents }
}

/**
 * Takes a message. `'hold'` when its epoch is not known yet.
 *
 * @throws RoomError `ERR_PRIVATE_FOREIGN`, `ERR_PRIVATE_STALE`, `ERR_PRIVATE_MALFORMED`
 */
async function takeMessage(
  context: StepContext,
  conversation: Conversation,
  frame: EpochFrame
): Promise<Step | 'hold'> {
  if (frame.from === context.signer.did) return unchanged(conversation)
  const branch = conversation.branches.get(frame.tip)
  if (branch === undefined) return 'hold'
  if (branch.state === undefined) throw stale('a message of an epoch whose keys are kept')
  const from = assertMember(branch, frame)
  const judge = (): boolean => false
  const read = await readMessage(context.suite, branch.state, { bytes: frame.body, judge })
  if (read.kind === 'ahead') return 'hold'
  if (read.kind !== 'application' || read.from !== frame.from)
    throw foreign('a message of the device that sent it')
  const branches = new Map(conversation.branches).set(branch.tip, { ...branch, state: read.state })
  const heard = { ...conversation, branches }
  const { group } = conversation
  if (!context.suite.isAllowed(from)) return unchanged(heard)
  const { conversation: next, events } = following(context, heard, { tip: branch.tip, by: frame.from })
  const payload = decodePayload(read.bytes)
  if (payload.kind === 'ask') {
    const step = await takeAsk(context, next, { payload, from })
    return { ...step, events: [...events, ...step.events] }
  }
  const { text, sentAtMs } = payload
  const says = { text, sentAtMs, isSelf: from.person === context.suite.own.person }
  const id = tipOf(frame.body)
  const after = says.isSelf ? withoutOpener(next) : next
  return {
    conversation: after,
    outgoing: [],
    events: [...events, { type: 'text', group, id, from, ...says }]
  }
}

/**
 * Somebody tells which epochs they know: they get what they miss, and are asked for what we miss. `heardEpoch` is the highest
 * number of an epoch of theirs in which they said something that this device cannot read.
 */
export function takeSync(
  context: StepContext,
  conversation: Conversation,
  { frame, heardEpoch }: { readonly frame: FrameOf<'sync'>; readonly heardEpoch: bigint | undefined }
): Step {
  if (!isIn(conversation)) return unchanged(conversation)
  assertCurrent(conversation, frame)
  const own = namesOf(conversation.branches, conversation.tip)
  const common = own.findIndex((tip) => frame.chain.includes(tip))
  const theirs = frame.chain.indexOf(own[common] ?? '')
  const commits = missedBy(conversation, own, { chain: frame.chain, common })
  const outgoing = commits.map((bytes) => ({ to: frame.from, bytes }))
  const [ourNext, theirNext] = [own[common - 1], frame.chain[theirs - 1]]
  const isBehind = common < 0 || theirNext !== undefined
  if (isBehind) outgoing.push(...tellEpochs(context, conversation, frame.from))
  // They are behind, and what comes next was before this device entered: who finds no epoch in common asks to be taken in.
  const isOutOfReach = !isBehind && ourNext !== undefined && commits.length === 0
  if (isOutOfReach)
    outgoing.push(
      ...tell(context, conversation, {
        to: frame.from,
        chain: chainOf(conversation.branches, conversation.tip)
      })
    )
  // Both went on from the same epoch, too long ago to settle it by reading: the smaller hash goes on, as in any fork.
  const isSettled = common >= 0 && conversation.branches.get(own[common] ?? '')?.isWhole !== true
  const isLost = theirNext !== undefined && isSettled && (ourNext === undefined || theirNext < ourNext)
  const isStranger = common < 0 && isOvertaken(conversation, frame, heardEpoch)
  return { conversation, outgoing, events: [], isLost: isLost || isStranger }
}

/** The commits that somebody misses; none where nothing they know is what the oldest of them ended. */
function missedBy(
  { branches, commits }: Conversation,
  own: readonly string[],
  { chain, common }: { readonly chain: readonly string[]; readonly common: number }
): readonly Uint8Array[] {
  const before = branches.get(own.at(-1) ?? '')?.parent
  const isLinked = common >= 0 || (before !== undefined && chain.includes(before))
  const missed = isLinked ? own.slice(0, common < 0 ? own.length : common) : []
  // Without the oldest of them the others are of no use: this device entered after it.
  if (!commits.has(missed.at(-1) ?? '')) return []
  return missed
    .slice(-SYNC_COMMITS_MAX)
    .reverse()
    .flatMap((tip) => commits.get(tip) ?? [])
}

/**
 * Whether this device, which knows no epoch of somebody's, is the one that lost the thread. Whoever entered on one side of a fork
 * cannot tell how it is settled. The side that went on further takes in the other, and is then further still: the names of the newest epochs,
 * which change with every one that is taken in, would say now this side and now that.
 */
function isOvertaken(
  conversation: Conversation,
  frame: FrameOf<'sync'>,
  heardEpoch: bigint | undefined
): boolean {
  const ownEpoch = speakingState(conversation).groupContext.epoch
  if (heardEpoch === undefined || heardEpoch < ownEpoch) return false
  return heardEpoch > ownEpoch || (frame.chain[0] ?? '') < conversation.tip
}

/** A frame that tells a device which epochs this one knows. */
export function tellEpochs(
  context: StepContext,
  conversation: Conversation,
  to: SignedFrame['from']
): Step['outgoing'] {
  return tell(context, conversation, { to, chain: namesOf(conversation.branches, conversation.tip) })
}

function tell(
  context: StepContext,
  { group }: Conversation,
  { to, chain }: { readonly to: SignedFrame['from']; readonly chain: readonly string[] }
): Step['outgoing'] {
  return toDevices(context, [to], { kind: 'sync', group, chain })
}

/**
 * A device of a member wants in (again), because it lost the thread or is new.
 *
 * @throws RoomError `ERR_PRIVATE_FOREIGN`, and what `readPrekey` throws
 */
export async function takeRejoin(
  context: StepContext,
  conversation: Conversation,
  frame: FrameOf<'rejoin'>
): Promise<Step> {
  if (!isIn(conversation)) return unchanged(conversation)
  const prekey = await readPrekey(context.suite, frame.body, context.nowMs)
  const isOurs = currentMembers(conversation).some(({ person }) => person === prekey.person)
  if (prekey.device !== frame.from || !isOurs) throw foreign('a device of a member')
  const { device, bytes, ref } = prekey
  // Who is on the way out would else come in again by asking for it.
  const isLeaving = openIntents(conversation).some((one) => one.device === device && one.prekey === undefined)
  if (isLeaving) return unchanged(conversation)
  const isSoon = conversation.intents.some(
    (intent) =>
      intent.device === device && intent.isRejoin && context.nowMs - intent.askedAtMs < REJOIN_INTERVAL_MS
  )
  if (isSoon) return unchanged(conversation)
  const before = conversation.intents.find((one) => one.device === device)
  const invitedRef = before?.isRejoin === true ? before.invitedRef : before?.prekey?.ref
  const again = { device, prekey: { bytes, ref }, isRejoin: true }
  const intent = invitedRef === undefined ? again : { ...again, invitedRef }
  return await commitDue(context, withIntents(context, conversation, [intent]))
}

/** Asks a device that went on otherwise to take this one in again; those who are here as lost as this one could not. */
export function askRejoin(
  context: StepContext,
  conversation: Conversation,
  { prekey, to }: { readonly prekey: OwnPrekey; readonly to: SignedFrame['from'] }
): Step {
  const { group } = conversation
  const outgoing = toDevices(context, [to], { kind: 'rejoin', group, body: prekey.bytes })
  const next = { ...conversation, rejoinAskedAtMs: context.nowMs }
  return { conversation: next, outgoing, events: [{ type: 'rejoining', group }] }
}

/**
 * What somebody asks for is done when they may ask for it: their own devices out, anybody in, the founder all. Who is not in any more
 * asks in vain, though what they say in an epoch in which they were can be read.
 */
async function takeAsk(
  context: StepContext,
  conversation: Conversation,
  {
    payload,
    from
  }: { payload: { add: readonly Uint8Array[]; remove: readonly SignedFrame['from'][] }; from: DeviceOfPerson }
): Promise<Step> {
  const { info } = conversation
  const members = currentMembers(conversation)
  if (!members.some(({ device }) => device === from.device)) return unchanged(conversation)
  const removable = members.filter(
    (member) =>
      member.person === from.person || info.foundedBy === from.person || !context.suite.isAllowed(member)
  )
  const isRemovable = (device: string): boolean => removable.some((member) => member.device === device)
  const prekeys = []
  for (const bytes of payload.add) prekeys.push(await readPrekey(context.suite, bytes, context.nowMs))
  const next = withIntents(context, conversation, [
    ...prekeys
      .filter(({ person }) => mayBeIn(info, person))
      .map(({ device, bytes, ref }) => ({ device, prekey: { bytes, ref }, isRejoin: false })),
    ...payload.remove.filter(isRemovable).map((device) => ({ device, isRejoin: false }))
  ])
  return isIn(next) ? await commitDue(context, next) : unchanged(next)
}

function isAllowed(info: ConversationInfo, parent: Branch, { added, removed }: GroupChange): boolean {
  const before = parent.state === undefined ? 0 : membersOf(parent.state).length
  if (before + added.length - removed.length > DEVICES_MAX) return false
  return added.every(({ member }) => mayBeIn(info, member.person))
}

function assertMember(branch: Branch, frame: SignedFrame): DeviceOfPerson {
  const members = branch.state === undefined ? [] : membersOf(branch.state)
  const found = members.find(({ device }) => device === frame.from)
  if (found === undefined) throw foreign('a frame of a member')
  return { person: found.person, device: found.device }
}

function assertCurrent(conversation: Conversation, frame: SignedFrame): void {
  if (!currentMembers(conversation).some(({ device }) => device === frame.from))
    throw foreign('a frame of a member')
}

function unchanged(conversation: Conversation): Step {
  return { conversation, outgoing: [], events: [] }
}
