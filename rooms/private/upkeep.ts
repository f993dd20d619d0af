import { errorCode, orAborted, type Clock, type Logger } from '#contracts'
import type { Signer } from '#did'
import { startDeadline } from '../deadline.ts'
import { RoomError } from '../errors.ts'
import { nthWait } from '../pause.ts'
import {
  DELIVER_RETRY_MS,
  DELIVER_TIMEOUT_MS,
  DEPOTS_COUNT,
  PREKEYS_PUBLISH_MS,
  PREKEYS_START_MS
} from './constants.ts'
import {
  currentMembers,
  isIn,
  openIntents,
  tidied,
  withIntents,
  type Conversation,
  type StepContext
} from './conversation.ts'
import type { Keeper } from './keeper.ts'
import type { PrekeyStock } from './prekey-stock.ts'
import { sealPrekeys } from './prekeys.ts'
import { createNewcomers } from './newcomers.ts'
import type { PrekeyDirectory } from './types.ts'
import { commitDue } from './speaking.ts'

/** What upkeep works with. */
export interface UpkeepComponents {
  readonly keeper: Keeper
  readonly stock: PrekeyStock
  readonly prekeys: PrekeyDirectory
  readonly signer: Signer
  readonly clock: Clock
  readonly logger: Logger
  readonly context: () => StepContext
  readonly periodMs: number
}

/** What is done from time to time. */
export interface Upkeep extends AsyncDisposable {
  /** Somebody is there: what failed before for want of peers is tried at once. */
  hurry(): void
  /** Looks soon for devices of the two persons of a direct conversation that are not in it yet, at most every ten minutes. */
  lookFor(group: string): void
}

/**
 * Does what is due with time: changes whose turn has come, devices taken out that may not take part any more, keys that are
 * too old, prekeys to be made and published.
 */
export function startUpkeep(components: UpkeepComponents): Upkeep {
  const { keeper, clock, logger, periodMs } = components
  const stopping = new AbortController()
  const publishing = createPublishing(components)
  const newcomers = createNewcomers(components)
  let round: Promise<void> | undefined
  const begin = (): void => {
    // One round at a time; a slow one skips those that fall into it.
    round ??= run().finally(() => {
      round = undefined
    })
  }
  const run = async (): Promise<void> => {
    for (const group of [...keeper.conversations.keys()])
      await keepUp(components, group).catch((error: unknown) => {
        logger.warn('private room not kept up', { code: errorCode(error), group })
      })
    try {
      await publishing.publishWhenDue(stopping.signal)
      await newcomers.takeIn(stopping.signal)
    } catch (error) {
      logger.warn('private rooms not kept up', { code: errorCode(error) })
    }
  }
  const ticking = clock.every(periodMs, begin)
  begin()
  return {
    hurry: publishing.hurry,
    lookFor: newcomers.lookFor,
    [Symbol.asyncDispose]: async () => {
      ticking[Symbol.dispose]()
      stopping.abort(new RoomError('ERR_ROOM_CLOSED', 'expected private rooms that were not stopped'))
      await round
    }
  }
}

async function keepUp({ keeper, context }: UpkeepComponents, group: string): Promise<void> {
  const before = keeper.conversations.get(group)
  if (before === undefined || !isDue(context(), before)) return
  await keeper.alone(async () => {
    const conversation = keeper.get(group)
    const { nowMs } = context()
    if (!isIn(conversation)) {
      await keeper.settle({ conversation, outgoing: [], events: [] })
      return
    }
    const banned = bannedMembers(context(), conversation).map((device) => ({ device, isRejoin: false }))
    const wanted = banned.length === 0 ? conversation : withIntents(context(), conversation, banned)
    const isTurn = openIntents(wanted).some(({ dueAtMs }) => dueAtMs <= nowMs)
    await keeper.settle(
      isTurn ? await commitDue(context(), wanted) : { conversation: wanted, outgoing: [], events: [] }
    )
  })
}

function isDue(context: StepContext, conversation: Conversation): boolean {
  const { nowMs } = context
  if (tidied(conversation, nowMs) !== conversation) return true
  if (!isIn(conversation)) return false
  return (
    openIntents(conversation).some(({ dueAtMs }) => dueAtMs <= nowMs) ||
    bannedMembers(context, conversation).length > 0
  )
}

/** Members that were revoked or denied, and are not on their way out yet. */
function bannedMembers(
  { suite }: StepContext,
  conversation: Conversation
): readonly Conversation['intents'][number]['device'][] {
  // In a direct conversation too: a denied person is left behind, with nobody to read on.
  const wished = conversation.intents.map(({ device }) => device)
  return currentMembers(conversation)
    .filter((member) => !suite.isAllowed(member) && !wished.includes(member.device))
    .map(({ device }) => device)
}

function createPublishing({ stock, prekeys, signer, clock, logger }: UpkeepComponents): {
  publishWhenDue: (signal: AbortSignal) => Promise<void>
  hurry: () => void
} {
  let failures = 0
  // What somebody waits for at the start goes first.
  const startAtMs = clock.monotonicMs() + PREKEYS_START_MS
  let dueAtMs = startAtMs
  return {
    hurry: () => {
      if (failures > 0) dueAtMs = clock.monotonicMs()
    },
    publishWhenDue: async (stopping) => {
      if (clock.monotonicMs() < startAtMs) return
      if (await stock.replenish(clock.nowMs())) dueAtMs = clock.monotonicMs()
      if (clock.monotonicMs() < dueAtMs) return
      using deadline = startDeadline(clock, DELIVER_TIMEOUT_MS, stopping)
      const { signal } = deadline
      const parts = partsOf(stock.published()).map((some) =>
        sealPrekeys(signer, { issuedAtMs: clock.nowMs(), prekeys: some })
      )
      try {
        await orAborted(prekeys.publish(parts, { signal }), signal)
        failures = 0
        dueAtMs = clock.monotonicMs() + PREKEYS_PUBLISH_MS
      } catch (error) {
        logger.debug('prekeys not published', { code: errorCode(error) })
        dueAtMs = clock.monotonicMs() + nthWait(DELIVER_RETRY_MS, failures++)
      }
    }
  }
}

/** One-use prekeys dealt out to the depots; each has the last resort too. */
function partsOf(published: readonly Uint8Array[]): readonly (readonly Uint8Array[])[] {
  const [oneUse, last] = [published.slice(0, -1), published.slice(-1)]
  return Array.from({ length: DEPOTS_COUNT }, (_, part) => [
    ...oneUse.filter((__, index) => index % DEPOTS_COUNT === part),
    ...last
  ])
}
