import { createTurns as createEndlessTurns, type Turns } from '#contracts'
import { TURNS_MAX } from './constants.ts'
import { RoomError } from './errors.ts'

/** Turns by name of which so many are under way at most; one more is refused with RoomError `ERR_ROOM_BUSY`. */
export function createTurns(): Turns {
  const turns = createEndlessTurns()
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
      try {
        return await turns.take(name, work)
      } finally {
        count -= 1
      }
    }
  }
}
