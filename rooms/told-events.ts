import type { RoomEvent, TextEvent } from './room-events.ts'

/** What {@link toldEvents} joins. */
export interface ToldInit {
  /** What happens from now on. */
  readonly events: AsyncIterator<RoomEvent>
  /** What was said before; read when the first event is asked for. */
  readonly past: () => Promise<readonly TextEvent[]>
  /** The reader asked for more, and so has seen what stands at this index. */
  readonly onSeen: (index: number) => void
}

/** The history, then what happens, with no text twice. */
export function toldEvents({ events, past, onSeen }: ToldInit): AsyncIterableIterator<RoomEvent> {
  let rest: TextEvent[] | undefined
  let lastIndex = 0
  let shownIndex = 0
  const tell = (event: RoomEvent): IteratorResult<RoomEvent> => {
    if (event.type === 'message') shownIndex = event.index
    return { done: false, value: event }
  }
  const told: AsyncIterableIterator<RoomEvent> = {
    [Symbol.asyncIterator]: () => told,
    next: async () => {
      if (shownIndex > 0) onSeen(shownIndex)
      rest ??= [...(await past())]
      const before = rest.shift()
      if (before !== undefined) {
        lastIndex = before.index
        return tell(before)
      }
      for (;;) {
        const result = await events.next()
        if (result.done === true) return result
        const { value } = result
        const wasTold = value.type === 'message' && value.index > 0 && value.index <= lastIndex
        if (!wasTold) return tell(value)
      }
    },
    return: async () => (await events.return?.()) ?? { done: true, value: undefined }
  }
  return told
}
