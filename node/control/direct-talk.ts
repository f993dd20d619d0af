import type { Clock } from '#contracts'
import { parseDid, type Did } from '#did'
import type { PrivateRooms, Room } from '#rooms'
import type { Contacts } from '../contacts.ts'
import type { CallContext } from './server.ts'

/** What direct talk acts on. */
export interface DirectTalkParts {
  readonly privateRooms: PrivateRooms
  readonly contacts: Pick<Contacts, 'list'>
  readonly clock: Clock
}

/** Words between two persons, shown in a chat that is open. */
export interface DirectTalk extends Disposable {
  /** Says something to a person, and shows it as said. */
  say(to: string, text: string): Promise<void>
}

const DID_PREFIX = 'did:key:'
const SHORT_DID_CHARS = 12

/** Shows direct words in the chat that was opened first, once each; those that came while none was open when the next one is. */
export function createDirectTalk(parts: DirectTalkParts): {
  join: (room: Room, context: CallContext) => DirectTalk
} {
  const open: CallContext[] = []
  return {
    join: (room, context) => {
      open.push(context)
      const labelOf = (did: Did): string =>
        parts.contacts.list().find((contact) => contact.did === did)?.petname ??
        room.members().find(({ author }) => author === did)?.label ??
        did.slice(DID_PREFIX.length, DID_PREFIX.length + SHORT_DID_CHARS)
      void relay(parts, context, { labelOf, isTurn: () => open[0] === context }).catch(() => undefined)
      return {
        say: async (to, text) => await sayDirect(parts, context, { to, text, labelOf }),
        [Symbol.dispose]: () => {
          open.splice(open.indexOf(context), 1)
        }
      }
    }
  }
}

type LabelOf = (did: Did) => string

async function relay(
  { privateRooms, clock }: DirectTalkParts,
  { signal, emit }: CallContext,
  { labelOf, isTurn }: { readonly labelOf: LabelOf; readonly isTurn: () => boolean }
): Promise<void> {
  const show = async (): Promise<void> => {
    if (!isTurn() || signal.aborted) return
    for (const { group, id, person, text } of await privateRooms.unseen('direct')) {
      const says = { id, author: person, label: labelOf(person), isSelf: false, text }
      await emit({ kind: 'room', event: { type: 'direct', ...says, receivedAtMs: clock.nowMs() } })
      // Only once it was shown: a chat that ends before leaves it for the next one.
      await privateRooms.seen(group, id)
    }
  }
  if (signal.aborted) return
  const events = privateRooms.events()[Symbol.asyncIterator]()
  signal.addEventListener('abort', () => void events.return?.(), { once: true })
  try {
    await show()
    for (;;) {
      const next = await events.next()
      if (next.done === true || signal.aborted) return
      if (next.value.type === 'text' || next.value.type === 'missed') await show()
    }
  } finally {
    await events.return?.()
  }
}

/** Says something to a person, and shows it as said. */
export async function sayDirect(
  { privateRooms, clock }: Pick<DirectTalkParts, 'privateRooms' | 'clock'>,
  { signal, emit }: CallContext,
  { to, text, labelOf }: { readonly to: string; readonly text: string; readonly labelOf: LabelOf }
): Promise<void> {
  const person = parseDid(to)
  const { id, devices } = await privateRooms.sayTo(person, text, { signal })
  const says = { id, author: privateRooms.own.person, label: labelOf(person), isSelf: true, text }
  await emit({ kind: 'room', event: { type: 'direct', ...says, receivedAtMs: clock.nowMs() } })
  // It is on its way to so many devices, and is brought to each when it can be reached.
  await emit({ kind: 'room', event: { type: 'sent', id, recipients: devices } })
}
