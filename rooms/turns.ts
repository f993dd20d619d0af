import { TURNS_MAX } from './constants.ts'
import { RoomError } from './errors.ts'

/** Work on things of which each is worked on by one at a time. */
export interface Turns {
  /**
   * Does `work` when all that was asked for before under this name is done, well or not.
   *
   * @throws RoomError `ERR_ROOM_BUSY` when too much is under way; and whatever `work` throws
   */
  take<T>(name: string, work: () => Promise<T>): Promise<T>
}

/** Turns of which none is taken; names are forgotten when nothing is under way under them. */
export function createTurns(): Turns {
  const last = new Map<string, Promise<unknown>>()
  let count = 0
  return {
    take: async (name, work) => {
      if (count >= TURNS_MAX) {
        throw new RoomError(
          'ERR_ROOM_BUSY',
          `expected at most ${TURNS_MAX} rooms to be opened or changed at once`
        )
      }
      count += 1
      const before = last.get(name)
      const own = before === undefined ? work() : before.then(work, work)
      last.set(name, own)
      try {
        return await own
      } finally {
        count -= 1
        if (last.get(name) === own) last.delete(name)
      }
    }
  }
}
