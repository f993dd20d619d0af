/**
 * Rooms: people who know a name meet through the DHT, tell each other who is here, and talk over a pubsub topic. Every
 * message is signed; what is not verified, or was seen before, is dropped and counted. No I/O of its own: the
 * network is a {@link RoomTransport}.
 *
 * @example
 * ```ts
 * import { silentLogger, systemClock, systemRandom } from '#contracts'
 * import { createKeyPair } from '#did'
 * import { startRoom, type RoomTransport } from '#rooms'
 *
 * export async function greet(transport: RoomTransport): Promise<void> {
 *   const seams = { clock: systemClock, random: systemRandom, logger: silentLogger }
 *   const signer = createKeyPair(systemRandom)
 *   await using room = await startRoom({ ...seams, signer, transport }, { room: 'lobby', nick: 'ann' })
 *   const { recipients } = await room.send('hello')
 *   console.log(`${recipients} heard it`)
 *   for await (const event of room.events()) {
 *     if (event.type === 'message' && !event.isSelf) console.log(event.label, event.text)
 *   }
 * }
 * ```
 *
 * @packageDocumentation
 */
export { RoomError } from './errors.ts'
export type { RoomDropCode, RoomErrorCode, RoomRefusalCode } from './errors.ts'
export {
  MAILBOX_BOX_PEER_ITEMS_MAX,
  MAILBOX_KEPT_MS,
  MAILBOX_READ_MS,
  MEMBERS_MAX,
  MEMBERS_PROTOCOL,
  MESSAGE_BYTES_MAX,
  NICK_CHARS_MAX,
  OUTBOX_MAX,
  PRIVATE_BURST,
  PRIVATE_EVERY_MS,
  RATED_MAX,
  ROOM_NAME_CHARS_MAX,
  ROOM_PROTOCOL,
  TEXT_BYTES_MAX,
  TOPIC_PREFIX
} from './constants.ts'
export { parseNick, parseRoomName, parseText } from './text.ts'
export { nextDaysChangeMs, rendezvousCid, rendezvousDays, roomTopic } from './rendezvous.ts'
export type { RendezvousDays } from './rendezvous.ts'
export { openMessage, sealMessage } from './message.ts'
export type {
  MessageExpectation,
  MessageFields,
  MessageKind,
  PersonOfDevice,
  VerifiedMessage
} from './message.ts'
export { createReceiver } from './receiver.ts'
export type { ReceivedMessage, Receiver, ReceiverInit } from './receiver.ts'
export { startRoom } from './room.ts'
export type { Room, RoomComponents, RoomInit, SendResult } from './room.ts'
export { startRooms } from './rooms.ts'
export type { Rooms } from './rooms.ts'
export type { Member, MemberChange } from './member-table.ts'
export type { RoomCounters } from './counters.ts'
export { openModerationList, sealModerationList } from './moderation/list.ts'
export type { ModerationFields, ModerationList } from './moderation/list.ts'
export type { RoomModeration } from './moderation/moderation.ts'
export type { ModerationChange, ModerationListStatus, ModerationStatus } from './moderation/own-list.ts'
export { LIST_AGE_MS_MAX, LIST_BYTES_MAX, MODERATION_EXCHANGE } from './moderation/constants.ts'
export type { ModeratedEvent } from './room-events.ts'
export type { DroppedEvent, NoticeCode, NoticeEvent, RoomEvent, SentEvent, TextEvent } from './room-events.ts'
export type {
  RequestHandler,
  RoomPeer,
  RoomTransport,
  TopicHandler,
  TopicMessage,
  TopicVerdict
} from './transport.ts'
export { createMemoryRoomStore } from './store.ts'
export type { RoomStore, RoomStoreChange } from './store.ts'
export { startPrivateRooms } from './private/private-rooms.ts'
export type {
  ConversationStatus,
  PrekeyDirectory,
  PrivateRooms,
  PrivateRoomsComponents
} from './private/types.ts'
export type { ConversationInfo } from './private/info.ts'
export type { PrivateEvent } from './private/conversation.ts'
export type { PrivateTransport } from './private/deliveries.ts'
export type { PrivateText } from './private/texts.ts'
export type { DeviceOfPerson } from './private/suite.ts'
export { createPrekeyDepot, openPrekeyDepot } from './private/depot.ts'
export type { PrekeyDepot, PrekeyDepotComponents } from './private/depot.ts'
export { startPrekeyNetwork } from './private/directory.ts'
export type { PrekeyNetwork, PrekeyNetworkComponents } from './private/directory.ts'
export { FRAME_BYTES_MAX, PRIVATE_EXCHANGE } from './private/constants.ts'
export type { Mailbox, MailboxOptions } from './mailbox/mailbox.ts'
export type { MailboxOf } from './mailbox/exchange.ts'
