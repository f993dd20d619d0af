import type { Clock } from '#contracts'
import { createDeadline } from '../deadline.ts'
import type { Guests } from '../guests.ts'
import { createReporter } from './content-handlers.ts'
import type { HandlersOf } from './handlers.ts'

/** How long finding a guest may take. */
const GUEST_DEADLINE_MS = 60_000

/** Guests of microVMs for commands. */
export function createGuestHandlers(guests: Guests, clock: Clock): HandlersOf<'guest.publish' | 'guest.use'> {
  return {
    'guest.publish': async ({ folder, first = false }, { signal }) => {
      const published = await guests.publish(folder, { signal, isFirst: first })
      return { ...published, line: `elastos guest use ${published.publisher}` }
    },
    'guest.use': async ({ target, deadlineMs: idleMs = GUEST_DEADLINE_MS }, { signal, emit }) => {
      const report = createReporter(emit)
      using deadline = createDeadline({ clock, signal, idleMs, what: 'the guest was not found' })
      return await guests.use(target, {
        signal: deadline.signal,
        onProgress: (bytes) => {
          // It was found: from here on content itself gives up when nothing more arrives.
          deadline[Symbol.dispose]()
          report({ phase: 'fetching', bytes })
        }
      })
    }
  }
}
