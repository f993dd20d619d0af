import type { Did } from '#did'
import type { RoomDropCode } from './errors.ts'
import type { MemberChange } from './member-table.ts'

/** Words somebody said in the room, our own included. */
export interface TextEvent {
  readonly type: 'message'
  /** Names this message among all: the device's did and the sequence number. */
  readonly id: string
  readonly author: Did
  readonly device: Did
  readonly nick: string
  /** What to show for the author: see {@link Member.label}. */
  readonly label: string
  readonly isSelf: boolean
  /**
   * Where it stands in the history of this node, which grows by one with every text: who remembers the last one seen is
   * shown none twice. 0 when the history could not be written.
   */
  readonly index: number
  /** Whether it was said while nobody here listened, and is told from the history. */
  readonly isHistory?: boolean
  /** Whether somebody here has seen it in an earlier visit. */
  readonly isSeen?: boolean
  /** By whose list it is hidden: it is not to be shown, but counted, and shown to who asks for it. */
  readonly hiddenBy?: Did
  /** At most 4,096 bytes, no control characters but tab and line feed; a screen still has to make it harmless. */
  readonly text: string
  /** By the author's clock, milliseconds since the Unix epoch. */
  readonly sentAtMs: number
  /** By our clock, milliseconds since the Unix epoch. */
  readonly receivedAtMs: number
  /** By how much the author's clock differs from ours (positive: ahead), when by more than five minutes. */
  readonly clockOffMs?: number
}

/** What became of a text of ours; its {@link TextEvent} came before. */
export interface SentEvent {
  readonly type: 'sent'
  /** The id of the message. */
  readonly id: string
  /** How many peers took it; 0 when nobody was there in time: then those get it who ask for the history. */
  readonly recipients: number
}

/** What a {@link NoticeEvent} is about. */
export type NoticeCode =
  /** Nobody else was found so far. */
  | 'alone'
  /** The room could not be announced, so others may not find us. */
  | 'unannounced'
  /** Our clock and that of a member differ by more than five minutes. */
  | 'clock-differs'

/** Something a person should know. */
export interface NoticeEvent {
  readonly type: 'notice'
  readonly code: NoticeCode
  /** One sentence. */
  readonly text: string
}

/** Something was dropped: a message, for the reason in `code`, or events that this consumer was too slow for. */
export interface DroppedEvent {
  readonly type: 'dropped'
  readonly code: RoomDropCode | 'slow-consumer'
  /** How many since the last such event. */
  readonly count: number
}

/** A list of a moderator came, or holds no more: of the texts told last some are hidden by it, or shown again, by their ids. */
export interface ModeratedEvent {
  readonly type: 'moderated'
  readonly hidden: readonly string[]
  readonly shown: readonly string[]
}

/** What happens in a room. Plain data: it can cross a socket as JSON. */
export type RoomEvent = TextEvent | SentEvent | MemberChange | NoticeEvent | DroppedEvent | ModeratedEvent
