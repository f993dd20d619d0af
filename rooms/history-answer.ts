import type { Did } from '#did'
import {
  CATCH_UP_TEXTS_MAX,
  CATCH_UP_UNKNOWN_MAX,
  HISTORY_AGE_MS,
  HISTORY_ANSWER_BYTES_MAX,
  TEXTS_PER_ANSWER_MAX
} from './constants.ts'
import type { HistoryAnswer } from './history-exchange.ts'
import type { History, HistoryRow } from './history.ts'
import type { DeviceMark } from './order.ts'

/** Bytes of an answer around its messages, and around each. */
const ANSWER_OVERHEAD_BYTES = 256
const MESSAGE_OVERHEAD_BYTES = 8

/** What somebody with these marks lacks of our history, the oldest first, as much as fits. */
export async function answerFrom(
  history: History,
  marks: ReadonlyMap<Did, DeviceMark>,
  nowMs: number
): Promise<HistoryAnswer> {
  const wanted = lacking(history.rows, marks, nowMs)
  const messages: Uint8Array[] = []
  let bytesLeft = HISTORY_ANSWER_BYTES_MAX - ANSWER_OVERHEAD_BYTES
  for (const row of wanted) {
    bytesLeft -= row.bytesCount + MESSAGE_OVERHEAD_BYTES
    if (bytesLeft < 0 || messages.length >= TEXTS_PER_ANSWER_MAX) return { messages, hasMore: true }
    const bytes = await history.read(row)
    if (bytes !== undefined) messages.push(bytes)
  }
  return { messages, hasMore: false }
}

function lacking(
  rows: readonly HistoryRow[],
  marks: ReadonlyMap<Did, DeviceMark>,
  nowMs: number
): readonly HistoryRow[] {
  const wanted: HistoryRow[] = []
  let unknown = 0
  // From the newest: of too much the latest is told.
  for (const row of rows.toReversed()) {
    if (wanted.length >= CATCH_UP_TEXTS_MAX || row.receivedAtMs < nowMs - HISTORY_AGE_MS) break
    const mark = marks.get(row.device)
    if (mark === undefined ? unknown < CATCH_UP_UNKNOWN_MAX : isLacking(row.sequence, mark)) wanted.push(row)
    if (mark === undefined) unknown++
  }
  return wanted.reverse()
}

function isLacking(sequence: number, { high, holes }: DeviceMark): boolean {
  return sequence > high || holes.some(([above, upTo]) => above < sequence && sequence <= upTo)
}

/** Whether somebody with these marks has something that we lack. */
export function isBehind(ours: ReadonlyMap<Did, DeviceMark>, theirs: ReadonlyMap<Did, DeviceMark>): boolean {
  return [...theirs].some(([device, { high }]) => high > (ours.get(device)?.high ?? 0))
}
