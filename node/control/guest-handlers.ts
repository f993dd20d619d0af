import type { Guests } from '../guests.ts'
import { createReporter } from './content-handlers.ts'
import type { HandlersOf } from './handlers.ts'

/** Guests of microVMs for commands. */
export function createGuestHandlers(guests: Guests): HandlersOf<'guest.publish' | 'guest.use'> {
  return {
    'guest.publish': async ({ folder, first = false }, { signal }) => {
      const published = await guests.publish(folder, { signal, isFirst: first })
      return { ...published, line: `elastos guest use ${published.publisher}` }
    },
    'guest.use': async ({ target, deadlineMs: findMsMax }, { signal, emit }) => {
      const report = createReporter(emit)
      const onProgress = (bytes: number): void => report({ phase: 'fetching', bytes })
      return await guests.use(target, { signal, findMsMax, onProgress })
    }
  }
}
