import {
  createChat,
  decodeKeys,
  EMPTY_KEYS,
  reduce,
  render,
  type ChatEffect,
  type ChatEvent,
  type ChatInit,
  type ChatRoomEvent,
  type ChatState,
  type ColourDepth
} from '#chat'
import type { Member, TextEvent } from '#rooms'
import { showOnTerminal, type TerminalScreen } from './terminal-screen.ts'

/** A chat under test: what was done to it, and what it asked for. */
export interface ChatDriver {
  readonly state: ChatState
  /** All effects so far. */
  readonly effects: readonly ChatEffect[]
  feed(event: ChatEvent): void
  /** What happens in the room that is shown, or in the one named. */
  room(event: ChatRoomEvent, room?: string): void
  type(text: string): void
  /** What is on the screen now. */
  screen(colours?: ColourDepth): TerminalScreen
  /** The effects of one type, as their main text. */
  texts(type: 'send' | 'print' | 'note' | 'nick' | 'join' | 'leave'): string[]
  isQuitting(): boolean
}

/** Half past twelve. */
export const NOW_MS: number = Date.UTC(2027, 0, 15, 12, 30)

/** Starts a chat. */
export function driveChat(init: Partial<ChatInit> = {}): ChatDriver {
  const first = createChat({
    mode: 'screen',
    room: 'lobby',
    nick: 'ann',
    nowMs: NOW_MS,
    columns: 40,
    rows: 8,
    ...init
  })
  let state = first.state
  let keys = EMPTY_KEYS
  const effects = [...first.effects]
  const feed = (event: ChatEvent): void => {
    const step = reduce(state, event)
    state = step.state
    effects.push(...step.effects)
  }
  return {
    get state() {
      return state
    },
    effects,
    feed,
    room: (event, room) => feed({ type: 'room', event, ...(room === undefined ? {} : { room }) }),
    type: (text) => {
      const step = decodeKeys(keys, new TextEncoder().encode(text))
      keys = step.state
      feed({ type: 'keys', keys: step.keys })
    },
    screen: (colours = '256') => {
      const size = { columns: state.columns, rows: state.rows }
      return showOnTerminal(render(state, { ...size, colours }), size)
    },
    texts: (type) =>
      effects.flatMap((effect) => {
        if (effect.type !== type) return []
        if (effect.type === 'send') return [effect.text]
        if (effect.type === 'nick') return [effect.nick]
        return effect.type === 'print' || effect.type === 'note' ? [effect.line] : [effect.room]
      }),
    isQuitting: () => effects.some((effect) => effect.type === 'quit')
  }
}

/** A member for an event. */
export function member(nick: string, fields: Partial<Member> = {}): Member {
  const did = `did:key:z6Mk${nick}` as const
  return { author: did, device: did, nick, label: nick, isSelf: false, joinedAtMs: NOW_MS, ...fields }
}

/** The event of being in the lobby with some others. */
export function here(...nicks: string[]): ChatRoomEvent {
  const members = [member('ann', { isSelf: true }), ...nicks.map((nick) => member(nick))]
  return { type: 'here', room: 'lobby', members }
}

let messages = 0

/** The event of somebody saying something. */
export function said(nick: string, text: string, fields: Partial<TextEvent> = {}): TextEvent {
  const { author, device, label } = member(nick)
  const index = ++messages
  const base = { id: `${device}:${index}`, index, author, device, nick, label, isSelf: false, text }
  return { type: 'message', ...base, sentAtMs: NOW_MS, receivedAtMs: NOW_MS, ...fields }
}
