import type { Member } from '#rooms'
import { BLOCKED_MAX } from './constants.ts'
import { addNotes } from './entries.ts'
import { refuse } from './refuse.ts'
import { safetyWords } from './safety-words.ts'
import type { ChatState, ChatStep } from './state.ts'

/** Somebody that a person named. */
interface Person {
  readonly did: string
  readonly label: string
}

const DID = /^did:key:z[1-9A-HJ-NP-Za-km-z]+$/

/**
 * Who is meant: by did, by label, or by a nick that only one person here has. Two people with one nick are never taken
 * for each other: then nobody is meant.
 */
function findPerson(state: ChatState, whom: string): Person | undefined {
  if (DID.test(whom)) return { did: whom, label: labelOf(state, whom) ?? whom }
  const others = state.members.filter((member) => !member.isSelf)
  const named = (match: (member: Member) => boolean): readonly Member[] => others.filter(match)
  const byLabel = named(({ label }) => label === whom)
  const found = byLabel.length > 0 ? byLabel : named(({ nick }) => nick === whom)
  const [first] = found
  if (first === undefined || new Set(found.map(({ author }) => author)).size > 1) return undefined
  return { did: first.author, label: first.label }
}

function labelOf(state: ChatState, did: string): string | undefined {
  return state.members.find(({ author, device }) => author === did || device === did)?.label
}

function withPerson(state: ChatState, whom: string, next: (person: Person) => ChatStep): ChatStep {
  const person = findPerson(state, whom)
  if (person !== undefined) return next(person)
  return refuse(state, `expected one person who is here, or a did, got ${whom}; /who lists them`)
}

/** What is said to one person only, once it is clear to whom. */
export function directTo(state: ChatState, whom: string, next: (did: string) => ChatStep): ChatStep {
  return withPerson(state, whom, ({ did }) => next(did))
}

/** Hears somebody no more, or again. */
export function block(state: ChatState, whom: string, isBlocked: boolean): ChatStep {
  return withPerson(state, whom, ({ did, label }) => {
    const others = state.blocked.filter((blocked) => blocked !== did)
    if (isBlocked && others.length >= BLOCKED_MAX) {
      return refuse(state, `expected at most ${BLOCKED_MAX} people to be blocked`)
    }
    const noted = addNotes({ ...state, blocked: isBlocked ? [...others, did] : others }, [
      isBlocked ? `you hear ${label} no more; /unblock ${did} undoes it` : `you hear ${label} again`
    ])
    return { ...noted, effects: [...noted.effects, { type: 'block', did, isBlocked }] }
  })
}

/** The people who were blocked here. */
export function blockedLines(state: ChatState): readonly string[] {
  return state.blocked.length === 0
    ? ['nobody is blocked here']
    : state.blocked.map((did) => `blocked ${did}`)
}

/** Shows the words of both persons' keys. */
export function verify(state: ChatState, whom: string): ChatStep {
  const self = state.members.find((member) => member.isSelf)
  if (self === undefined) return refuse(state, 'expected a room that was joined')
  return withPerson(state, whom, ({ did, label }) => {
    const words = safetyWords(self.author, did)
    return addNotes(state, [
      `read these to ${label} and compare, over the phone or face to face:`,
      words.slice(0, 6).join(' '),
      words.slice(6).join(' '),
      `the same on both screens: this is ${label}, and nobody is between you`
    ])
  })
}
