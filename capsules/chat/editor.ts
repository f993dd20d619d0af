import { EDITOR_CHARS_MAX, HISTORY_MAX } from './constants.ts'
import type { KeyName } from './keys.ts'
import { clusters } from './width.ts'

/** The line being written. */
export interface Editor {
  /** Its characters, as a reader counts them. */
  readonly characters: readonly string[]
  /** How many of them are before the cursor. */
  readonly cursor: number
  /** Lines written before, the latest last. */
  readonly history: readonly string[]
  /** Which of them is shown, counted from the end; 0 is the line being written. */
  readonly recalled: number
  /** The line being written while an older one is shown. */
  readonly draft: string
}

/** An empty line. */
export const EMPTY_EDITOR: Editor = { characters: [], cursor: 0, history: [], recalled: 0, draft: '' }

/** The line as text. */
export function editorText({ characters }: Editor): string {
  return characters.join('')
}

/** Writes `text` at the cursor; what does not fit is left out. */
export function insertText(editor: Editor, text: string): Editor {
  const before = editor.characters.slice(0, editor.cursor).join('')
  const after = editor.characters.slice(editor.cursor)
  // Cut anew, since what is written may be a mark or a joiner that belongs to the character before it.
  const written = clusters(before + text)
  const characters = [...written, ...after].slice(0, EDITOR_CHARS_MAX)
  return { ...editor, characters, cursor: Math.min(written.length, characters.length) }
}

/** Clears the line and remembers it for the up key. */
export function takeLine(editor: Editor): { readonly editor: Editor; readonly text: string } {
  const text = editorText(editor)
  const isNew = text !== '' && text !== editor.history.at(-1)
  const history = isNew ? [...editor.history, text].slice(-HISTORY_MAX) : editor.history
  return { editor: { ...EMPTY_EDITOR, history }, text }
}

/** What a key does to the line; a key that does nothing there leaves it as it is. */
export function editWithKey(editor: Editor, name: KeyName): Editor {
  const { characters, cursor } = editor
  const moveTo = (to: number): Editor => ({
    ...editor,
    cursor: Math.max(0, Math.min(to, characters.length))
  })
  const erase = (from: number, to: number): Editor => ({
    ...editor,
    characters: characters.toSpliced(Math.max(from, 0), to - Math.max(from, 0)),
    cursor: Math.max(from, 0)
  })
  switch (name) {
    case 'left':
      return moveTo(cursor - 1)
    case 'right':
      return moveTo(cursor + 1)
    case 'home':
      return moveTo(0)
    case 'end':
      return moveTo(characters.length)
    case 'word-left':
      return moveTo(wordStart(characters, cursor))
    case 'word-right':
      return moveTo(wordEnd(characters, cursor))
    case 'backspace':
      return erase(cursor - 1, cursor)
    case 'delete':
      return erase(cursor, cursor + 1)
    case 'erase-word':
      return erase(wordStart(characters, cursor), cursor)
    case 'erase-before':
      return erase(0, cursor)
    case 'erase-after':
      return erase(cursor, characters.length)
    case 'up':
      return recall(editor, editor.recalled + 1)
    case 'down':
      return recall(editor, editor.recalled - 1)
    default:
      return editor
  }
}

function wordStart(characters: readonly string[], cursor: number): number {
  let at = cursor
  while (at > 0 && characters[at - 1] === ' ') at--
  while (at > 0 && characters[at - 1] !== ' ') at--
  return at
}

function wordEnd(characters: readonly string[], cursor: number): number {
  let at = cursor
  while (at < characters.length && characters[at] === ' ') at++
  while (at < characters.length && characters[at] !== ' ') at++
  return at
}

function recall(editor: Editor, wanted: number): Editor {
  const recalled = Math.max(0, Math.min(wanted, editor.history.length))
  if (recalled === editor.recalled) return editor
  const draft = editor.recalled === 0 ? editorText(editor) : editor.draft
  const text = recalled === 0 ? draft : (editor.history.at(-recalled) ?? '')
  const characters = clusters(text)
  return { ...editor, characters, cursor: characters.length, recalled, draft }
}
