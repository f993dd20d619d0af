import type { Clock, Logger, Random } from '#contracts'
import type { Did, Signer } from '#did'
import type { RoomStore } from '../store.ts'
import { TICK_MS } from './constants.ts'
import {
  currentMembers,
  isIn,
  type Conversation,
  type PrivateEvent,
  type StepContext
} from './conversation.ts'
import { startDeliveries, type PrivateTransport } from './deliveries.ts'
import { createDoing } from './doing.ts'
import { createPrivateHub } from './hub.ts'
import type { ConversationInfo } from './info.ts'
import { startKeeper } from './keeper.ts'
import { openPrekeyStock } from './prekey-stock.ts'
import { createSuite, type DeviceOfPerson } from './suite.ts'
import { openTexts, type PrivateText } from './texts.ts'
import { startUpkeep } from './upkeep.ts'
import { createVault } from './vault.ts'

/** Where prekeys are published and found. */
export interface PrekeyDirectory {
  /**
   * Gives the prekeys of this device to those who hand them out. Each part is signed and has others, so that no two of
   * them give out the same; the first is for this node itself.
   */
  publish(parts: readonly Uint8Array[], options: { readonly signal: AbortSignal }): Promise<void>
  /** One prekey for each device of a person but `except`, each given to nobody else unless it is a last resort. */
  take(
    person: Did,
    options: { readonly signal: AbortSignal; readonly except?: readonly Did[] }
  ): Promise<readonly Uint8Array[]>
}

/** What private rooms work with. */
export interface PrivateRoomsComponents {
  /** The device key. */
  readonly signer: Signer
  /** The person's certificate of the device. */
  readonly certificate: Uint8Array
  readonly transport: PrivateTransport
  readonly prekeys: PrekeyDirectory
  readonly store: RoomStore
  /** 32 bytes, of a secret that only this device has: everything in the store is encrypted under it. */
  readonly storeKey: Uint8Array
  /** Whether a device is neither denied nor revoked. */
  readonly isAllowed: (device: DeviceOfPerson) => boolean
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
}

/** A private room or direct conversation as its user sees it. */
export interface ConversationStatus extends ConversationInfo {
  /** Its name among those who are in it: 64 hexadecimal digits. */
  readonly group: string
  readonly members: readonly DeviceOfPerson[]
  /** Whether this device takes part now. */
  readonly isIn: boolean
}

/** Private rooms and direct conversations of one device. */
export interface PrivateRooms extends AsyncDisposable {
  /** Who this device is. */
  readonly own: DeviceOfPerson
  list(): readonly ConversationStatus[]
  /**
   * Says something to a person, on every device of theirs that published prekeys, and on the other devices of our own.
   *
   * @throws RoomError `ERR_PRIVATE_PREKEYS` when no device is found, `ERR_TEXT_…`, `ERR_PRIVATE_FULL`
   */
  sayTo(
    person: Did,
    text: string,
    options: { readonly signal: AbortSignal }
  ): Promise<{
    readonly group: string
    readonly id: string
    /** How many devices it is on its way to. */
    readonly devices: number
  }>
  /** Says something in a conversation. @throws RoomError `ERR_PRIVATE_UNKNOWN`, `ERR_TEXT_…`, `ERR_PRIVATE_FULL` */
  say(group: string, text: string): Promise<{ readonly id: string; readonly devices: number }>
  /** Opens a private room with nobody else in it. @throws RoomError `ERR_ROOM_NAME_INVALID`, `ERR_PRIVATE_FULL` */
  createRoom(name: string): Promise<ConversationStatus>
  /** Takes all devices of a person into a room. @throws RoomError `ERR_PRIVATE_PREKEYS`, `ERR_PRIVATE_REFUSED`, … */
  invite(group: string, person: Did, options: { readonly signal: AbortSignal }): Promise<void>
  /** Takes a person out of a room: one of our own devices too. @throws RoomError `ERR_PRIVATE_REFUSED` unless we founded it */
  remove(group: string, person: Did): Promise<void>
  /** Leaves with all devices of this person: the others change their keys. @throws RoomError `ERR_PRIVATE_UNKNOWN` */
  leave(group: string): Promise<void>
  /** What was said in a conversation, oldest first, as far as it is kept. */
  texts(group: string): Promise<readonly PrivateText[]>
  /** What others said in conversations of a kind that was not asked for yet, oldest first in each conversation; it counts as seen from now on. */
  unseen(kind: ConversationInfo['kind']): Promise<readonly (PrivateText & { readonly group: string })[]>
  /** Takes bytes that came from another device, by whatever way. Resolves once what they mean is stored. */
  receive(bytes: Uint8Array): Promise<void>
  /** How many frames are on their way to other devices: 0 when all were taken, by them or by who keeps them. */
  waiting(): number
  /** A device can be reached: what waits for it is delivered at once. */
  hurry(device: Did): void
  /** What happens from now on. @throws RoomError `ERR_ROOM_BUSY` when there are too many consumers */
  events(): AsyncIterable<PrivateEvent>
}

/** Starts the private rooms of a device with what its store has of them. */
export async function startPrivateRooms(components: PrivateRoomsComponents): Promise<PrivateRooms> {
  const { signer, certificate, random, store, storeKey, clock, logger, transport, isAllowed } = components
  await using stack = new AsyncDisposableStack()
  const suite = await createSuite({ signer, certificate, random, isAllowed })
  const vault = createVault(store, storeKey, random)
  const hub = createPrivateHub()
  stack.defer(() => hub.close())
  const deliveries = stack.use(await startDeliveries({ vault, transport, clock, logger }))
  const stock = await openPrekeyStock(suite, vault)
  const texts = await openTexts(vault)
  const context = (): StepContext => ({ suite, signer, nowMs: clock.nowMs() })
  const parts = { vault, suite, deliveries, stock, texts, logger, context, emit: hub.emit }
  const keeper = stack.use(await startKeeper(parts))
  const upkeep = stack.use(startUpkeep({ ...components, keeper, stock, context, periodMs: TICK_MS }))
  const doing = createDoing({ ...components, keeper, context, lookFor: upkeep.lookFor })
  const running = stack.move()
  return {
    ...doing,
    own: suite.own,
    list: () => [...keeper.conversations.values()].map(statusOf),
    texts: async (group) => await texts.read(group),
    unseen: async (kind) => {
      const isWanted = (group: string): boolean => keeper.conversations.get(group)?.info.kind === kind
      return await keeper.alone(async () => await texts.unseen(isWanted))
    },
    receive: async (bytes) => await keeper.receive(bytes),
    waiting: () => deliveries.waiting(),
    hurry: (device) => {
      deliveries.hurry(device)
      upkeep.hurry()
    },
    events: () => hub.events(),
    [Symbol.asyncDispose]: () => running.disposeAsync()
  }
}

/** A conversation as its user sees it. */
export function statusOf(conversation: Conversation): ConversationStatus {
  const { group, info } = conversation
  const members = currentMembers(conversation).map(({ person, device }) => ({ person, device }))
  return { ...info, group, members, isIn: isIn(conversation) }
}
