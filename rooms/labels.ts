import type { Did } from '#did'
import { LABEL_SUFFIX_CHARS, NICKS_MAX, NICK_USERS_MAX } from './constants.ts'

/** Tells people with one nick apart. */
export interface Labels {
  /**
   * What to show for `author` who uses `nick`: the nick alone, or `nick (…a1B2c3)` with the end of the did when somebody
   * else was seen with the same nick, or when the nick mixes alphabets to look like another.
   */
  label(author: Did, nick: string): string
}

// A nick in one alphabet is what it looks like; the three that share letter shapes are only a danger together.
const LATIN = /\p{Script=Latin}/u
const LOOKALIKE = /[\p{Script=Cyrillic}\p{Script=Greek}]/u

/** Labels for one room. What was seen once is remembered, so that a person cannot be followed by an impostor. */
export function createLabels(): Labels {
  const usersByNick = new Map<string, Set<Did>>()
  return {
    label: (author, nick) => {
      const users = remember(usersByNick, nick.normalize('NFKC').toLowerCase(), author)
      const isPlain = users.size === 1 && !(LATIN.test(nick) && LOOKALIKE.test(nick))
      return isPlain ? nick : `${nick} (…${suffix(author, users)})`
    }
  }
}

function remember(usersByNick: Map<string, Set<Did>>, key: string, author: Did): Set<Did> {
  const users = usersByNick.get(key) ?? new Set<Did>()
  usersByNick.delete(key)
  usersByNick.set(key, users)
  if (usersByNick.size > NICKS_MAX) {
    for (const [oldest] of usersByNick.entries().take(1)) usersByNick.delete(oldest)
  }
  if (users.size < NICK_USERS_MAX) users.add(author)
  // Beyond the bound nobody is remembered, but everybody keeps a suffix: two users are known.
  return users
}

/** The end of the did, longer while somebody with the same nick made a key whose did ends alike. */
function suffix(author: Did, users: ReadonlySet<Did>): string {
  let length = LABEL_SUFFIX_CHARS
  const isShared = (): boolean =>
    [...users].some((other) => other !== author && other.slice(-length) === author.slice(-length))
  while (length < author.length && isShared()) length += 2
  return author.slice(-length)
}
