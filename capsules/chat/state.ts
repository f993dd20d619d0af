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
  readonly delivery?: 'pending' | 'heard' | 'unheard'
  /** By how much the author's clock is off, when by more than five minutes. */
  readonly clockOffMs?: number
}

/** Everything a chat is. Plain data. */
export interface ChatState {
  readonly mode: ChatMode
  readonly room: string
  /** What we are called; the room's own list knows better once it was told. */
  readonly nick: string
  /** Whether the room was joined yet. */
  readonly isJoined: boolean
  /** Who is here, ourselves included. */
  readonly members: readonly Member[]
  readonly entries: readonly Entry[]
  readonly editor: Editor
  readonly columns: number
  readonly rows: number
  /** Rows scrolled back from the newest; 0 follows it. */
  readonly scrolledRows: number
  /** The first entry that came while nobody looked; drawn with a mark above it. */
  readonly unreadFrom: string | undefined
  readonly isFocused: boolean
  /** As of the last `tick`. */
  readonly nowMs: number
  /** What to add to UTC for the times shown, in minutes. */
  readonly utcOffsetMinutes: number
  /** Texts handed on whose fate is not known yet. */
  readonly pendingCount: number
  /** Lines and texts that were refused. */
  readonly refusedCount: number
  readonly isInputEnded: boolean
  /** For the ids of entries made up here. */
  readonly nextEntry: number
}

/** What a node tells about a room: its events, and who is here at the moment of joining. */
export type ChatRoomEvent =
  RoomEvent | { readonly type: 'here'; readonly room: string; readonly members: readonly Member[] }

/** What can happen to a chat. */
export type ChatEvent =
  | { readonly type: 'keys'; readonly keys: readonly Key[] }
  | { readonly type: 'lines'; readonly lines: readonly InputLine[] }
  /** The keyboard or the pipe is at its end. */
  | { readonly type: 'input-end' }
  | { readonly type: 'room'; readonly event: ChatRoomEvent }
  /** Something that was asked for by an effect failed. */
  | {
      readonly type: 'refused'
      readonly asked: 'send' | 'nick' | 'join'
      readonly code: string
      readonly message: string
    }
  | { readonly type: 'resize'; readonly columns: number; readonly rows: number }
  | { readonly type: 'tick'; readonly nowMs: number }

/** What a chat wants done; the caller does it in order. */
export type ChatEffect =
  /** Say it; then feed the room's `message` and `sent` events, or `refused`. */
  | { readonly type: 'send'; readonly text: string }
  | { readonly type: 'nick'; readonly nick: string }
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
    mode: init.mode,
    room: init.room,
    nick: init.nick,
    isJoined: false,
    members: [],
    entries: [],
    editor: EMPTY_EDITOR,
    columns: init.columns ?? 80,
    rows: init.rows ?? 24,
    scrolledRows: 0,
    unreadFrom: undefined,
    isFocused: true,
    nowMs: init.nowMs,
    utcOffsetMinutes: init.utcOffsetMinutes ?? 0,
    pendingCount: 0,
    refusedCount: 0,
    isInputEnded: false,
    nextEntry: 0
  }
}
