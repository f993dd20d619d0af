import { STORE_PARALLEL, STORED_ENOUGH } from './constants.ts'
import type { BookPeer } from './peer-book.ts'

/** How to store with the nearest peers. */
export interface StoreInit {
  /** With how many peers; others are tried in place of those that fail. */
  readonly count: number
  readonly signal: AbortSignal
  /** Hands it to one peer; `false` or an error when it did not take it. */
  readonly send: (peer: BookPeer) => Promise<boolean>
  readonly onStored?: (stored: number) => void
}

/** A storing under way. */
export interface Storing {
  /** Resolves with how many have it once that is enough, or nobody is left. */
  readonly enough: Promise<number>
  /** Resolves with how many have it in the end. */
  readonly settled: Promise<number>
}

/** Hands something to the nearest `count` of `peers` that take it, some at once. */
export function storeWith(peers: readonly BookPeer[], init: StoreInit): Storing {
  const { count, signal, send, onStored } = init
  const enough = Promise.withResolvers<number>()
  const enoughMin = Math.ceil(Math.min(count, peers.length) * STORED_ENOUGH)
  const queue = [...peers]
  let stored = 0
  let underWay = 0
  const worker = async (): Promise<void> => {
    // nobody farther away is told while those nearer may still take it
    while (stored + underWay < count && !signal.aborted) {
      const peer = queue.shift()
      if (peer === undefined) return
      underWay += 1
      const isTaken = await send(peer).catch(() => false)
      underWay -= 1
      if (!isTaken) continue
      stored += 1
      onStored?.(stored)
      if (stored >= enoughMin) enough.resolve(stored)
    }
  }
  const settled = Promise.all(Array.from({ length: STORE_PARALLEL }, worker)).then(() => {
    enough.resolve(stored)
    return stored
  })
  return { enough: enough.promise, settled }
}
