import type { DenyList } from '#bootstrap'
import type { HandlersOf } from './handlers.ts'
import { takeRows } from './rows.ts'

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
    'deny.list': async ({ all = false }, { emit }) => {
      const send = async (subjects: string[]): Promise<void> => await emit({ kind: 'rows', subjects })
      const init = { describe: ({ value }: { value: string }) => value, send: all ? send : undefined }
      const { rows, isCut } = await takeRows(denyList.list(), init)
      return { subjects: rows, isCut }
    }
  }
}
