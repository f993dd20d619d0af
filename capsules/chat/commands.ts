/** What a line says: words for the room, or a command. */
export type Command =
  | { readonly name: 'say'; readonly text: string }
  | { readonly name: 'nick'; readonly nick: string }
  | { readonly name: 'join'; readonly room: string }
  | { readonly name: 'who' | 'quit' | 'help' | 'nothing' }
  | { readonly name: 'wrong'; readonly message: string }

/** The commands and what they do, for `/help`. */
export const COMMANDS: readonly (readonly [usage: string, summary: string])[] = [
  ['/nick NAME', 'change what others see you as'],
  ['/who', 'list who is here, with their dids'],
  ['/join ROOM', 'leave this room for another'],
  ['/quit', 'leave'],
  ['/help', 'show this'],
  ['//text', 'say something that begins with a slash']
]

/** Reads a line. Lines that begin with one slash are commands; an unknown one is never said aloud. */
export function parseCommand(line: string): Command {
  if (line.trim() === '') return { name: 'nothing' }
  if (!line.startsWith('/')) return { name: 'say', text: line }
  if (line.startsWith('//')) return { name: 'say', text: line.slice(1) }
  const [word = '', ...rest] = line.slice(1).split(' ')
  const argument = rest.join(' ').trim()
  switch (word.toLowerCase()) {
    case 'nick':
      return argument === '' ? wrong('/nick NAME', 'nick') : { name: 'nick', nick: argument }
    case 'join':
      return argument === '' ? wrong('/join ROOM', 'join') : { name: 'join', room: argument }
    case 'who':
    case 'names':
      return { name: 'who' }
    case 'quit':
    case 'exit':
      return { name: 'quit' }
    case 'help':
      return { name: 'help' }
    default:
      return { name: 'wrong', message: `expected a command such as /help, got /${word}` }
  }
}

function wrong(usage: string, word: string): Command {
  return { name: 'wrong', message: `expected ${usage}, got /${word} alone` }
}
