import type { Clock, Logger } from '#contracts'
import { RoomError } from '../errors.ts'
import type { RoomStoreChange } from '../store.ts'
import { CONVERSATIONS_MAX } from './constants.ts'
import {
  isIn,
  tidied,
  withoutKeys,
  type Conversation,
  type PrivateEvent,
  type Step,
  type StepContext
} from './conversation.ts'
import type { Deliveries } from './deliveries.ts'
import { createHearer } from './hearer.ts'
import { openHeld } from './held.ts'
import type { PrekeyStock } from './prekey-stock.ts'
import { conversationChanges, conversationGone, loadConversations } from './record.ts'
import type { Suite } from './suite.ts'
import type { Texts } from './texts.ts'
import type { Vault } from './vault.ts'

/** What the keeper works with. */
export interface KeeperComponents {
  readonly vault: Vault
  readonly suite: Suite
  readonly deliveries: Deliveries
  readonly stock: PrekeyStock
  readonly texts: Texts
  readonly clock: Pick<Clock, 'monotonicMs'>
  readonly logger: Logger
  readonly context: () => StepContext
  readonly emit: (events: readonly PrivateEvent[]) => void
}

/** The conversations of a device: one step after the other, each stored before anything of it is sent or shown. */
export interface Keeper extends AsyncDisposable {
  readonly conversations: ReadonlyMap<string, Conversation>
  /** @throws RoomError `ERR_PRIVATE_UNKNOWN` */
  get(group: string): Conversation
  /** Makes a step in a conversation. */
  change<T>(
    group: string,
    make: (conversation: Conversation) => Promise<{ readonly step: Step; readonly value: T }>
  ): Promise<T>
  /** Opens a conversation, or answers the name of one that is open. */
  open(make: () => Promise<Step | string>): Promise<string>
  /** Forgets the keys of a conversation that was left. */
  forget(group: string): Promise<void>
  /**
   * Makes room for one conversation more, by forgetting one that this device left or was taken out of. Only within
   * {@link Keeper.alone}.
   *
   * @throws RoomError `ERR_PRIVATE_FULL` when it is in all of them
   */
  makeRoom(): Promise<void>
  receive(bytes: Uint8Array): Promise<void>
  /** Runs `task` when no step is being made. */
  alone<T>(task: () => Promise<T>): Promise<T>
  /** Stores what a step leads to, then sends and shows it. Only within {@link Keeper.alone}. */
  settle(step: Step, more?: readonly RoomStoreChange[]): Promise<void>
}

/** Starts with the conversations in the vault. */
export async function startKeeper(components: KeeperComponents): Promise<Keeper> {
  const { vault, suite, deliveries, texts, context, emit } = components
  const loaded = await loadConversations(vault, suite)
  const conversations = new Map(loaded.map((conversation) => [conversation.group, conversation]))
  const held = await openHeld(vault)
  let last: Promise<unknown> = Promise.resolve()

  const alone = async <T>(task: () => Promise<T>): Promise<T> => {
    const result = last.then(task)
    last = result.catch(() => undefined)
    return await result
  }
  const get = (group: string): Conversation => {
    const found = conversations.get(group)
    if (found === undefined)
      throw new RoomError('ERR_PRIVATE_UNKNOWN', 'expected a conversation of this device')
    return found
  }
  const settle: Keeper['settle'] = async (step, more = []) => {
    const { nowMs } = context()
    const conversation = tidied(step.conversation, nowMs)
    const { group } = conversation
    const planned = deliveries.plan(step.outgoing, nowMs)
    await vault.write([
      ...conversationChanges(vault, conversations.get(group), conversation),
      ...planned.changes,
      ...texts.changes(step.events),
      ...more
    ])
    conversations.set(group, conversation)
    deliveries.start(planned)
    emit(step.events)
  }
  const makeRoom = async (): Promise<void> => await forgetOneWhenFull(components, conversations)
  const hearer = createHearer({ ...components, conversations, held, settle, makeRoom })
  return {
    ...{ conversations, get, alone, settle, makeRoom },
    change: async (group, make) =>
      await alone(async () => {
        const { step, value } = await make(get(group))
        await settle(step)
        return value
      }),
    open: async (make) =>
      await alone(async () => {
        const step = await make()
        if (typeof step === 'string') return step
        await settle(step)
        return step.conversation.group
      }),
    forget: async (group) =>
      await alone(async () => {
        const conversation = withoutKeys(get(group))
        await settle({ conversation, outgoing: [], events: [{ type: 'out', group }] })
      }),
    receive: async (bytes) => await alone(async () => await hearer.hear(bytes)),
    [Symbol.asyncDispose]: async () => {
      await last
    }
  }
}

async function forgetOneWhenFull(
  { vault, texts }: Pick<KeeperComponents, 'vault' | 'texts'>,
  conversations: Map<string, Conversation>
): Promise<void> {
  if (conversations.size < CONVERSATIONS_MAX) return
  const over = [...conversations.values()].filter((one) => !isIn(one))
  const gone = over.find(({ openedBy }) => openedBy !== undefined) ?? over[0]
  if (gone === undefined)
    throw new RoomError('ERR_PRIVATE_FULL', `expected at most ${CONVERSATIONS_MAX} conversations`)
  await vault.write([...conversationGone(vault, gone), ...texts.forget(gone.group)])
  conversations.delete(gone.group)
}
