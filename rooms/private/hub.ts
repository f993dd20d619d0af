import { EVENTS_MAX, EVENT_CONSUMERS_MAX } from '../constants.ts'
import { RoomError } from '../errors.ts'
import { createEventQueue, type EventQueue } from '../event-queue.ts'
import type { PrivateEvent } from './conversation.ts'

/** Gives what happens to each of its consumers. */
export interface PrivateHub {
  emit(events: readonly PrivateEvent[]): void
  /** @throws RoomError `ERR_ROOM_BUSY` when there are too many consumers */
  events(): AsyncIterable<PrivateEvent>
  /** Ends every sequence once what is queued has been read. */
  close(): void
}

/** A hub without consumers. */
export function createPrivateHub(): PrivateHub {
  const queues = new Set<EventQueue<PrivateEvent>>()
  return {
    emit: (events) => {
      for (const queue of queues) for (const event of events) queue.push(event)
    },
    events: () => {
      if (queues.size >= EVENT_CONSUMERS_MAX)
        throw new RoomError('ERR_ROOM_BUSY', `expected at most ${EVENT_CONSUMERS_MAX} consumers of events`)
      const queue = createEventQueue<PrivateEvent>({
        itemsMax: EVENTS_MAX,
        // What a slow consumer missed is in the texts that are kept.
        onDropped: () => ({ type: 'missed' }),
        onReturn: () => queues.delete(queue)
      })
      queues.add(queue)
      return queue
    },
    close: () => {
      for (const queue of queues) queue.close()
    }
  }
}
