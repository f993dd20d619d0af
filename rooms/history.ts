import { decodeCanonical, encodeCanonical, parseDid, type Did } from '#did'
import {
  HISTORY_BYTES_MAX,
  HISTORY_TEXTS_MAX,
  HOLES_MAX,
  MESSAGE_BYTES_MAX,
  TOPIC_PREFIX
} from './constants.ts'
import type { DeviceMark, Hole } from './order.ts'
import type { RoomStore, RoomStoreChange } from './store.ts'
import { isCount } from './wire.ts'

/** A text in the history of a room. */
export interface HistoryRow {
  /** Grows with every text that this node delivered in the room; a reader that knows it is never shown one twice. */
  readonly index: number
  readonly device: Did
  readonly sequence: number
  /** By our clock, milliseconds since the Unix epoch. */
  readonly receivedAtMs: number
  /** How long the message is. */
  readonly bytesCount: number
}

/** A text to be added, with the message as it was signed. */
export interface HistoryAddition {
  readonly device: Did
  readonly sequence: number
  readonly receivedAtMs: number
  readonly bytes: Uint8Array
}

/** What was said in a room, as far as this node delivered and still keeps it. */
export interface History {
  /** How far each device was delivered when the history was opened. */
  readonly marks: ReadonlyMap<Did, DeviceMark>
  readonly rows: readonly HistoryRow[]
  /** The index up to which somebody here has seen it. */
  readonly readUpTo: number
  /**
   * Writes texts and marks in one, and lets go of the marks of devices that were forgotten: after a crash there is all of it
   * or nothing. Resolves with the rows.
   */
  append(
    additions: readonly HistoryAddition[],
    marks: ReadonlyMap<Did, DeviceMark>,
    forgotten?: readonly Did[]
  ): Promise<readonly HistoryRow[]>
  /** The message of a row; `undefined` when it is gone or damaged. */
  read(row: HistoryRow): Promise<Uint8Array | undefined>
  /** Remembers up to where somebody here has seen it. */
  markRead(index: number): Promise<void>
}

const INDEX_DIGITS = 16

/** Opens the history of the room with this topic. What is damaged is left out: other members have it too. */
export async function openHistory(store: RoomStore, topic: string): Promise<History> {
  const room = topic.slice(TOPIC_PREFIX.length)
  const marks = new Map<Did, DeviceMark>()
  for await (const [key, value] of store.entries(`mark/${room}/`)) {
    const mark = readMark(value)
    if (mark !== undefined) marks.set(parseDid(key.slice(`mark/${room}/`.length)), mark)
  }
  const rows: HistoryRow[] = []
  for await (const [key, value] of store.entries(`log/${room}/`)) {
    const row = readRow(Number(key.slice(-INDEX_DIGITS)), value)
    if (row !== undefined) rows.push(row)
  }
  rows.sort((one, other) => one.index - other.index)
  const read = await store.get(`read/${room}`)
  return new StoredHistory(store, room, { marks, rows, readUpTo: readIndex(read) })
}

interface Opened {
  readonly marks: ReadonlyMap<Did, DeviceMark>
  readonly rows: HistoryRow[]
  readonly readUpTo: number
}

class StoredHistory implements History {
  readonly marks: ReadonlyMap<Did, DeviceMark>
  readonly rows: HistoryRow[]
  readUpTo: number
  readonly #store: RoomStore
  readonly #room: string
  #nextIndex: number
  #bytesCount: number

  constructor(store: RoomStore, room: string, { marks, rows, readUpTo }: Opened) {
    this.#store = store
    this.#room = room
    this.marks = marks
    this.rows = rows
    this.readUpTo = readUpTo
    this.#nextIndex = Math.max(rows.at(-1)?.index ?? 0, readUpTo) + 1
    this.#bytesCount = rows.reduce((sum, { bytesCount }) => sum + bytesCount, 0)
  }

  async append(
    additions: readonly HistoryAddition[],
    marks: ReadonlyMap<Did, DeviceMark>,
    forgotten: readonly Did[] = []
  ): Promise<readonly HistoryRow[]> {
    const rows = additions.map(({ device, sequence, receivedAtMs, bytes }) => {
      const index = this.#nextIndex++
      return { index, device, sequence, receivedAtMs, bytesCount: bytes.length }
    })
    const added = additions.map(({ device, sequence, receivedAtMs, bytes }, at): RoomStoreChange => {
      const value = encodeCanonical([device, sequence, Math.floor(receivedAtMs), bytes])
      return { key: this.#keyOf(rows[at]?.index ?? 0), value }
    })
    const marked = [...marks].map(([device, { high, holes }]): RoomStoreChange => {
      return { key: this.#markKeyOf(device), value: encodeCanonical([high, holes]) }
    })
    const unmarked = forgotten.map((device): RoomStoreChange => ({ key: this.#markKeyOf(device) }))
    this.rows.push(...rows)
    for (const { bytesCount } of rows) this.#bytesCount += bytesCount
    await this.#store.write([...added, ...unmarked, ...marked, ...this.#prune()])
    return rows
  }

  async read(row: HistoryRow): Promise<Uint8Array | undefined> {
    const value = await this.#store.get(this.#keyOf(row.index))
    return value === undefined ? undefined : readBytes(value)
  }

  async markRead(index: number): Promise<void> {
    if (index <= this.readUpTo) return
    this.readUpTo = index
    await this.#store.write([{ key: `read/${this.#room}`, value: encodeCanonical(index) }])
  }

  #prune(): readonly RoomStoreChange[] {
    const gone: RoomStoreChange[] = []
    let count = 0
    while (this.rows.length - count > HISTORY_TEXTS_MAX || this.#bytesCount > HISTORY_BYTES_MAX) {
      const row = this.rows[count++]
      if (row === undefined) break
      this.#bytesCount -= row.bytesCount
      gone.push({ key: this.#keyOf(row.index) })
    }
    this.rows.splice(0, count)
    return gone
  }

  #markKeyOf(device: Did): string {
    return `mark/${this.#room}/${device}`
  }

  #keyOf(index: number): string {
    return `log/${this.#room}/${String(index).padStart(INDEX_DIGITS, '0')}`
  }
}

function decode(value: Uint8Array): unknown {
  try {
    return decodeCanonical(value, { bytesMax: MESSAGE_BYTES_MAX + 256, depthMax: 4, itemsMax: 4 * HOLES_MAX })
  } catch {
    return undefined
  }
}

function readRow(index: number, value: Uint8Array): HistoryRow | undefined {
  const list = decode(value)
  if (!Array.isArray(list) || !Number.isSafeInteger(index)) return undefined
  const [device, sequence, receivedAtMs, bytes] = list as readonly unknown[]
  if (typeof device !== 'string' || !isCount(sequence) || !isCount(receivedAtMs)) return undefined
  if (!(bytes instanceof Uint8Array)) return undefined
  return { index, device: device as Did, sequence, receivedAtMs, bytesCount: bytes.length }
}

function readBytes(value: Uint8Array): Uint8Array | undefined {
  const list = decode(value)
  const bytes: unknown = Array.isArray(list) ? list[3] : undefined
  return bytes instanceof Uint8Array ? bytes : undefined
}

function readMark(value: Uint8Array): DeviceMark | undefined {
  const list = decode(value)
  if (!Array.isArray(list)) return undefined
  const [high, holes] = list as readonly unknown[]
  const known = readHoles(holes)
  return isCount(high) && known !== undefined ? { high, holes: known } : undefined
}

/** Holes as they were written or sent; `undefined` when they are none. */
export function readHoles(value: unknown): readonly Hole[] | undefined {
  if (!Array.isArray(value) || value.length > HOLES_MAX) return undefined
  const holes = value.map((hole): Hole | undefined => {
    if (!Array.isArray(hole) || hole.length !== 2) return undefined
    const [above, upTo] = hole as readonly unknown[]
    return isCount(above) && isCount(upTo) && above < upTo ? [above, upTo] : undefined
  })
  return holes.every((hole) => hole !== undefined) ? holes : undefined
}

function readIndex(value: Uint8Array | undefined): number {
  const index = value === undefined ? 0 : decode(value)
  return isCount(index) ? index : 0
}
