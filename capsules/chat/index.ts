/**
 * The chat: everything between what a person types and what they see, as pure functions. Events in, text and effects
 * out; no Node API, so that the same source becomes a capsule.
 *
 * @example
 * ```ts
 * import { createChat, decodeKeys, EMPTY_KEYS, reduce, render, type ChatEffect } from '#chat'
 *
 * const init = { mode: 'screen', room: 'lobby', nick: 'ann', nowMs: 0, columns: 80, rows: 24 } as const
 * let { state } = createChat(init)
 * const todo: ChatEffect[] = []
 *
 * const typed = decodeKeys(EMPTY_KEYS, Uint8Array.of(0x2f, 0x77, 0x68, 0x6f, 0x0d))
 * const step = reduce(state, { type: 'keys', keys: typed.keys })
 * state = step.state
 * todo.push(...step.effects)
 * console.log(render(state, { columns: 80, rows: 24, colours: '256' }))
 * ```
 *
 * @packageDocumentation
 */
export { createChat, FIRST_USE_NOTICE, reduce } from './chat.ts'
export type {
  ChatEffect,
  ChatEvent,
  ChatInit,
  ChatMode,
  ChatRoomEvent,
  ChatState,
  ChatStep,
  Entry
} from './state.ts'
export type { Editor } from './editor.ts'
export { decodeKeys, EMPTY_KEYS, flushKeys } from './keys.ts'
export type { Key, KeyName, KeysState, KeysStep } from './keys.ts'
export { decodeLines, EMPTY_LINES, flushLines } from './lines.ts'
export type { InputLine, LinesState, LinesStep } from './lines.ts'
export type { Utf8State } from './utf8.ts'
export { render, SCREEN_ENTER, SCREEN_LEAVE } from './screen.ts'
export type { ScreenInit } from './screen.ts'
export type { ColourDepth } from './colours.ts'
export { runChat } from './session.ts'
export type { ChatClock, ChatPlace, ChatTerminal, ChatTold, ChatVisit } from './session.ts'
export { showable, showableLines } from './sanitise.ts'
export { readRoomEvent } from './read-room-event.ts'
export { COMMANDS } from './commands.ts'
export { TEXT_BYTES_MAX } from './constants.ts'
