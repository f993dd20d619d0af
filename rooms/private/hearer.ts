import { errorCode } from '#contracts'
import { RoomError } from '../errors.ts'
import { CONVERSATIONS_MAX, REJOIN_INTERVAL_MS, SYNC_INTERVAL_MS } from './constants.ts'
import { currentMembers, isIn, toDevices, type Conversation, type Step } from './conversation.ts'
import { openFrame, type SignedFrame } from './frame.ts'
import { refsOfWelcome } from './group.ts'
import {
  askRejoin,
  takeEpoch,
  takeRejoin,
  takeSync,
  takeWelcome,
  tellEpochs,
  type EpochFrame
} from './hearing.ts'
import type { Held } from './held.ts'
import type { Keeper, KeeperComponents } from './keeper.ts'

/** What hearing needs. */
export interface HearerParts
  extends Pick<Keeper, 'settle'>, Omit<KeeperComponents, 'emit' | 'texts' | 'suite'> {
  readonly conversations: ReadonlyMap<string, Conversation>
  readonly held: Held
}

/** Takes frames of other devices, one after the other. */
export interface Hearer {
  /** Takes a frame and what waited for it. What is wrong with a frame is noted, and the frame forgotten. */
  hear(bytes: Uint8Array): Promise<void>
}

/** A hearer; it is not to be called while another step is made. */
export function createHearer(parts: HearerParts): Hearer {
  const hurried = createPaces(parts)
  const take = async (frame: SignedFrame, bytes: Uint8Array): Promise<boolean> => {
    try {
      return await takeFrame(parts, hurried, { frame, bytes })
    } catch (error) {
      const code = errorCode(error)
      // The store failed, not the frame: whoever sent it tries again.
      if (code?.startsWith('ERR_PRIVATE_') !== true) throw error
      parts.logger.debug('private frame dropped', { code, from: frame.from, kind: frame.kind })
      return false
    }
  }
  return {
    hear: async (bytes) => {
      const frame = readFrame(bytes)
      if (frame === undefined) return
      parts.deliveries.hurry(frame.from)
      let isNews = await take(frame, bytes)
      while (isNews) {
        isNews = false
        for (const waiting of await parts.held.takeOf(frame.group, parts.context().nowMs))
          isNews = (await take(openFrame(waiting), waiting)) || isNews
      }
    }
  }
}

/** Whether something was not done for a while, so that nobody makes us do it all the time. */
type Paces = (what: string, intervalMs: number) => boolean

function createPaces({ context }: Pick<HearerParts, 'context'>): Paces {
  const lastAtMs = new Map<string, number>()
  return (what, intervalMs) => {
    const { nowMs } = context()
    if (nowMs - (lastAtMs.get(what) ?? -intervalMs) < intervalMs) return false
    if (lastAtMs.size >= CONVERSATIONS_MAX) lastAtMs.clear()
    lastAtMs.set(what, nowMs)
    return true
  }
}

/** Whether the conversation went on, so that what waits may be taken now. */
async function takeFrame(
  parts: HearerParts,
  isTime: Paces,
  { frame, bytes }: { readonly frame: SignedFrame; readonly bytes: Uint8Array }
): Promise<boolean> {
  const { conversations, context, settle } = parts
  const known = conversations.get(frame.group)
  if (frame.kind === 'welcome') return await takeIn(parts, isTime, frame)
  if (known?.hasLeft === true) return false
  if (frame.kind === 'sync' || frame.kind === 'rejoin') {
    if (known === undefined)
      throw new RoomError('ERR_PRIVATE_UNKNOWN', 'expected a conversation of this device')
    const step =
      frame.kind === 'sync' ? takeSync(context(), known, frame) : await takeRejoin(context(), known, frame)
    await settle(step)
    if (step.isLost === true) await rejoin(parts, isTime, step.conversation)
    return false
  }
  const step = known === undefined ? 'hold' : await takeEpoch(context(), known, { frame, bytes })
  if (step === 'hold') await waitFor(parts, isTime, { frame, bytes })
  else await settle(step)
  return step !== 'hold'
}

async function takeIn(parts: HearerParts, isTime: Paces, frame: EpochFrame): Promise<boolean> {
  const { conversations, stock, context, settle } = parts
  const known = conversations.get(frame.group)
  if (known?.branches.has(frame.tip) === true) return false
  if (known === undefined && conversations.size >= CONVERSATIONS_MAX)
    throw new RoomError('ERR_PRIVATE_FULL', `expected at most ${CONVERSATIONS_MAX} conversations`)
  const prekey = stock.find(refsOfWelcome(frame.body))
  if (prekey === undefined) {
    // Somebody else was given the same prekey and came first: with a fresh one it works. A welcome that was
    // taken long ago and comes again is none of that.
    if (known !== undefined && (isIn(known) || known.hasLeft)) return false
    if (!isTime(`welcome ${frame.from}`, REJOIN_INTERVAL_MS)) return false
    const fresh = await stock.make(context().nowMs)
    const { group, from } = frame
    await send(parts, toDevices(context(), [from], { kind: 'rejoin', group, body: fresh.bytes }))
    return false
  }
  const step = await takeWelcome(context(), { frame, prekey, known })
  const used = stock.used(prekey, context().nowMs)
  await settle(step, [used.change])
  stock.adopt(used.prekey)
  return true
}

/** Others went on without this device: it asks them to take it in again. */
async function rejoin(parts: HearerParts, isTime: Paces, conversation: Conversation): Promise<void> {
  if (!isIn(conversation) || !isTime(`rejoin ${conversation.group}`, REJOIN_INTERVAL_MS)) return
  const { context, stock, settle } = parts
  await settle(askRejoin(context(), conversation, await stock.make(context().nowMs)))
}

/** Keeps a frame until its epoch is known, and asks its sender for what is missing. */
async function waitFor(
  parts: HearerParts,
  isTime: Paces,
  { frame, bytes }: { readonly frame: SignedFrame; readonly bytes: Uint8Array }
): Promise<void> {
  const { conversations, context, held } = parts
  const { group, from } = frame
  await held.add({ group, from, bytes, sinceMs: context().nowMs })
  const known = conversations.get(group)
  if (known === undefined || !isIn(known)) return
  const isMember = currentMembers(known).some(({ device }) => device === from)
  if (isMember && isTime(`sync ${group} ${from}`, SYNC_INTERVAL_MS))
    await send(parts, tellEpochs(context(), known, from))
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
