import type { Member, RoomEvent } from '#rooms'
import { EMPTY_EDITOR, type Editor } from './editor.ts'
import type { Key } from './keys.ts'
import type { InputLine } from './lines.ts'

/** How the chat is shown: a screen that is drawn, or plain lines that are added. */
export type ChatMode = 'screen' | 'lines'

/** Something shown in the message area, oldest first. Its texts are as they came; drawing makes them harmless. */
export interface Entry {
  /** The message's id, or one made up here. */
  readonly id: string
  /** A message; an event such as somebody joining; an answer to the user; something that failed. */
  readonly kind: 'message' | 'event' | 'note' | 'error'
  /** By our clock, milliseconds since the Unix epoch. */
  readonly atMs: number
  readonly text: string
  /** Of a message: whom to show, the did that picks the colour, whether it is ours and what became of it. */
  readonly label?: string
  readonly author?: string
  readonly isSelf?: boolean
  /** Whether it was said to one person only: to whom, when we said it. */
  readonly isDirect?: boolean
  readonly delivery?: 'pending' | 'heard' | 'unheard'
  /** Whether it was said while this person was away. */
  readonly isMissed?: boolean
  /** By how much the author's clock is off, when by more than five minutes. */
  readonly clockOffMs?: number
}

/** What a chat knows of one of its rooms. */
export interface RoomView {
  /** What the room was asked for as; names it in every effect and event. */
  readonly visit: string
  /** Its name as the node tells it. */
  readonly room: string
  /** What we are called; the room's own list knows better once it was told. */
  readonly nick: string
  /** Whether the room was joined yet. */
  readonly isJoined: boolean
  /** Whether it was left; it can still be read. */
  readonly isLeft: boolean
  /** Who is here, ourselves included. */
  readonly members: readonly Member[]
  readonly entries: readonly Entry[]
  /** Rows scrolled back from the newest; 0 follows it. */
  readonly scrolledRows: number
  /** The first entry that came while nobody looked; drawn with a mark above it. */
  readonly unreadFrom: string | undefined
  /** Messages that came while another room was shown. */
  readonly unreadCount: number
  /** Texts handed on whose fate is not known yet. */
  readonly pendingCount: number
  /** The last messages that moderators' lists hide, and how many there were. */
  readonly hidden: readonly Entry[]
  readonly hiddenCount: number
}

/** Everything a chat is: the room that is shown, those that are not, and what they share. Plain data. */
export interface ChatState extends RoomView {
  readonly mode: ChatMode
  /** The rooms that are not shown. */
  readonly parked: readonly RoomView[]
  /** All rooms in the order they were joined in, by {@link RoomView.visit}. */
  readonly order: readonly string[]
  /** Whether what happens now happens in a room that is not shown. */
  readonly isBehind: boolean
  /** Dids of people whose words are not shown. */
  readonly blocked: readonly string[]
  readonly editor: Editor
  readonly columns: number
  readonly rows: number
  readonly isFocused: boolean
  /** As of the last `tick`. */
  readonly nowMs: number
  /** What to add to UTC for the times shown, in minutes. */
  readonly utcOffsetMinutes: number
  /** Lines and texts that were refused. */
  readonly refusedCount: number
  readonly isInputEnded: boolean
  /** For the ids of entries made up here. */
  readonly nextEntry: number
}

/** Words between two people only. */
export interface DirectEvent {
  readonly type: 'direct'
  readonly id: string
  /** Who said it. */
  readonly author: string
  /** The other one of the two, as this chat should call them. */
  readonly label: string
  readonly isSelf: boolean
  readonly text: string
  /** By our clock, milliseconds since the Unix epoch. */
  readonly receivedAtMs: number
}

/** What a node tells about a room: its events, and who is here at the moment of joining. */
export type ChatRoomEvent =
  | RoomEvent
  | DirectEvent
  | { readonly type: 'here'; readonly room: string; readonly members: readonly Member[] }

/** What a chat can ask for and be refused. */
export type ChatAsked = 'send' | 'nick' | 'join' | 'direct' | 'share' | 'block'

/** What can happen to a chat. */
export type ChatEvent =
  | { readonly type: 'keys'; readonly keys: readonly Key[] }
  | { readonly type: 'lines'; readonly lines: readonly InputLine[] }
  /** The keyboard or the pipe is at its end. */
  | { readonly type: 'input-end' }
  /** Without a room: in the one that is shown. */
  | { readonly type: 'room'; readonly room?: string; readonly event: ChatRoomEvent }
  /** Something that was asked for by an effect failed. */
  | {
      readonly type: 'refused'
      readonly room?: string
      readonly asked: ChatAsked
      readonly code: string
      readonly message: string
    }
  | { readonly type: 'resize'; readonly columns: number; readonly rows: number }
  | { readonly type: 'tick'; readonly nowMs: number }

/** What a chat wants done; the caller does it in order. */
export type ChatEffect =
  /** Say it; then feed the room's `message` and `sent` events, or `refused`. */
  | { readonly type: 'send'; readonly room: string; readonly text: string }
  | { readonly type: 'nick'; readonly room: string; readonly nick: string }
  /** Say it to one person only. */
  | { readonly type: 'direct'; readonly room: string; readonly to: string; readonly text: string }
  /** Add a file and say its link in the room. */
  | { readonly type: 'share'; readonly room: string; readonly path: string }
  /** Hear this person or device no more, here and later, or again. */
  | { readonly type: 'block'; readonly did: string; readonly isBlocked: boolean }
  | { readonly type: 'leave'; readonly room: string }
  | { readonly type: 'join'; readonly room: string; readonly nick: string }
  /** In line mode: write to standard output. */
  | { readonly type: 'print'; readonly line: string }
  /** In line mode: write to standard error. */
  | { readonly type: 'note'; readonly line: string }
  | { readonly type: 'quit' }

/** A state and what it wants done. */
export interface ChatStep {
  readonly state: ChatState
  readonly effects: readonly ChatEffect[]
}

/** What a chat starts with. */
export interface ChatInit {
  readonly mode: ChatMode
  readonly room: string
  readonly nick: string
  readonly nowMs: number
  readonly utcOffsetMinutes?: number
  readonly columns?: number
  readonly rows?: number
  /** Whether this person never used a room on this device: then a notice says who can read along. */
  readonly isFirstUse?: boolean
}

/** A state in which nothing happened yet. */
export function emptyState(init: ChatInit): ChatState {
  return {
    ...emptyView(init.room, init.nick),
    mode: init.mode,
    parked: [],
    order: [init.room],
    isBehind: false,
    blocked: [],
    editor: EMPTY_EDITOR,
    columns: init.columns ?? 80,
    rows: init.rows ?? 24,
    isFocused: true,
    nowMs: init.nowMs,
    utcOffsetMinutes: init.utcOffsetMinutes ?? 0,
    refusedCount: 0,
    isInputEnded: false,
    nextEntry: 0
  }
}

/** A room that is about to be joined. */
export function emptyView(room: string, nick: string): RoomView {
  return {
    visit: room,
    room,
    nick,
    isJoined: false,
    isLeft: false,
    members: [],
    entries: [],
    scrolledRows: 0,
    unreadFrom: undefined,
    unreadCount: 0,
    pendingCount: 0,
    hidden: [],
    hiddenCount: 0
  }
}
