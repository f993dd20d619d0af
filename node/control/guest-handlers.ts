import type { Clock } from '#contracts'
import { createDeadline } from '../deadline.ts'
import type { Guests } from '../guests.ts'
import type { HandlersOf } from './handlers.ts'

/** How long finding and fetching a guest may take. */
const GUEST_DEADLINE_MS = 300_000

/** Guests of microVMs for commands. */
export function createGuestHandlers(guests: Guests, clock: Clock): HandlersOf<'guest.publish' | 'guest.use'> {
  return {
    'guest.publish': async ({ folder, first = false }, { signal }) => {
      const published = await guests.publish(folder, { signal, isFirst: first })
      return { ...published, line: `elastos guest use ${published.publisher}` }
    },
    'guest.use': async ({ target, deadlineMs: idleMs = GUEST_DEADLINE_MS }, { signal }) => {
      using deadline = createDeadline({ clock, signal, idleMs, what: 'the guest was not found' })
      return await guests.use(target, deadline.signal)
    }
  }
}
