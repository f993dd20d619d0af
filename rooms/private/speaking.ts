import type { ClientState } from 'ts-mls'
import { errorCode } from '#contracts'
import type { Did } from '#did'
import { parseText } from '../text.ts'
import { RoomError } from '../errors.ts'
import { DEVICES_MAX } from './constants.ts'
import {
  currentMembers,
  isIn,
  openIntents,
  rankOf,
  speakingState,
  toDevices,
  withBranch,
  withIntents,
  withoutOpener,
  type Conversation,
  type Intent,
  type Outgoing,
  type PrivateEvent,
  type Step,
  type StepContext
} from './conversation.ts'
import { namesOf } from './branches.ts'
import { sealFrame, tipOf } from './frame.ts'
import { commitChange, encryptFor, foundGroup, membersOf } from './group.ts'
import { encodeInfo, type ConversationInfo } from './info.ts'
import { encodePayload, type Payload } from './payload.ts'
import { readPrekey, type Prekey } from './prekeys.ts'

/** A device that was taken in again needs two commits: one that takes it out, one that takes it in. */
const COMMITS_MAX = 2

/** A conversation of this device alone. */
export async function foundConversation(
  { suite, signer, nowMs }: StepContext,
  { group, info }: { readonly group: Uint8Array; readonly info: ConversationInfo }
): Promise<Conversation> {
  const state = await foundGroup(suite, group, encodeInfo(info))
  const tip = tipOf(group)
  const says = { added: [], removed: [], learnedAtMs: nowMs, isWhole: true }
  const branch = { tip, by: signer.did, state, ...says }
  return {
    ...{ group: Buffer.from(group).toString('hex'), info, root: tip, tip },
    ...{ branches: new Map([[tip, branch]]), commits: new Map(), intents: [], hasLeft: false }
  }
}

/** Says a text to everybody in the conversation. @throws RoomError `ERR_TEXT_…`, `ERR_PRIVATE_UNKNOWN` */
export async function sayIn(
  context: StepContext,
  conversation: Conversation,
  text: string
): Promise<Step & { readonly id: string }> {
  const { nowMs, suite } = context
  const payload: Payload = { kind: 'text', text: parseText(text), sentAtMs: nowMs }
  const said = await send(context, conversation, payload)
  const { group } = conversation
  const from = suite.own
  const event: PrivateEvent = {
    ...{ type: 'text', group, id: said.id, from, isSelf: true },
    ...{ text: payload.text, sentAtMs: nowMs }
  }
  return { ...said, conversation: withoutOpener(said.conversation), events: [event] }
}

/**
 * Wants devices in or out: makes the change when it is this device's turn, else asks who has it.
 *
 * @throws RoomError `ERR_PRIVATE_UNKNOWN`, `ERR_PRIVATE_FULL`, `ERR_PRIVATE_REFUSED` when the conversation takes nobody else in
 */
export async function askFor(
  context: StepContext,
  conversation: Conversation,
  { add, remove }: { readonly add: readonly Prekey[]; readonly remove: readonly Did[] }
): Promise<Step> {
  speakingState(conversation)
  const { kind, persons } = conversation.info
  if (kind === 'direct' && !add.every(({ person }) => persons.includes(person)))
    throw new RoomError('ERR_PRIVATE_REFUSED', 'expected one of the two persons of a direct conversation')
  if (currentMembers(conversation).length + add.length > DEVICES_MAX)
    throw new RoomError('ERR_PRIVATE_FULL', `expected at most ${DEVICES_MAX} devices`)
  const wanted = withIntents(context, conversation, [
    ...add.map(({ device, bytes, ref }) => ({ device, prekey: { bytes, ref }, isRejoin: false })),
    ...remove.map((device) => ({ device, isRejoin: false }))
  ])
  const isTurn = rankOf(wanted, context.signer.did) === 0
  if (isTurn) return await commitDue(context, wanted)
  const prekeys = add.map(({ bytes }) => bytes)
  const asked = await send(context, wanted, { kind: 'ask', add: prekeys, remove })
  return { ...asked, events: [] }
}

/** Makes the changes whose turn has come. */
export async function commitDue(context: StepContext, conversation: Conversation): Promise<Step> {
  let step: Step = { conversation, outgoing: [], events: [] }
  for (let count = 0; count < COMMITS_MAX; count++) {
    const next = await commitOnce(context, step.conversation)
    if (next === undefined) break
    step = {
      conversation: next.conversation,
      outgoing: [...step.outgoing, ...next.outgoing],
      events: [...step.events, ...next.events]
    }
  }
  return step
}

/** Encrypts a payload and addresses it to every other device. */
async function send(
  context: StepContext,
  conversation: Conversation,
  payload: Payload
): Promise<Step & { readonly id: string }> {
  const { group, tip } = conversation
  const before = speakingState(conversation)
  const { state, message } = await encryptFor(context.suite, before, encodePayload(payload))
  const branch = conversation.branches.get(tip)
  const branches = new Map(conversation.branches)
  if (branch !== undefined) branches.set(tip, { ...branch, state })
  const devices = membersOf(state).map(({ device }) => device)
  const outgoing = toDevices(context, devices, { kind: 'message', group, tip, body: message })
  return { conversation: { ...conversation, branches }, outgoing, events: [], id: tipOf(message) }
}

interface Due {
  readonly add: readonly Prekey[]
  readonly remove: readonly number[]
}

/** What is due and can be done in one commit. A device is never taken in while it is in: it is taken out first. */
async function dueChange(
  { suite, signer, nowMs }: StepContext,
  conversation: Conversation
): Promise<Due & { readonly hopeless: readonly Intent[] }> {
  const members = currentMembers(conversation)
  const add: Prekey[] = []
  const remove: number[] = []
  const hopeless: Intent[] = []
  const due = openIntents(conversation).filter(
    ({ device, dueAtMs }) => dueAtMs <= nowMs && device !== signer.did
  )
  for (const intent of due) {
    const member = members.find(({ device }) => device === intent.device)
    if (member !== undefined) remove.push(member.leaf)
    else if (intent.prekey !== undefined) {
      const prekey = await readPrekey(suite, intent.prekey.bytes, nowMs).catch(() => undefined)
      if (prekey !== undefined && members.length + add.length < DEVICES_MAX) add.push(prekey)
      else hopeless.push(intent)
    }
  }
  return { add, remove, hopeless }
}

/** Makes the change; without those prekeys that MLS takes in none with, when it refuses. Absent when nothing is left of it. */
async function commitWhatCan(
  { suite }: StepContext,
  before: ClientState,
  { add, remove }: Due
): Promise<(Due & { readonly made: Awaited<ReturnType<typeof commitChange>> }) | undefined> {
  const attempt = async (due: Due): ReturnType<typeof commitChange> => await commitChange(suite, before, due)
  try {
    return { add, remove, made: await attempt({ add, remove }) }
  } catch (error) {
    if (errorCode(error) !== 'ERR_PRIVATE_REFUSED') throw error
  }
  const good: Prekey[] = []
  for (const one of add)
    await attempt({ add: [one], remove: [] }).then(
      () => good.push(one),
      () => undefined
    )
  if (good.length === add.length || good.length + remove.length === 0) return undefined
  const rest = { add: good, remove }
  return await attempt(rest).then(
    (made) => ({ ...rest, made }),
    () => undefined
  )
}

async function commitOnce(context: StepContext, conversation: Conversation): Promise<Step | undefined> {
  if (!isIn(conversation)) return undefined
  const { signer, nowMs } = context
  const due = await dueChange(context, conversation)
  if (due.add.length + due.remove.length + due.hopeless.length === 0) return undefined
  const { group, tip: parent } = conversation
  const before = speakingState(conversation)
  const members = membersOf(before)
  const isAny = due.add.length + due.remove.length > 0
  const can = isAny ? await commitWhatCan(context, before, due) : undefined
  const isHopeless = ({ device, prekey }: Intent): boolean =>
    prekey === undefined
      ? can === undefined && members.some((one) => one.device === device && due.remove.includes(one.leaf))
      : due.add.some(({ ref }) => ref === prekey.ref) &&
        can?.add.some(({ ref }) => ref === prekey.ref) !== true
  const intents = conversation.intents.filter(
    (intent) => !due.hopeless.includes(intent) && !isHopeless(intent)
  )
  if (can === undefined) return { conversation: { ...conversation, intents }, outgoing: [], events: [] }
  const { add, remove, made } = can
  const tip = tipOf(made.commit)
  const removed = members.filter(({ leaf }) => remove.includes(leaf)).map(({ device }) => device)
  const branch = {
    ...{ tip, parent, by: signer.did, added: add.map(({ ref }) => ref), removed },
    ...{ learnedAtMs: nowMs, state: made.state, isWhole: true }
  }
  // Those taken out are told too: they forget their keys.
  const commit = sealFrame(signer, { kind: 'commit', group, tip: parent, body: made.commit })
  const others = members.map(({ device }) => device).filter((device) => device !== signer.did)
  const outgoing: Outgoing[] = others.map((to) => ({ to, bytes: commit }))
  const devices = add.map(({ device }) => device)
  if (made.welcome !== undefined)
    outgoing.push(...toDevices(context, devices, { kind: 'welcome', group, tip, body: made.welcome }))
  const next = withBranch(context, { ...conversation, intents }, { branch, commit })
  if (made.welcome !== undefined) {
    const chain = namesOf(next.conversation.branches, tip)
    outgoing.push(...toDevices(context, devices, { kind: 'sync', group, chain }))
  }
  return { ...next, outgoing }
}
