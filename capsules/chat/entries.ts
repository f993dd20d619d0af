import { ENTRIES_MAX } from './constants.ts'
import { plainLines } from './entry-lines.ts'
import { entryRowCount } from './screen.ts'
import type { ChatEffect, ChatState, ChatStep, Entry } from './state.ts'

/** An entry without what is filled in when it is added. */
export type NewEntry = Omit<Entry, 'id' | 'atMs'> & Partial<Pick<Entry, 'id' | 'atMs'>>

/** A step that wants nothing done. */
export function still(state: ChatState): ChatStep {
  return { state, effects: [] }
}

/** What `next` makes of the state of `step`, after the effects of both. */
export function then(step: ChatStep, next: (state: ChatState) => ChatStep): ChatStep {
  const { state, effects } = next(step.state)
  return { state, effects: [...step.effects, ...effects] }
}

/**
 * Adds an entry. On a screen somebody who scrolled back keeps seeing the same rows; in line mode it is written at once:
 * words of others to standard output, everything else to standard error, our own words nowhere since they were typed.
 */
export function addEntry(state: ChatState, added: NewEntry): ChatStep {
  const entry: Entry = { id: `#${state.nextEntry}`, atMs: state.nowMs, ...added }
  const entries = [...state.entries, entry].slice(-ENTRIES_MAX)
  const next: ChatState = { ...state, entries, nextEntry: state.nextEntry + 1 }
  const isOfOthers = entry.kind === 'message' && entry.isSelf !== true
  const unreadCount = state.unreadCount + (isOfOthers && state.isBehind ? 1 : 0)
  if (state.mode === 'lines') return { state: { ...next, unreadCount }, effects: lineEffects(entry, state) }
  const isUnseen =
    isOfOthers && (entry.isMissed === true || state.isBehind || state.scrolledRows > 0 || !state.isFocused)
  const unread = { ...next, unreadCount }
  const marked = isUnseen && state.unreadFrom === undefined ? { ...unread, unreadFrom: entry.id } : unread
  const addedRows = state.scrolledRows > 0 ? entryRowCount(marked, [entry]) : 0
  return still({ ...marked, scrolledRows: state.scrolledRows + addedRows })
}

/** Adds several notes, one below the other. */
export function addNotes(state: ChatState, texts: readonly string[]): ChatStep {
  return texts.reduce<ChatStep>(
    (step, text) => then(step, (current) => addEntry(current, { kind: 'note', text })),
    still(state)
  )
}

function lineEffects(entry: Entry, state: ChatState): readonly ChatEffect[] {
  if (entry.isSelf === true) return []
  const type = entry.kind === 'message' ? 'print' : 'note'
  // Lines of all rooms come out of one pipe; those of the room one speaks in are as they are.
  const room = state.isBehind ? state.room : undefined
  return plainLines(entry, state.utcOffsetMinutes, room).map((line) => ({ type, line }))
}
