import { CONTROL_LIMITS } from '#contracts'

/** Rows that ride in one message. */
const ROWS_MAX = 1_000
/** Bytes of rows that ride in one message: well below the line it is written on. */
const ROWS_BYTES_MAX: number = (CONTROL_LIMITS.lineBytesMax * 3) / 4

/** How a list that can grow is given to a caller. */
export interface RowsInit<T, R> {
  describe(this: void, row: T): R
  /** Sends rows ahead of the answer; absent, the first that fit are all. */
  send?: ((this: void, rows: R[]) => Promise<void>) | undefined
}

/**
 * Reads a list in messages that are each within the limit of the control protocol: the last is the answer, those before
 * it go to `send`. Memory is that of one message, however long the list is.
 *
 * @returns the rows of the answer; `isCut` when there are more and nobody takes them
 */
export async function takeRows<T, R>(
  rows: AsyncIterable<T> | Iterable<T>,
  { describe, send }: RowsInit<T, R>
): Promise<{ rows: R[]; isCut: boolean }> {
  let taken: R[] = []
  let bytes = 0
  for await (const row of rows) {
    const described = describe(row)
    const length = Buffer.byteLength(JSON.stringify(described)) + 1
    if (taken.length > 0 && (taken.length >= ROWS_MAX || bytes + length > ROWS_BYTES_MAX)) {
      if (send === undefined) return { rows: taken, isCut: true }
      await send(taken)
      taken = []
      bytes = 0
    }
    taken.push(described)
    bytes += length
  }
  return { rows: taken, isCut: false }
}
