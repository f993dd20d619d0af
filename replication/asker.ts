import type { Clock } from '#contracts'
import type { Did } from '#did'
import { DOWN_DEVICES_MAX, DOWN_MS, DOWN_MS_MAX, REQUEST_TIMEOUT_MS, REQUESTS_MAX } from './constants.ts'
import { ReplicationError } from './errors.ts'
import { decodeAnswer, encodeAsk, type ReplicaAnswers, type ReplicaAsk } from './messages.ts'
import type { ReplicaNetwork } from './types.ts'

/** Asks other devices, a bounded number at once, and remembers who does not answer. */
export interface Asker {
  /**
   * The answer of a device; `undefined` when it gave none in time, and at once while it is known to be down.
   *
   * @throws the reason of the signal the asker was made with
   */
  ask<K extends keyof ReplicaAnswers>(
    device: Did,
    ask: Extract<ReplicaAsk, { readonly ask: K }>,
    options?: { readonly timeoutMs?: number; readonly evenIfDown?: boolean }
  ): Promise<ReplicaAnswers[K] | undefined>
  isDown(device: Did): boolean
  /** Whoever did not answer is asked again. */
  forgive(): void
  /** It was heard. */
  isUp(device: Did): void
}

/** What an asker works with. */
export interface AskerComponents {
  readonly network: Pick<ReplicaNetwork, 'request'>
  readonly clock: Clock
  readonly signal: AbortSignal
}

/** Creates an asker. */
export function createAsker({ network, clock, signal }: AskerComponents): Asker {
  const down = new Map<Did, { untilMs: number; times: number }>()
  const turns = createTurns(REQUESTS_MAX)
  const failed = (device: Did): void => {
    const times = (down.get(device)?.times ?? 0) + 1
    down.delete(device)
    down.set(device, {
      times,
      untilMs: clock.monotonicMs() + Math.min(DOWN_MS_MAX, DOWN_MS * 2 ** (times - 1))
    })
    while (down.size > DOWN_DEVICES_MAX) for (const oldest of down.keys().take(1)) down.delete(oldest)
  }
  const isDown = (device: Did): boolean => (down.get(device)?.untilMs ?? -Infinity) > clock.monotonicMs()
  return {
    isDown,
    forgive: () => down.clear(),
    isUp: (device) => down.delete(device),
    ask: async (device, ask, { timeoutMs = REQUEST_TIMEOUT_MS, evenIfDown = false } = {}) => {
      if (!evenIfDown && isDown(device)) return undefined
      const leave = await turns()
      try {
        signal.throwIfAborted()
        const answer = await withDeadline({ clock, signal, timeoutMs }, async (deadline) => {
          return await network.request(device, encodeAsk(ask), { signal: deadline })
        })
        const read = decodeAnswer(ask.ask, answer)
        down.delete(device)
        return read
      } catch {
        signal.throwIfAborted()
        failed(device)
        return undefined
      } finally {
        leave()
      }
    }
  }
}

/** Runs something that ends at a deadline. */
export async function withDeadline<T>(
  { clock, signal, timeoutMs }: { clock: Pick<Clock, 'after'>; signal: AbortSignal; timeoutMs: number },
  run: (signal: AbortSignal) => Promise<T>
): Promise<T> {
  const deadline = new AbortController()
  const late = Promise.withResolvers<never>()
  late.promise.catch(() => undefined)
  const end = (reason: unknown): void => {
    deadline.abort(reason)
    late.reject(reason)
  }
  const closed = (): void => end(signal.reason)
  signal.addEventListener('abort', closed, { once: true })
  using _timer = clock.after(timeoutMs, () =>
    end(new ReplicationError('ERR_REPLICA_TIMEOUT', `expected an answer within ${timeoutMs} ms`))
  )
  try {
    signal.throwIfAborted()
    return await Promise.race([run(deadline.signal), late.promise])
  } finally {
    signal.removeEventListener('abort', closed)
  }
}

/** Lets `max` in at a time; resolves with how to leave. */
function createTurns(max: number): () => Promise<() => void> {
  const waiting: (() => void)[] = []
  let inside = 0
  const leave = (): void => {
    inside--
    waiting.shift()?.()
  }
  return async () => {
    while (inside >= max) await new Promise<void>((resolve) => waiting.push(resolve))
    inside++
    return leave
  }
}
