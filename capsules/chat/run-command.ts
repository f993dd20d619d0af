import { COMMANDS, parseCommand } from './commands.ts'
import { TEXT_BYTES_MAX } from './constants.ts'
import { addEntry, addNotes, still, then } from './entries.ts'
import type { ChatState, ChatStep } from './state.ts'
import { utf8Length } from './utf8.ts'

/** Does what a line says. */
export function runLine(state: ChatState, line: string): ChatStep {
  const command = parseCommand(line)
  switch (command.name) {
    case 'nothing':
      return still(state)
    case 'say':
      return say(state, command.text)
    case 'nick':
      return { state, effects: [{ type: 'nick', nick: command.nick }] }
    case 'join':
      return changeRoom(state, command.room)
    case 'who':
      return addNotes(state, whoLines(state))
    case 'help':
      return addNotes(
        state,
        COMMANDS.map(([usage, summary]) => `${usage.padEnd(12)} ${summary}`)
      )
    case 'quit':
      return { state, effects: [{ type: 'quit' }] }
    case 'wrong':
      return refuse(state, command.message)
  }
}

/** Shows that something was refused, and counts it for the exit code of a pipe. */
export function refuse(state: ChatState, text: string): ChatStep {
  return addEntry({ ...state, refusedCount: state.refusedCount + 1 }, { kind: 'error', text })
}

/** Whether a line can be said as far as its length goes; the room checks the rest. */
export function isTooLong(text: string): boolean {
  return utf8Length(text) > TEXT_BYTES_MAX
}

function say(state: ChatState, text: string): ChatStep {
  if (isTooLong(text)) {
    return refuse(
      state,
      `ERR_TEXT_TOO_LONG: expected at most ${TEXT_BYTES_MAX} bytes of UTF-8, got ${utf8Length(text)}`
    )
  }
  // Whoever speaks has read what is above.
  const next = { ...state, pendingCount: state.pendingCount + 1, scrolledRows: 0, unreadFrom: undefined }
  return { state: next, effects: [{ type: 'send', text }] }
}

function changeRoom(state: ChatState, room: string): ChatStep {
  const next = { ...state, room, isJoined: false, members: [], pendingCount: 0 }
  const left: ChatStep = {
    state: next,
    effects: [
      { type: 'leave', room: state.room },
      { type: 'join', room, nick: state.nick }
    ]
  }
  return then(left, (current) => addEntry(current, { kind: 'event', text: `you left ${state.room}` }))
}

function whoLines(state: ChatState): readonly string[] {
  return state.members.map(({ label, author, device, isSelf }) => {
    const you = isSelf ? ' (you)' : ''
    return author === device ? `${label}${you} ${author}` : `${label}${you} ${author} on ${device}`
  })
}
