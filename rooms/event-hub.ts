import { EVENTS_MAX, EVENT_CONSUMERS_MAX } from './constants.ts'
import { createEventQueue, type EventQueue } from './event-queue.ts'
import { RoomError } from './errors.ts'
import type { RoomEvent } from './room-events.ts'

/** Gives the events of a room to each of its consumers. */
export interface EventHub {
  emit(event: RoomEvent): void
  /**
   * The events from now on; for the first caller, from the beginning.
   *
   * @throws RoomError `ERR_ROOM_BUSY` when there are too many consumers
   */
  events(): AsyncIterable<RoomEvent>
  /** Ends every sequence once what is queued has been read. */
  close(): void
}

/** A hub; `onDropped` is told how many events a consumer missed. */
export function createEventHub(onDropped: (count: number) => void): EventHub {
  const queues = new Set<EventQueue<RoomEvent>>()
  let isClosed = false
  const open = (): EventQueue<RoomEvent> => {
    const queue = createEventQueue<RoomEvent>({
      itemsMax: EVENTS_MAX,
      onDropped: (count) => {
        onDropped(count)
        return { type: 'dropped', code: 'slow-consumer', count }
      },
      onReturn: () => queues.delete(queue)
    })
    queues.add(queue)
    if (isClosed) queue.close()
    return queue
  }
  // What happens before the first caller asks is kept for it, so that nobody is missed who joined meanwhile.
  let first: EventQueue<RoomEvent> | undefined = open()
  return {
    emit: (event) => {
      for (const queue of queues) queue.push(event)
    },
    events: () => {
      if (queues.size >= EVENT_CONSUMERS_MAX) {
        throw new RoomError('ERR_ROOM_BUSY', `expected at most ${EVENT_CONSUMERS_MAX} consumers of events`)
      }
      const queue = first ?? open()
      first = undefined
      return queue
    },
    close: () => {
      isClosed = true
      for (const queue of queues) queue.close()
    }
  }
}
