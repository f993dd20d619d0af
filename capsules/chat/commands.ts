/** What a line says: words for the room, or a command. */
export type Command =
  | { readonly name: 'say'; readonly text: string }
  | { readonly name: 'nick'; readonly nick: string }
  | { readonly name: 'join' | 'part'; readonly room: string }
  | { readonly name: 'msg'; readonly whom: string; readonly text: string }
  | { readonly name: 'share'; readonly path: string }
  | { readonly name: 'block' | 'unblock' | 'verify'; readonly whom: string }
  | { readonly name: 'who' | 'list' | 'hidden' | 'quit' | 'help' | 'nothing' }
  | { readonly name: 'wrong'; readonly message: string }

/** The commands and what they do, for `/help`. */
export const COMMANDS: readonly (readonly [usage: string, summary: string])[] = [
  ['/join ROOM', 'join a room, or show one you are in'],
  ['/part [ROOM]', 'leave this room, or another'],
  ['/list', 'list your rooms, and what is unread in them'],
  ['/who', 'list who is here, with their dids'],
  ['/nick NAME', 'change what others see you as'],
  ['/msg WHO TEXT', 'say something to one person only'],
  ['/share FILE', 'add a file and say its link'],
  ['/block [WHO]', 'hear somebody no more, or list whom'],
  ['/unblock WHO', 'hear somebody again'],
  ['/hidden', 'show what moderators you follow hide here'],
  ['/verify WHO', 'show words that both of you see when nobody is between you'],
  ['/quit', 'leave'],
  ['/help', 'show this'],
  ['//text', 'say something that begins with a slash']
]

const ALIASES: Readonly<Record<string, string>> = {
  names: 'who',
  exit: 'quit',
  leave: 'part',
  rooms: 'list'
}

/** Reads a line. Lines that begin with one slash are commands; an unknown one is never said aloud. */
export function parseCommand(line: string): Command {
  if (line.trim() === '') return { name: 'nothing' }
  if (!line.startsWith('/')) return { name: 'say', text: line }
  if (line.startsWith('//')) return { name: 'say', text: line.slice(1) }
  const [typed = '', ...rest] = line.slice(1).split(' ')
  const argument = rest.join(' ').trim()
  const word = ALIASES[typed.toLowerCase()] ?? typed.toLowerCase()
  switch (word) {
    case 'part':
      return { name: word, room: argument }
    case 'block':
      return { name: word, whom: argument }
    case 'who':
    case 'list':
    case 'hidden':
    case 'quit':
    case 'help':
      return { name: word }
    default:
      return parseWithArgument(word, argument)
  }
}

function parseWithArgument(word: string, argument: string): Command {
  const usage = COMMANDS.find(([known]) => known.startsWith(`/${word} `))?.[0]
  if (usage === undefined) return { name: 'wrong', message: `expected a command such as /help, got /${word}` }
  if (argument === '') return { name: 'wrong', message: `expected ${usage}, got /${word} alone` }
  switch (word) {
    case 'nick':
      return { name: word, nick: argument }
    case 'join':
      return { name: word, room: argument }
    case 'share':
      return { name: word, path: argument }
    case 'unblock':
    case 'verify':
      return { name: word, whom: argument }
    default:
      return parseDirect(argument, usage)
  }
}

function parseDirect(argument: string, usage: string): Command {
  const [whom = '', ...words] = argument.split(' ')
  const text = words.join(' ').trim()
  return text === '' ? { name: 'wrong', message: `expected ${usage}` } : { name: 'msg', whom, text }
}
