import type { Clock, Logger, Random } from '#contracts'
import type { Did, Signer } from '#did'
import type { RoomStore } from '../store.ts'
import { currentMembers, isIn, type Conversation, type PrivateEvent } from './conversation.ts'
import type { PrivateTransport } from './deliveries.ts'
import type { ConversationInfo } from './info.ts'
import type { DeviceOfPerson } from './suite.ts'
import type { PrivateText } from './texts.ts'

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
  /** What others said in conversations of a kind and was not {@link PrivateRooms.seen} yet, oldest first in each conversation. */
  unseen(kind: ConversationInfo['kind']): Promise<readonly (PrivateText & { readonly group: string })[]>
  /** A text was shown, with all before it in its conversation: it is not {@link PrivateRooms.unseen} any more. */
  seen(group: string, id: string): Promise<void>
  /** Takes bytes that came from another device, by whatever way. Resolves once what they mean is stored. */
  receive(bytes: Uint8Array): Promise<void>
  /** How many frames are on their way to other devices: 0 when all were taken, by them or by who keeps them. */
  waiting(): number
  /** A device can be reached: what waits for it is delivered at once. */
  hurry(device: Did): void
  /** What happens from now on. @throws RoomError `ERR_ROOM_BUSY` when there are too many consumers */
  events(): AsyncIterable<PrivateEvent>
}

/** A conversation as its user sees it. */
export function statusOf(conversation: Conversation): ConversationStatus {
  const { group, info } = conversation
  const members = currentMembers(conversation).map(({ person, device }) => ({ person, device }))
  return { ...info, group, members, isIn: isIn(conversation) }
}
