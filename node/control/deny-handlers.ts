import type { DenyList } from '#bootstrap'
import type { HandlersOf } from './handlers.ts'

/** The deny list for commands. A change holds from the next block, connection or lookup on. */
export function createDenyHandlers(
  denyList: DenyList,
  onDenied: () => Promise<void>
): HandlersOf<'deny.add' | 'deny.remove' | 'deny.list'> {
  return {
    'deny.add': async ({ subject }) => {
      await denyList.add(subject)
      await onDenied()
      return { subject }
    },
    'deny.remove': async ({ subject }) => {
      await denyList.remove(subject)
      return { subject }
    },
    'deny.list': async () => await Promise.resolve({ subjects: denyList.list().map(({ value }) => value) })
  }
}
