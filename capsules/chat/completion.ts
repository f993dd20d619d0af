import { COMMANDS } from './commands.ts'
import { insertText, type Editor } from './editor.ts'

/** What a word before the cursor can become. */
export interface CompletionWords {
  readonly nicks: readonly string[]
  readonly rooms: readonly string[]
}

const COMMAND_WORDS: readonly string[] = COMMANDS.map(([usage]) => usage.split(' ')[0] ?? '')

/**
 * Completes the word before the cursor, as far as all that begins like it agrees: to a command at the start of the line, to a
 * room behind `/join` and `/part`, else to the nick of somebody here.
 */
export function complete(editor: Editor, { nicks, rooms }: CompletionWords): Editor {
  const before = editor.characters.slice(0, editor.cursor)
  const start = before.lastIndexOf(' ') + 1
  const typed = before.slice(start).join('')
  const line = before.join('')
  if (typed === '') return editor
  if (start === 0 && line.startsWith('/'))
    return completeTo(editor, start, { words: COMMAND_WORDS, end: ' ' })
  const words = /^\/(join|part) /.test(line) ? rooms : nicks
  return completeTo(editor, start, { words, end: start === 0 ? ': ' : ' ' })
}

function completeTo(
  editor: Editor,
  start: number,
  { words, end }: { readonly words: readonly string[]; readonly end: string }
): Editor {
  const before = editor.characters.slice(0, editor.cursor)
  const typed = before.slice(start).join('').toLowerCase()
  const matches = [...new Set(words)].filter((word) => word.toLowerCase().startsWith(typed))
  const [word] = matches
  if (word === undefined) return editor
  const completed = matches.length === 1 ? word + end : matches.reduce(sharedStart)
  if (completed.length <= typed.length) return editor
  const rest = editor.characters.slice(editor.cursor)
  const kept = { ...editor, characters: [...before.slice(0, start), ...rest], cursor: start }
  return insertText(kept, completed)
}

/** How far two words agree, upper and lower case being one. */
function sharedStart(one: string, other: string): string {
  const [ours, theirs] = [[...one], [...other]]
  const differs = ours.findIndex(
    (character, index) => character.toLowerCase() !== theirs[index]?.toLowerCase()
  )
  return ours.slice(0, differs < 0 ? ours.length : differs).join('')
}
