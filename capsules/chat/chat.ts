import { addEntry, still, then } from './entries.ts'
import { clampScroll, onKey } from './keyboard.ts'
import type { InputLine } from './lines.ts'
import { onRoomEvent } from './room-events.ts'
import { refuse } from './refuse.ts'
import { runLine } from './run-command.ts'
import { emptyState, type ChatEvent, type ChatInit, type ChatState, type ChatStep } from './state.ts'
import { allViews, inRoom } from './views.ts'

/** What a person reads before the first room: who can listen. */
export const FIRST_USE_NOTICE = "anyone who knows this room's name can read it and see your address"

/**
 * A chat that is about to join its room: its first effects say so. Feed what happens to {@link reduce}, do what the
 * effects say, and on a screen draw the state with {@link render} after each step.
 */
export function createChat(init: ChatInit): ChatStep {
  const joining: ChatStep = {
    state: emptyState(init),
    effects: [{ type: 'join', room: init.room, nick: init.nick }]
  }
  if (init.isFirstUse !== true) return joining
  return then(joining, (state) => addEntry(state, { kind: 'note', text: FIRST_USE_NOTICE }))
}

/** What an event changes, and what is to be done about it. Pure: the same arguments give the same answer. */
export function reduce(state: ChatState, event: ChatEvent): ChatStep {
  return then(apply(state, event), (next) => {
    const hasEnded = isDone(next) && !isDone(state)
    return hasEnded ? { state: next, effects: [{ type: 'quit' }] } : still(next)
  })
}

/** Whether nothing more can be said, and the fate of all that was is known. */
function isDone(state: ChatState): boolean {
  return state.isInputEnded && allViews(state).every(({ pendingCount }) => pendingCount === 0)
}

function apply(state: ChatState, event: ChatEvent): ChatStep {
  switch (event.type) {
    case 'keys':
      return each(state, event.keys, onKey)
    case 'lines':
      return each(state, event.lines, onLine)
    case 'input-end':
      return still({ ...state, isInputEnded: true })
    case 'room':
      return inRoom(state, event.room, (current) => onRoomEvent(current, event.event))
    case 'refused':
      return inRoom(state, event.room, (current) => onRefused(current, event))
    case 'resize':
      return still(clampScroll({ ...state, columns: event.columns, rows: event.rows }))
    case 'tick':
      return still({ ...state, nowMs: event.nowMs })
  }
}

function onRefused(state: ChatState, event: Extract<ChatEvent, { type: 'refused' }>): ChatStep {
  // In a room that could not be joined, nothing that was said is heard any more.
  const all = state.pendingCount
  const settled = { send: 1, direct: 1, share: 1, nick: 0, block: 0, join: all }[event.asked]
  const next = { ...state, pendingCount: Math.max(all - settled, 0) }
  return refuse(next, `${event.code}: ${event.message}`)
}

function onLine(state: ChatState, line: InputLine): ChatStep {
  if (line.type === 'line') return runLine(state, line.text)
  const what = line.code === 'ERR_TEXT_TOO_LONG' ? 'a shorter line' : 'a line of UTF-8'
  return refuse(state, `${line.code}: expected ${what}; this one was skipped`)
}

function each<T>(
  state: ChatState,
  items: readonly T[],
  next: (state: ChatState, item: T) => ChatStep
): ChatStep {
  return items.reduce<ChatStep>((step, item) => then(step, (current) => next(current, item)), still(state))
}
