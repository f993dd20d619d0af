import { COMMANDS, parseCommand } from './commands.ts'
import { CHAT_ROOMS_MAX, TEXT_BYTES_MAX } from './constants.ts'
import { addEntry, addNotes, still, then } from './entries.ts'
import { showHidden } from './hidden.ts'
import { block, blockedLines, directTo, verify } from './people.ts'
import { refuse } from './refuse.ts'
import { emptyView, type ChatState, type ChatStep } from './state.ts'
import { utf8Length } from './utf8.ts'
import { allViews, closeRoom, openRoom, showRoom } from './views.ts'

const USAGE_COLUMNS = 14

/** Does what a line says. */
export function runLine(state: ChatState, line: string): ChatStep {
  const command = parseCommand(line)
  switch (command.name) {
    case 'nothing':
      return still(state)
    case 'say':
      return say(state, command.text, { type: 'send', room: state.visit, text: command.text })
    case 'nick':
      return { state, effects: [{ type: 'nick', room: state.visit, nick: command.nick }] }
    case 'join':
      return join(state, command.room)
    case 'part':
      return part(state, command.room)
    case 'list':
      return addNotes(state, roomLines(state))
    case 'who':
      return addNotes(state, whoLines(state))
    case 'hidden':
      return showHidden(state)
    case 'msg':
      return directTo(state, command.whom, (to) =>
        say(state, command.text, { type: 'direct', room: state.visit, to, text: command.text })
      )
    case 'share':
      return say(state, command.path, { type: 'share', room: state.visit, path: command.path })
    case 'block':
      if (command.whom === '') return addNotes(state, blockedLines(state))
      return block(state, command.whom, true)
    case 'unblock':
      return block(state, command.whom, false)
    case 'verify':
      return verify(state, command.whom)
    case 'help':
      return addNotes(
        state,
        COMMANDS.map(([usage, summary]) => `${usage.padEnd(USAGE_COLUMNS)} ${summary}`)
      )
    case 'quit':
      return { state, effects: [{ type: 'quit' }] }
    case 'wrong':
      return refuse(state, command.message)
  }
}

/** Whether a line can be said as far as its length goes; the room checks the rest. */
export function isTooLong(text: string): boolean {
  return utf8Length(text) > TEXT_BYTES_MAX
}

/** Hands words on, whose fate is then waited for. */
function say(state: ChatState, text: string, effect: ChatStep['effects'][number]): ChatStep {
  if (state.isLeft) return refuse(state, `expected a room you are in, and you left ${state.room}`)
  if (isTooLong(text)) {
    return refuse(
      state,
      `ERR_TEXT_TOO_LONG: expected at most ${TEXT_BYTES_MAX} bytes of UTF-8, got ${utf8Length(text)}`
    )
  }
  // Whoever speaks has read what is above.
  const next = { ...state, pendingCount: state.pendingCount + 1, scrolledRows: 0, unreadFrom: undefined }
  return { state: next, effects: [effect] }
}

function join(state: ChatState, room: string): ChatStep {
  const known = allViews(state).find((view) => view.visit === room || view.room === room)
  if (known?.isLeft === false) {
    return showAloud(state, known.visit)
  }
  const joining = { type: 'join', room, nick: state.nick } as const
  if (known !== undefined) {
    const shown = showRoom(state, known.visit)
    return { state: { ...shown, isLeft: false }, effects: [{ ...joining, room: known.visit }] }
  }
  if (state.order.length >= CHAT_ROOMS_MAX) {
    return refuse(state, `expected at most ${CHAT_ROOMS_MAX} rooms; /part leaves one`)
  }
  return { state: openRoom(state, emptyView(room, state.nick)), effects: [joining] }
}

/** Shows a room; where lines are added, says which one is spoken in from now on. */
function showAloud(state: ChatState, visit: string): ChatStep {
  const shown = showRoom(state, visit)
  if (state.mode === 'screen') return still(shown)
  return addEntry(shown, { kind: 'note', text: `you speak in ${shown.room} now` })
}

function part(state: ChatState, room: string): ChatStep {
  const wanted = room === '' ? state.visit : room
  const view = allViews(state).find((known) => known.visit === wanted || known.room === wanted)
  if (view === undefined || view.isLeft) return refuse(state, `expected a room you are in, got ${wanted}`)
  const gone = { isLeft: true, isJoined: false, members: [], pendingCount: 0 }
  const leave = { type: 'leave', room: view.visit } as const
  const note = (next: ChatState): ChatStep => addEntry(next, { kind: 'event', text: `you left ${view.room}` })
  if (state.order.length === 1) return then({ state: { ...state, ...gone }, effects: [leave] }, note)
  const next = view.visit === state.visit ? showRoom(state, nextTo(state.order, view.visit)) : state
  return then({ state: closeRoom(next, view.visit), effects: [leave] }, note)
}

/** The room before this one, or else the one behind it. */
function nextTo(order: readonly string[], visit: string): string {
  const index = order.indexOf(visit)
  return order[index - 1] ?? order[index + 1] ?? visit
}

function roomLines(state: ChatState): readonly string[] {
  return allViews(state).map((view, index) => {
    const here = view.isLeft ? 'left' : view.isJoined ? `${view.members.length} here` : 'joining…'
    const unread = view.unreadCount === 0 ? '' : `, ${view.unreadCount} unread`
    return `${index + 1} ${view.room}${view.visit === state.visit ? ' (shown)' : ''}: ${here}${unread}`
  })
}

function whoLines(state: ChatState): readonly string[] {
  return state.members.map(({ label, author, device, isSelf }) => {
    const you = isSelf ? ' (you)' : ''
    return author === device ? `${label}${you} ${author}` : `${label}${you} ${author} on ${device}`
  })
}
