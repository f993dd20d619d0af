import { complete } from './completion.ts'
import { editorText, editWithKey, insertText, takeLine } from './editor.ts'
import { still } from './entries.ts'
import type { Key, KeyName } from './keys.ts'
import { isTooLong, runLine } from './run-command.ts'
import { entryRowCount, messageRows } from './screen.ts'
import type { ChatState, ChatStep } from './state.ts'
import { allViews, showRoom } from './views.ts'

// What a paste may carry into a message: no control characters but line feed and tab.
const PASTE_CONTROLS = /(?![\n\t])\p{Cc}/gu

/** What one key changes. */
export function onKey(state: ChatState, key: Key): ChatStep {
  if (key.type === 'text') return still({ ...state, editor: insertText(state.editor, key.text) })
  if (key.type === 'paste') return still({ ...state, editor: insertText(state.editor, readPaste(key.text)) })
  return onNamedKey(state, key.name)
}

/** Keeps the scrolled rows within what there is, after the screen or the entries changed. */
export function clampScroll(state: ChatState): ChatState {
  if (state.scrolledRows === 0) return state
  const rowsMax = Math.max(entryRowCount(state) - messageRows(state), 0)
  return { ...state, scrolledRows: Math.min(state.scrolledRows, rowsMax) }
}

function onNamedKey(state: ChatState, name: KeyName): ChatStep {
  const number = /^room-([1-9])$/.exec(name)?.[1]
  if (number !== undefined) return still(showRoom(state, state.order[Number(number) - 1] ?? state.visit))
  switch (name) {
    case 'room-unread':
      return still(showUnread(state))
    case 'enter':
      return onEnter(state)
    case 'tab': {
      const nicks = state.members.filter((member) => !member.isSelf).map((member) => member.nick)
      const rooms = allViews(state).map(({ room }) => room)
      return still({ ...state, editor: complete(state.editor, { nicks, rooms }) })
    }
    case 'interrupt':
      return { state, effects: [{ type: 'quit' }] }
    case 'end-of-input':
      if (state.editor.characters.length === 0) return { state, effects: [{ type: 'quit' }] }
      return still({ ...state, editor: editWithKey(state.editor, 'delete') })
    case 'escape':
      return still({ ...state, scrolledRows: 0, unreadFrom: undefined })
    case 'page-up':
      return still(scroll(state, 1))
    case 'page-down':
      return still(scroll(state, -1))
    case 'focus':
      return still({ ...state, isFocused: true })
    case 'blur':
      return still({ ...state, isFocused: false, unreadFrom: undefined })
    case 'redraw':
      return still(state)
    default:
      return still({ ...state, editor: editWithKey(state.editor, name) })
  }
}

function onEnter(state: ChatState): ChatStep {
  // Too long a line stays, so that it can be shortened.
  if (isTooLong(editorText(state.editor))) return runLine(state, editorText(state.editor))
  const { editor, text } = takeLine(state.editor)
  return runLine({ ...state, editor }, text)
}

/** Shows the next room with something unread in it, or else just the next one. */
function showUnread(state: ChatState): ChatState {
  const at = state.order.indexOf(state.visit)
  const others = [...state.order.slice(at + 1), ...state.order.slice(0, at)]
  const unread = state.parked.filter(({ unreadCount }) => unreadCount > 0).map(({ visit }) => visit)
  return showRoom(state, others.find((visit) => unread.includes(visit)) ?? others[0] ?? state.visit)
}

function scroll(state: ChatState, pages: 1 | -1): ChatState {
  const stepRows = Math.max(messageRows(state) - 1, 1)
  return clampScroll({ ...state, scrolledRows: Math.max(state.scrolledRows + pages * stepRows, 0) })
}

function readPaste(text: string): string {
  return text.replaceAll(/\r\n?/g, '\n').replaceAll(PASTE_CONTROLS, '')
}
