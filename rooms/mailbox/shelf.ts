import { createHash } from 'node:crypto'
import { decodeCanonical, encodeCanonical } from '#did'
import {
  MAILBOX_BOXES_MAX,
  MAILBOX_BOX_ITEMS_MAX,
  MAILBOX_BOX_PEER_ITEMS_MAX,
  MAILBOX_BYTES_MAX,
  MAILBOX_ITEMS_MAX,
  MAILBOX_ITEM_BYTES_MAX,
  MAILBOX_ITEM_BYTES_MIN,
  MAILBOX_KEPT_MS,
  MAILBOX_MESSAGE_BYTES_MAX,
  MAILBOX_PEER_BOXES_MAX,
  MAILBOX_PEER_BYTES_MAX
} from '../constants.ts'
import type { RoomStore, RoomStoreChange } from '../store.ts'
import { isCount } from '../wire.ts'
import type { TakeAnswer } from './exchange.ts'

/** What a peer keeps for others, within its quotas, for seven days. It cannot read any of it. */
export interface Shelf {
  /** The mailboxes that have something in them, in hexadecimal. */
  boxes(): readonly string[]
  /** Keeps items of a depositor; resolves with how many of them are kept now, in this order. */
  put(deposit: Deposit): Promise<number>
  /** The items of a mailbox behind a number, as many as fit into an answer. */
  take(box: string, after: number, nowMs: number): Promise<TakeAnswer>
  /** Throws away what has expired. */
  expire(nowMs: number): Promise<void>
  /** What all items are charged. */
  readonly bytesCount: number
}

/** Items that somebody wants to be kept. */
export interface Deposit {
  readonly box: string
  /** The peer that brings them: its quota. */
  readonly from: string
  readonly items: readonly Uint8Array[]
  readonly nowMs: number
}

interface Kept {
  readonly number: number
  readonly hash: string
  readonly from: string
  readonly bytesCount: number
  readonly untilMs: number
}

const NUMBER_DIGITS = 16

/** Opens what was kept before. What is damaged is left out. */
export async function openShelf(store: RoomStore): Promise<Shelf> {
  const boxes = new Map<string, Kept[]>()
  let last = 0
  for await (const [key, value] of store.entries('box/')) {
    const [, box = '', digits = ''] = key.split('/')
    const read = readKept(Number(digits), value)
    if (read === undefined) continue
    last = Math.max(last, read.number)
    const others = boxes.get(box)
    if (others === undefined) boxes.set(box, [read])
    else others.push(read)
  }
  for (const kept of boxes.values()) kept.sort((one, other) => one.number - other.number)
  return new StoredShelf(store, boxes, last)
}

class StoredShelf implements Shelf {
  readonly #store: RoomStore
  readonly #boxes: Map<string, Kept[]>
  readonly #ofPeers = new Map<string, number>()
  #last: number
  bytesCount = 0

  constructor(store: RoomStore, boxes: Map<string, Kept[]>, last: number) {
    this.#store = store
    this.#boxes = boxes
    this.#last = last
    for (const kept of [...boxes.values()].flat()) this.#count(kept, 1)
  }

  boxes(): readonly string[] {
    return [...this.#boxes.keys()]
  }

  async put({ box, from, items, nowMs }: Deposit): Promise<number> {
    const kept = this.#boxes.get(box) ?? []
    const changes: RoomStoreChange[] = []
    const added: Kept[] = []
    let taken = 0
    for (const bytes of items) {
      const hash = createHash('sha256').update(bytes).digest('base64url')
      if (!kept.some((item) => item.hash === hash)) {
        if (!this.#mayKeep(kept, { box, from, bytesCount: bytes.length })) break
        const untilMs = Math.floor(nowMs) + MAILBOX_KEPT_MS
        const item = { number: ++this.#last, hash, from, bytesCount: bytes.length, untilMs }
        kept.push(item)
        added.push(item)
        this.#count(item, 1)
        changes.push({ key: keyOf(box, item.number), value: encodeCanonical([untilMs, from, bytes]) })
        const ofThis = kept.filter((other) => other.from === from).length
        if (ofThis > MAILBOX_BOX_PEER_ITEMS_MAX) changes.push(this.#giveWay(box, kept, from))
        else if (kept.length > MAILBOX_BOX_ITEMS_MAX) changes.push(this.#giveWay(box, kept))
      }
      taken++
    }
    if (kept.length > 0) this.#boxes.set(box, kept)
    try {
      await this.#store.write(changes)
    } catch (error) {
      this.#drop(box, added)
      throw error
    }
    return taken
  }

  async take(box: string, after: number, nowMs: number): Promise<TakeAnswer> {
    const wanted = (this.#boxes.get(box) ?? []).filter(
      ({ number, untilMs }) => number > after && untilMs > nowMs
    )
    const items: Uint8Array[] = []
    let [last, bytesLeft] = [after, MAILBOX_MESSAGE_BYTES_MAX - 256]
    for (const { number, bytesCount } of wanted) {
      bytesLeft -= bytesCount + 8
      if (items.length >= MAILBOX_ITEMS_MAX || bytesLeft < 0) return { items, last, hasMore: true }
      last = number
      const bytes = readBytes(await this.#store.get(keyOf(box, number)))
      if (bytes !== undefined) items.push(bytes)
    }
    return { items, last, hasMore: false }
  }

  async expire(nowMs: number): Promise<void> {
    const changes: RoomStoreChange[] = []
    for (const [box, kept] of this.#boxes) {
      const gone = kept.filter(({ untilMs }) => untilMs <= nowMs)
      for (const item of gone) {
        this.#count(item, -1)
        changes.push({ key: keyOf(box, item.number) })
      }
      const left = kept.filter((item) => !gone.includes(item))
      if (left.length === 0) this.#boxes.delete(box)
      else this.#boxes.set(box, left)
    }
    await this.#store.write(changes)
  }

  /** What did not come to the disk is not here: brought again, it would be said to be kept. */
  #drop(box: string, items: readonly Kept[]): void {
    const kept = this.#boxes.get(box) ?? []
    const left = kept.filter((item) => !items.includes(item))
    for (const item of kept) if (items.includes(item)) this.#count(item, -1)
    if (left.length === 0) this.#boxes.delete(box)
    else this.#boxes.set(box, left)
  }

  #mayKeep(kept: readonly Kept[], item: { box: string; from: string; bytesCount: number }): boolean {
    if (kept.length === 0 && !this.#boxes.has(item.box) && !this.#mayOpen(item.from)) return false
    const bytesCount = charged(item)
    if ((this.#ofPeers.get(item.from) ?? 0) + bytesCount > MAILBOX_PEER_BYTES_MAX) return false
    return this.bytesCount + bytesCount <= MAILBOX_BYTES_MAX
  }

  /** Whether a depositor may open one more mailbox: one that has the oldest item of too many leaves room for others. */
  #mayOpen(from: string): boolean {
    if (this.#boxes.size >= MAILBOX_BOXES_MAX) return false
    const opened = this.#boxes.values().filter(([first]) => first?.from === from)
    return [...opened].length < MAILBOX_PEER_BOXES_MAX
  }

  /** The oldest item of a depositor gives way, by default of whoever has the most here: a flood pushes out itself. */
  #giveWay(box: string, kept: Kept[], whose?: string): RoomStoreChange {
    const counts = new Map<string, number>()
    for (const { from } of kept) counts.set(from, (counts.get(from) ?? 0) + 1)
    const [most] = [...counts].sort(([, one], [, other]) => other - one)
    const index = kept.findIndex(({ from }) => from === (whose ?? most?.[0]))
    const [gone] = kept.splice(Math.max(index, 0), 1)
    if (gone !== undefined) this.#count(gone, -1)
    return { key: keyOf(box, gone?.number ?? 0) }
  }

  #count({ from, ...kept }: Kept, sign: 1 | -1): void {
    const bytesCount = charged(kept)
    this.bytesCount += sign * bytesCount
    const left = (this.#ofPeers.get(from) ?? 0) + sign * bytesCount
    if (left > 0) this.#ofPeers.set(from, left)
    else this.#ofPeers.delete(from)
  }
}

/** What an item costs: one of a few bytes takes its place as well. */
function charged({ bytesCount }: Pick<Kept, 'bytesCount'>): number {
  return Math.max(bytesCount, MAILBOX_ITEM_BYTES_MIN)
}

function keyOf(box: string, number: number): string {
  return `box/${box}/${String(number).padStart(NUMBER_DIGITS, '0')}`
}

function decode(value: Uint8Array | undefined): readonly unknown[] {
  try {
    const limits = { bytesMax: MAILBOX_ITEM_BYTES_MAX + 512, depthMax: 2, itemsMax: 8 }
    const list = value === undefined ? undefined : decodeCanonical(value, limits)
    return Array.isArray(list) ? list : []
  } catch {
    return []
  }
}

function readKept(number: number, value: Uint8Array): Kept | undefined {
  const [untilMs, from] = decode(value)
  const bytes = readBytes(value)
  if (!isCount(number) || !isCount(untilMs) || typeof from !== 'string' || bytes === undefined)
    return undefined
  const hash = createHash('sha256').update(bytes).digest('base64url')
  return { number, hash, from, bytesCount: bytes.length, untilMs }
}

function readBytes(value: Uint8Array | undefined): Uint8Array | undefined {
  const bytes = decode(value)[2]
  return bytes instanceof Uint8Array ? bytes : undefined
}
