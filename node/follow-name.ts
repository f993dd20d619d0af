import { errorMessage } from '#contracts'
import type { Clock, NameStatus } from '#contracts'

/** How a name is followed. */
export interface FollowNameInit {
  readonly resolve: (signal: AbortSignal) => Promise<NameStatus>
  /** How long lies between two looks. */
  readonly everyMs: number
  readonly clock: Pick<Clock, 'sleep'>
  readonly signal: AbortSignal
  /** Told why a look was in vain, once until the reason changes. */
  readonly onTrouble: (message: string) => Promise<void>
}

/**
 * What a name points to, each newer value once, the one of now first. Looks that fail are tried again; an older value than
 * one that came is never yielded.
 *
 * @throws the reason of `signal`
 */
export async function* followName(init: FollowNameInit): AsyncGenerator<NameStatus> {
  const { resolve, everyMs, clock, signal, onTrouble } = init
  let last: NameStatus | undefined
  let trouble: string | undefined
  for (;;) {
    try {
      const found = await resolve(signal)
      trouble = undefined
      if (isNews(found, last)) {
        last = found
        yield found
      }
    } catch (thrown) {
      signal.throwIfAborted()
      const message = errorMessage(thrown)
      if (message !== trouble) await onTrouble(message)
      trouble = message
    }
    await clock.sleep(everyMs, signal)
  }
}

/** A record that is signed again for the same value is no news. */
function isNews(found: NameStatus, last: NameStatus | undefined): boolean {
  if (last === undefined) return true
  if (found.cid === last.cid && found.path === last.path) return false
  if (found.sequence === undefined || last.sequence === undefined) return true
  // a domain may come to lead to another name, whose numbers say nothing of those before
  const isSameName = found.domains?.at(-1) === last.domains?.at(-1)
  return !isSameName || BigInt(found.sequence) > BigInt(last.sequence)
}
