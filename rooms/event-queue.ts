/** A bounded queue between one producer and one consumer that may be slow. */
export interface EventQueue<T> extends AsyncIterable<T> {
  /** Adds an item; when the queue is full the oldest one is dropped to make room. */
  push(item: T): void
  /** Ends the sequence once what is queued has been read. */
  close(): void
}

/** What a queue is made of. */
export interface EventQueueInit<T> {
  /** Items kept for a consumer that is behind. */
  readonly itemsMax: number
  /** Makes the item that tells the consumer, in place of what is missing, how many were dropped there. */
  readonly onDropped: (count: number) => T
  /** Called when the consumer stops reading. */
  readonly onReturn?: () => void
}

/** An empty queue. */
export function createEventQueue<T>({ itemsMax, onDropped, onReturn }: EventQueueInit<T>): EventQueue<T> {
  const items: T[] = []
  let dropped = 0
  let isClosed = false
  let wake: (() => void) | undefined

  const wakeUp = (): void => {
    wake?.()
    wake = undefined
  }
  const end = (): void => {
    isClosed = true
    items.length = 0
    wakeUp()
    onReturn?.()
  }
  async function* read(): AsyncGenerator<T> {
    for (;;) {
      if (dropped > 0) {
        const count = dropped
        dropped = 0
        yield onDropped(count)
      }
      const item = items.shift()
      if (item !== undefined) {
        yield item
      } else if (isClosed) {
        return
      } else {
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      }
    }
  }
  const reader = read()
  return {
    push: (item) => {
      if (isClosed) return
      if (items.length >= itemsMax) {
        items.shift()
        dropped++
      }
      items.push(item)
      wakeUp()
    },
    close: () => {
      isClosed = true
      wakeUp()
    },
    [Symbol.asyncIterator]: () => ({
      next: () => reader.next(),
      // A generator that waits cannot be returned before it wakes.
      return: (value?: unknown) => {
        end()
        return reader.return(value)
      }
    })
  }
}
