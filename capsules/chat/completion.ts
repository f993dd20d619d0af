import { insertText, type Editor } from './editor.ts'

/** Completes the word before the cursor to the nick of somebody here, when only one begins like it. */
export function completeNick(editor: Editor, nicks: readonly string[]): Editor {
  const before = editor.characters.slice(0, editor.cursor)
  const start = before.lastIndexOf(' ') + 1
  const typed = before.slice(start).join('').toLowerCase()
  if (typed === '') return editor
  const matches = [...new Set(nicks)].filter((nick) => nick.toLowerCase().startsWith(typed))
  const [nick] = matches
  if (nick === undefined || matches.length > 1) return editor
  const rest = editor.characters.slice(editor.cursor)
  const kept = { ...editor, characters: [...before.slice(0, start), ...rest], cursor: start }
  return insertText(kept, start === 0 ? `${nick}: ` : `${nick} `)
}
