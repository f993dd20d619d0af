import type { Clock } from '#contracts'
import type { Host } from '#dht'
import {
  CATCH_UP_ALONE_MS,
  CATCH_UP_ATTEMPTS_MAX,
  CATCH_UP_DELAY_MS,
  CATCH_UP_PEERS_MAX,
  CATCH_UP_WINDOW_MS
} from './constants.ts'

/** What catching up works with. */
export interface CatchUpComponents {
  readonly host: Pick<Host, 'onPeer' | 'peers'>
  readonly clock: Pick<Clock, 'after' | 'monotonicMs'>
}

/**
 * Has those who connect asked what was missed, a few of them: what the others know comes by itself. Of each window so many answers
 * count, not connections: whoever does not speak the protocol, fails, or comes back again and again takes nobody's place. Those
 * whose turn did not come are asked in the next window, who wait longest first. `ask` says whether an answer came, and never throws.
 */
export function startCatchUp(
  { host, clock }: CatchUpComponents,
  ask: (peerId: string) => Promise<boolean>
): Disposable {
  /** Who is connected and was not asked since, and since when; who waits longest comes first. */
  const waiting = new Map<string, number>()
  const window = createWindow(clock)
  let timer: Disposable | undefined
  let isOver = false

  const arm = (): void => {
    timer?.[Symbol.dispose]()
    const dueMs = isOver ? undefined : window.dueMs(waiting)
    timer =
      dueMs === undefined ? undefined : clock.after(Math.max(0, dueMs - clock.monotonicMs()), askThoseDue)
  }
  const askThoseDue = (): void => {
    for (let peerId = window.take(waiting); peerId !== undefined; peerId = window.take(waiting)) {
      void ask(peerId).then((isAnswered) => {
        window.ended(isAnswered)
        arm()
      })
    }
    arm()
  }
  const met = (peerId: string): void => {
    waiting.delete(peerId)
    waiting.set(peerId, clock.monotonicMs())
  }
  const watching = host.onPeer(({ type, peerId }) => {
    if (type === 'connected') {
      window.joined()
      met(peerId)
    } else waiting.delete(peerId)
    if (host.peers().length === 0) window.leftAlone()
    arm()
  })
  for (const { peerId } of host.peers()) met(peerId)
  arm()
  return {
    [Symbol.dispose]: () => {
      isOver = true
      watching[Symbol.dispose]()
      arm()
    }
  }
}

/** Who may be asked within a time. */
interface Window {
  /** When somebody of those who wait may be asked; `undefined` when that depends on those who are being asked, or nobody waits. */
  dueMs(waiting: ReadonlyMap<string, number>): number | undefined
  /** Takes out somebody who is to be asked now. */
  take(waiting: Map<string, number>): string | undefined
  /** Somebody who was asked has answered, or failed. */
  ended(isAnswered: boolean): void
  /** Nobody is connected any more: what was heard before is not all that there is. */
  leftAlone(): void
  /** Somebody is connected, perhaps after a time without anybody. */
  joined(): void
}

function createWindow(clock: CatchUpComponents['clock']): Window {
  const asked = new Set<string>()
  let fromMs = clock.monotonicMs()
  let answers = 0
  let underWay = 0
  let aloneSinceMs: number | undefined
  const beginAfter = (ageMs: number): void => {
    if (clock.monotonicMs() - fromMs < ageMs) return
    fromMs = clock.monotonicMs()
    answers = 0
    asked.clear()
  }
  const next = (waiting: ReadonlyMap<string, number>): readonly [string, number] | undefined => {
    if (answers >= CATCH_UP_PEERS_MAX || asked.size >= CATCH_UP_ATTEMPTS_MAX) return undefined
    return waiting.entries().find(([peerId]) => !asked.has(peerId))
  }
  const isFull = (): boolean => answers + underWay >= CATCH_UP_PEERS_MAX
  return {
    dueMs: (waiting) => {
      if (waiting.size === 0) return undefined
      const [, sinceMs] = next(waiting) ?? []
      if (sinceMs === undefined) return fromMs + CATCH_UP_WINDOW_MS
      return isFull() ? undefined : sinceMs + CATCH_UP_DELAY_MS
    },
    take: (waiting) => {
      beginAfter(CATCH_UP_WINDOW_MS)
      const [peerId, sinceMs = 0] = next(waiting) ?? []
      if (peerId === undefined || isFull() || clock.monotonicMs() < sinceMs + CATCH_UP_DELAY_MS)
        return undefined
      waiting.delete(peerId)
      asked.add(peerId)
      underWay += 1
      return peerId
    },
    ended: (isAnswered) => {
      underWay -= 1
      if (isAnswered) answers += 1
    },
    leftAlone: () => {
      beginAfter(CATCH_UP_ALONE_MS)
      aloneSinceMs = clock.monotonicMs()
    },
    joined: () => {
      const aloneMs = clock.monotonicMs() - (aloneSinceMs ?? Infinity)
      if (aloneMs >= CATCH_UP_ALONE_MS) beginAfter(CATCH_UP_ALONE_MS)
      aloneSinceMs = undefined
    }
  }
}
