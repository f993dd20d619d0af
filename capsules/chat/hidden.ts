import type { TextEvent } from '#rooms'
import { HIDDEN_MAX } from './constants.ts'
import { addEntry, addNotes, still, then } from './entries.ts'
import type { ChatState, ChatStep, Entry } from './state.ts'

/** What the note says that stands for messages which a moderator's list hides. */
const HIDDEN_NOTE = 'hidden-note'

/** Keeps a message that a list hides, and says how many there are: it is never dropped silently. */
export function hideMessage(
  state: ChatState,
  { id, label, author, text, receivedAtMs }: TextEvent
): ChatStep {
  return hideEntries(state, [{ id, kind: 'message', label, author, text, atMs: receivedAtMs }])
}

/** Texts that were shown are hidden now, or those that were hidden are shown again, by their ids. */
export function onModerated(
  state: ChatState,
  { hidden, shown }: { readonly hidden: readonly string[]; readonly shown: readonly string[] }
): ChatStep {
  const goes = state.entries.filter(({ id }) => hidden.includes(id))
  const rest = { ...state, entries: state.entries.filter(({ id }) => !hidden.includes(id)) }
  const comes = state.hidden.filter(({ id }) => shown.includes(id))
  const stays = state.hidden.filter(({ id }) => !shown.includes(id))
  // Of those that were let go nobody can say whether they are shown again; without any others there are none.
  const hiddenCount = stays.length === 0 ? 0 : state.hiddenCount - comes.length
  const kept = { ...rest, hidden: stays, hiddenCount }
  const step = goes.length === 0 ? still(withNoteOfLess(kept)) : hideEntries(kept, goes)
  return comes.reduce((before, entry) => then(before, (current) => addEntry(current, entry)), step)
}

/** The hidden messages of this room, for who asks for them. */
export function showHidden(state: ChatState): ChatStep {
  if (state.hidden.length === 0) return addNotes(state, ['nothing is hidden here'])
  return addNotes(
    state,
    state.hidden.map(({ label, text }) => `hidden <${label ?? '?'}> ${text}`)
  )
}

/** Above what is left of the messages, one note for all that follow each other: whoever floods a room floods no screen. */
function hideEntries(state: ChatState, entries: readonly Entry[]): ChatStep {
  const hidden = [...state.hidden, ...entries].slice(-HIDDEN_MAX)
  const hiddenCount = state.hiddenCount + entries.length
  const next = { ...state, hidden, hiddenCount }
  // Lines cannot be taken back: one for the first, the second, the fourth …
  const isTold = state.mode === 'screen' || isPassed(state.hiddenCount, hiddenCount)
  const withoutNote = { ...next, entries: next.entries.filter(({ id }) => id !== HIDDEN_NOTE) }
  if (!isTold) return still(next)
  return addEntry(withoutNote, { id: HIDDEN_NOTE, kind: 'note', text: noteOf(hiddenCount) })
}

/** The note says less where it stands, and goes when nothing is hidden any more. */
function withNoteOfLess(state: ChatState): ChatState {
  const { entries, hiddenCount } = state
  if (hiddenCount === 0) return { ...state, entries: entries.filter(({ id }) => id !== HIDDEN_NOTE) }
  const text = noteOf(hiddenCount)
  return {
    ...state,
    entries: entries.map((entry) => (entry.id === HIDDEN_NOTE ? { ...entry, text } : entry))
  }
}

function noteOf(hiddenCount: number): string {
  const what = hiddenCount === 1 ? '1 message is' : `${hiddenCount} messages are`
  return `${what} hidden by moderators you follow; /hidden shows them`
}

/** Whether a power of two lies above `before` and not above `now`. */
function isPassed(before: number, now: number): boolean {
  return Math.floor(Math.log2(now)) > (before === 0 ? -1 : Math.floor(Math.log2(before)))
}
