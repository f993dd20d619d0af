import { createRate, errorCode } from '#contracts'
import { RoomError } from '../errors.ts'
import {
  OUTGOING_MAX,
  OUTGOING_OF_DEVICE_MAX,
  PACES_MAX,
  REJOIN_INTERVAL_MS,
  STRANGERS_MAX,
  STRANGERS_OF_PERSON_MAX,
  SYNC_INTERVAL_MS,
  WELCOMES_ANSWERED_MAX,
  WELCOMES_ANSWERED_PERIOD_MS
} from './constants.ts'
import { isIn, lastMembers, toDevices, type Conversation, type Step } from './conversation.ts'
import { takeWelcome, withEpochsBefore } from './entering.ts'
import { openFrame, type SignedFrame } from './frame.ts'
import { epochOf, refsOfWelcome } from './group.ts'
import { askRejoin, takeEpoch, takeRejoin, takeSync, tellEpochs, type EpochFrame } from './hearing.ts'
import type { Held } from './held.ts'
import type { Keeper, KeeperComponents } from './keeper.ts'

/** What hearing needs. */
export interface HearerParts
  extends Pick<Keeper, 'settle' | 'makeRoom'>, Omit<KeeperComponents, 'emit' | 'texts' | 'suite'> {
  readonly conversations: ReadonlyMap<string, Conversation>
  readonly held: Held
}

/** Takes frames of other devices, one after the other. */
export interface Hearer {
  /**
   * Takes a frame and what waited for it. What is wrong with a frame is noted, and the frame forgotten.
   *
   * @throws RoomError `ERR_PRIVATE_FULL` for a frame of a member that has to wait where too many do: it is to be sent again
   */
  hear(bytes: Uint8Array): Promise<void>
}

/** A hearer; it is not to be called while another step is made. */
export function createHearer(parts: HearerParts): Hearer {
  const paces = createPaces(parts)
  const take = async (frame: SignedFrame, bytes: Uint8Array, sinceMs?: number): Promise<Outcome> => {
    try {
      return await takeFrame(parts, paces, { frame, bytes, sinceMs })
    } catch (error) {
      const code = errorCode(error)
      // The store failed, not the frame: whoever sent it tries again.
      if (code?.startsWith('ERR_PRIVATE_') !== true) throw error
      parts.logger.debug('private frame dropped', { code, from: frame.from, kind: frame.kind })
      return 'done'
    }
  }
  return {
    hear: async (bytes) => {
      const frame = readFrame(bytes)
      if (frame === undefined) return
      parts.deliveries.hurry(frame.from)
      const outcome = await take(frame, bytes)
      if (outcome === 'full')
        throw new RoomError('ERR_PRIVATE_FULL', 'expected fewer frames that wait for what comes before them')
      let isNews = outcome === 'news'
      while (isNews) {
        isNews = false
        for (const { bytes: waiting, sinceMs } of parts.held.of(frame.group, parts.context().nowMs)) {
          const taken = await take(openFrame(waiting), waiting, sinceMs)
          // Only then: whatever stops this device between leaves the frame where it was.
          if (taken === 'news' || taken === 'done') await parts.held.remove(waiting)
          isNews ||= taken === 'news'
        }
      }
    }
  }
}

/** Whether the conversation went on, so that what waits may be taken now; or the frame waits; or too many do. */
type Outcome = 'news' | 'done' | 'waits' | 'full'

/** Whether something may be done now, so that nobody makes us do it all the time. What is named is never for a stranger to choose. */
interface Paces {
  readonly mayAnswerSync: (memberOfGroup: string) => boolean
  readonly maySync: (memberOfGroup: string) => boolean
  readonly mayRejoin: (group: string) => boolean
  /** For welcomes with prekeys that are not here, whoever sent them: strangers are as many as they like. */
  readonly mayAnswerWelcome: () => boolean
}

function createPaces({ clock }: Pick<HearerParts, 'clock'>): Paces {
  const onceIn = (everyMs: number): ((name: string) => boolean) =>
    createRate(clock, { burst: 1, everyMs, namesMax: PACES_MAX })
  const welcomes = createRate(clock, {
    burst: WELCOMES_ANSWERED_MAX,
    everyMs: WELCOMES_ANSWERED_PERIOD_MS / WELCOMES_ANSWERED_MAX,
    namesMax: 1
  })
  return {
    mayAnswerSync: onceIn(SYNC_INTERVAL_MS),
    maySync: onceIn(SYNC_INTERVAL_MS),
    mayRejoin: onceIn(REJOIN_INTERVAL_MS),
    mayAnswerWelcome: () => welcomes('')
  }
}

interface Heard {
  readonly frame: SignedFrame
  readonly bytes: Uint8Array
  /** Since when it waits; `undefined` when it just came. */
  readonly sinceMs: number | undefined
}

async function takeFrame(
  parts: HearerParts,
  paces: Paces,
  { frame, bytes, sinceMs }: Heard
): Promise<Outcome> {
  const { conversations, context, settle } = parts
  const known = conversations.get(frame.group)
  if (frame.kind === 'welcome') return (await takeIn(parts, paces, frame)) ? 'news' : 'done'
  if (known?.hasLeft === true) return 'done'
  if (frame.kind === 'sync' || frame.kind === 'rejoin') {
    if (known === undefined)
      throw new RoomError('ERR_PRIVATE_UNKNOWN', 'expected a conversation of this device')
    const step =
      frame.kind === 'sync'
        ? await takeEpochsTold(parts, paces, { frame, known })
        : await takeRejoin(context(), known, frame)
    if (step === undefined) return 'done'
    await settle(step)
    if (step.isLost === true) await rejoin(parts, paces, { conversation: step.conversation, to: frame.from })
    return 'done'
  }
  const step = known === undefined ? 'hold' : await takeEpoch(context(), known, { frame, bytes })
  if (step === 'hold') return await waitFor(parts, paces, { frame, bytes, sinceMs })
  await settle(step)
  return 'news'
}

/** What somebody tells of the epochs they know; absent when there is nothing to do, or not now. */
async function takeEpochsTold(
  parts: HearerParts,
  paces: Paces,
  { frame, known }: { readonly frame: Extract<SignedFrame, { kind: 'sync' }>; readonly known: Conversation }
): Promise<Step | undefined> {
  const { context, settle } = parts
  const conversation = withEpochsBefore(context(), known, frame)
  if (conversation !== known) await settle({ conversation, outgoing: [], events: [] })
  // What goes with a welcome wants no answer.
  const isWithWelcome = conversation !== known && frame.chain[0] === conversation.tip
  if (isWithWelcome || !mayAnswerSync(parts, paces, frame)) return undefined
  return takeSync(context(), conversation, { frame, heardEpoch: heardEpoch(parts, frame) })
}

/** Answers to `sync` are many times as long: a member gets one in a while, and none while many wait for it. */
function mayAnswerSync(
  { conversations, deliveries }: HearerParts,
  paces: Paces,
  frame: SignedFrame
): boolean {
  const { group, from } = frame
  // What strangers send is refused by who takes it, and remembered nowhere.
  if (!isOfMember(conversations.get(group), frame)) return true
  if (deliveries.waiting(from) >= OUTGOING_OF_DEVICE_MAX) return false
  return paces.mayAnswerSync(`${group} ${from}`)
}

async function takeIn(parts: HearerParts, paces: Paces, frame: EpochFrame): Promise<boolean> {
  const { conversations, stock, context, settle } = parts
  const known = conversations.get(frame.group)
  if (known?.branches.has(frame.tip) === true) return false
  const prekey = stock.find(refsOfWelcome(frame.body))
  if (prekey === undefined) {
    // Somebody else was given the same prekey and came first: with a fresh one it works. A welcome that was
    // taken long ago and comes again is none of that.
    if (known !== undefined && (isIn(known) || known.hasLeft)) return false
    // What goes to strangers, who may never take it, leaves room for what the user says.
    if (parts.deliveries.waiting() >= OUTGOING_MAX / 2 || !paces.mayAnswerWelcome()) return false
    const fresh = await stock.make(context().nowMs)
    const { group, from } = frame
    await send(parts, toDevices(context(), [from], { kind: 'rejoin', group, body: fresh.bytes }))
    return false
  }
  const step = await takeWelcome(context(), { frame, prekey, known })
  if (known === undefined) {
    assertStrangersFew(conversations, step.conversation)
    await parts.makeRoom()
  }
  const used = stock.used(prekey, context().nowMs)
  await settle(step, [used.change])
  stock.adopt(used.prekey)
  return true
}

/** @throws RoomError `ERR_PRIVATE_FULL` when others opened too many that nothing was said in here */
function assertStrangersFew(
  conversations: ReadonlyMap<string, Conversation>,
  { openedBy }: Pick<Conversation, 'openedBy'>
): void {
  if (openedBy === undefined) return
  const theirs = [...conversations.values()].filter((one) => isIn(one) && one.openedBy !== undefined)
  const ofPerson = theirs.filter((one) => one.openedBy === openedBy)
  if (theirs.length >= STRANGERS_MAX || ofPerson.length >= STRANGERS_OF_PERSON_MAX)
    throw new RoomError(
      'ERR_PRIVATE_FULL',
      `expected at most ${STRANGERS_MAX} conversations that others opened`
    )
}

function isOfMember(known: Conversation | undefined, { from }: SignedFrame): boolean {
  return known !== undefined && lastMembers(known).some(({ device }) => device === from)
}

/** The highest number of an epoch in which a device said something that waits here, since this device does not know the epoch. */
function heardEpoch({ held, context }: HearerParts, { group, from }: SignedFrame): bigint | undefined {
  let highest: bigint | undefined
  for (const { bytes } of held.of(group, context().nowMs)) {
    const frame = openFrame(bytes)
    if (frame.from !== from || (frame.kind !== 'commit' && frame.kind !== 'message')) continue
    const epoch = epochOf(frame.body)
    if (epoch !== undefined && (highest === undefined || epoch > highest)) highest = epoch
  }
  return highest
}

/**
 * Others went on without this device: it asks the one who said so to take it in again. Where it knows who was in last it asks none but
 * them: whoever else knows the number of the group could else use up what is asked. One in a while for all of them, as each who
 * is asked takes this device out and in, and makes what the others did old.
 */
async function rejoin(
  parts: HearerParts,
  paces: Paces,
  { conversation, to }: { readonly conversation: Conversation; readonly to: SignedFrame['from'] }
): Promise<void> {
  const members = lastMembers(conversation)
  if (conversation.hasLeft || (members.length > 0 && !members.some(({ device }) => device === to))) return
  if (!paces.mayRejoin(conversation.group)) return
  const { context, stock, settle } = parts
  const prekey = await stock.make(context().nowMs)
  await settle(askRejoin(context(), conversation, { prekey, to }))
}

/** Keeps a frame until its epoch is known, and asks its sender, if a member, for what is missing. */
async function waitFor(parts: HearerParts, paces: Paces, { frame, bytes, sinceMs }: Heard): Promise<Outcome> {
  const { conversations, context, held } = parts
  const { group, from } = frame
  // Of an epoch that nobody is in any more, it would have its sender asked in vain for as long as it waits.
  if (sinceMs !== undefined && context().nowMs - sinceMs >= REJOIN_INTERVAL_MS) return 'waits'
  const known = conversations.get(group)
  const waiting = { group, from, bytes, sinceMs: context().nowMs, isOfMember: isOfMember(known, frame) }
  const isFull = await held.add(waiting).then(
    () => false,
    (error: unknown) => {
      if (!waiting.isOfMember || errorCode(error) !== 'ERR_PRIVATE_FULL') throw error
      return true
    }
  )
  if (known !== undefined && isIn(known) && waiting.isOfMember)
    if (paces.maySync(`${group} ${from}`)) await send(parts, tellEpochs(context(), known, from))
  // It was taken out, and is spoken to: it was taken in again, and the welcome is lost. If not, it is refused.
  if (known !== undefined && !isIn(known)) await rejoin(parts, paces, { conversation: known, to: from })
  return isFull ? 'full' : 'waits'
}

async function send({ deliveries, vault, context }: HearerParts, outgoing: Step['outgoing']): Promise<void> {
  const planned = deliveries.plan(outgoing, context().nowMs)
  await vault.write(planned.changes)
  deliveries.start(planned)
}

function readFrame(bytes: Uint8Array): SignedFrame | undefined {
  try {
    return openFrame(bytes)
  } catch {
    return undefined
  }
}
