import { errorCode, type Clock, type Logger } from '#contracts'
import type { Did } from '#did'
import { HISTORY_BATCH_MAX } from './constants.ts'
import type { History, HistoryAddition } from './history.ts'
import type { ReceivedMessage } from './receiver.ts'
import { createTextOrder, type DeviceMark, type InOrder, type Ordered, type TextOrder } from './order.ts'

/** Collaborators of a chronicle. */
export interface ChronicleComponents {
  readonly history: History
  readonly clock: Clock
  readonly logger: Logger
  /** Shows a text; it is in the history then, under this index. */
  readonly show: (text: KeptText, index: number) => void
  /** A text waits for one that is missing. */
  readonly onGap: () => void
}

/** A text on its way into the history. */
export interface KeptText extends Ordered {
  readonly message: ReceivedMessage
  readonly bytes: Uint8Array
  readonly receivedAtMs: number
  readonly isPast: boolean
}

/**
 * Everything said in a room goes through here: into the order of its device, then with the device's mark into the history in
 * one write, and only then to whoever listens. So what was shown once is in the history, and is never shown again.
 */
export interface Chronicle extends AsyncDisposable {
  readonly marks: ReadonlyMap<Did, DeviceMark>
  /** Whether something is known to be missing. */
  readonly hasGap: boolean
  /** Takes a text; whether it is new here. */
  take(text: KeptText): boolean
  /** Resolves when everything taken so far that did not have to wait was shown. */
  written(): Promise<void>
}

/** Starts with what the history has. */
export function startChronicle(components: ChronicleComponents): Chronicle {
  const { clock, history } = components
  const order = createTextOrder<KeptText>(history.marks)
  const ready: InOrder<KeptText>[] = []
  let writing: Promise<void> | undefined
  let due: Disposable | undefined

  const write = async (): Promise<void> => {
    while (ready.length > 0) {
      const batch = ready.splice(0, HISTORY_BATCH_MAX)
      await writeBatch(components, batch, order)
    }
    writing = undefined
  }
  const release = (released: readonly InOrder<KeptText>[]): void => {
    ready.push(...released)
    if (ready.length > 0) writing ??= write()
    due?.[Symbol.dispose]()
    const { dueMs } = order
    if (dueMs === undefined) return
    due = clock.after(Math.max(dueMs - clock.monotonicMs(), 1), () =>
      release(order.expire(clock.monotonicMs()))
    )
  }
  return {
    marks: order.marks,
    get hasGap() {
      return order.dueMs !== undefined
    },
    take: (text) => {
      const before = order.heldCount
      const hadGap = order.dueMs !== undefined
      const arrival = { nowMs: clock.monotonicMs(), dayMs: clock.nowMs(), isPast: text.isPast }
      const released = order.take(text, arrival)
      const isHeld = released.length === 0 && order.heldCount > before
      release(released)
      if (isHeld && !hadGap) components.onGap()
      return isHeld || released.length > 0
    },
    written: async () => {
      await writing
    },
    [Symbol.asyncDispose]: async () => {
      due?.[Symbol.dispose]()
      await writing
    }
  }
}

async function writeBatch(
  { history, logger, show }: ChronicleComponents,
  batch: readonly InOrder<KeptText>[],
  order: Pick<TextOrder<KeptText>, 'marks' | 'takeForgotten'>
): Promise<void> {
  const forgotten = order.takeForgotten()
  // Who was forgotten before this is written gets no mark that nobody would take away again.
  const marked = batch.filter(({ item }) => order.marks.has(item.device))
  const marks = new Map(marked.map(({ item, mark }) => [item.device, mark]))
  const additions = batch.map(({ item }): HistoryAddition => {
    const { device, sequence, receivedAtMs, bytes } = item
    return { device, sequence, receivedAtMs, bytes }
  })
  const indexes = await history
    .append(additions, marks, forgotten)
    .then((rows) => rows.map(({ index }) => index))
    .catch((error: unknown) => {
      // A full disk: what is said is shown all the same, and asked for anew after a restart.
      logger.warn('history was not written', { code: errorCode(error) })
      return []
    })
  batch.forEach(({ item }, at) => show(item, indexes[at] ?? 0))
}
