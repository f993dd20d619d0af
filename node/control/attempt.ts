import { errorCode, errorMessage } from '#contracts'
import type { CallContext } from './server.ts'

/** What a room refuses is told to who asked for it, and ends nothing. */
export function attempt(
  { emit }: CallContext,
  asked: 'send' | 'nick' | 'direct',
  action: () => unknown
): void {
  void Promise.try(action)
    .catch(async (thrown: unknown) => {
      const code = errorCode(thrown) ?? 'ERR_UNKNOWN'
      await emit({ kind: 'room', event: { type: 'refused', asked, code, message: errorMessage(thrown) } })
    })
    .catch(() => undefined)
}
