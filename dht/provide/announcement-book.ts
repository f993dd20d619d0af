import type { AbortOptions } from '@libp2p/interface'
import type { Datastore } from 'interface-datastore'
import { Key } from 'interface-datastore/key'
import { varint } from 'multiformats'
import { createTurns } from '#contracts'
import { DhtError } from '../errors.ts'
import { ANNOUNCEMENTS_MAX, SLOT_BITS, SLOTS } from './constants.ts'
import { placeOf } from './key-space.ts'

/** A content that this node announces. */
export interface Announcement {
  readonly multihash: Uint8Array
  /** Where it is in the key space. */
  readonly place: Uint8Array
  /** When a peer last took the announcement, milliseconds since the epoch; 0 for never. */
  readonly announcedAtMs: number
}

/** How many contents are announced. */
export interface AnnouncementCounts {
  readonly total: number
  /** Of those, how many no peer has taken yet, or not when it was tried last. */
  readonly unannounced: number
}

/** What this node announces, in the order of the key space, on disk. Memory does not grow with it. */
export interface AnnouncementBook {
  /**
   * Writes down that the content is to be announced, and when it last was.
   *
   * @throws DhtError `ERR_DHT_NOT_STORED` when it is new and there is no room for it
   */
  note(multihash: Uint8Array, announcedAtMs: number): Promise<void>
  /** The content is not announced any more. */
  remove(multihash: Uint8Array): Promise<void>
  has(multihash: Uint8Array): Promise<boolean>
  /** What begins, in the key space, with these hexadecimal digits, in its order. */
  within(hexPrefix: string, options?: AbortOptions): AsyncGenerator<Announcement>
  counts(): Promise<AnnouncementCounts>
  /** How many contents there are in each slot of the key space. */
  slots(): Promise<SlotCounts>
}

/** Counts for each slot of the key space. */
export interface SlotCounts {
  readonly total: Readonly<Uint32Array>
  readonly unannounced: Readonly<Uint32Array>
}

/** Where a book is. */
export interface AnnouncementBookInit {
  readonly datastore: Pick<Datastore, 'get' | 'put' | 'has' | 'delete' | 'query'>
  /** The datastore prefix of the DHT. */
  readonly prefix: string
  readonly sizeMax?: number
}

/** How many hexadecimal digits name a slot. */
const SLOT_DIGITS = SLOT_BITS / 4

/** The slot of a place given in hexadecimal. */
function slotOf(hex: string): number {
  return Number.parseInt(hex.slice(0, SLOT_DIGITS), 16)
}

/** The hexadecimal digits that all places of a slot begin with. */
export function slotPrefix(slot: number): string {
  return slot.toString(16).padStart(SLOT_DIGITS, '0')
}

/** A book below the prefix of a DHT in the node's datastore. */
export function createAnnouncementBook(init: AnnouncementBookInit): AnnouncementBook {
  const { datastore, prefix, sizeMax = ANNOUNCEMENTS_MAX } = init
  const base = `${prefix}/announce/`
  const turns = createTurns()
  let counted: Promise<Counts> | undefined
  const counts = async (): Promise<Counts> => await (counted ??= countAll(within('')))
  const keyOf = (hex: string): Key => new Key(base + hex)

  async function* within(hexPrefix: string, options?: AbortOptions): AsyncGenerator<Announcement> {
    for await (const { key, value } of datastore.query({ prefix: base + hexPrefix }, options)) {
      const announcement = decode(key.toString().slice(base.length), value)
      if (announcement !== undefined) yield announcement
    }
  }
  const change = async (
    multihash: Uint8Array,
    write: (key: Key, held: number | undefined, sums: Counts) => Promise<void>
  ): Promise<void> => {
    const hex = hexOf(multihash)
    await turns.take(hex, async () => {
      const sums = await counts()
      const key = keyOf(hex)
      const held = (await datastore.has(key)) ? decode(hex, await datastore.get(key)) : undefined
      await write(key, held?.announcedAtMs, sums)
    })
  }
  return {
    note: async (multihash, announcedAtMs) => {
      await change(multihash, async (key, held, sums) => {
        if (held === undefined && sums.size() >= sizeMax) {
          throw new DhtError('ERR_DHT_NOT_STORED', `expected at most ${sizeMax} announced contents`)
        }
        await datastore.put(key, encode(multihash, announcedAtMs))
        sums.count(slotOf(hexOf(multihash)), held, announcedAtMs)
      })
    },
    remove: async (multihash) => {
      await change(multihash, async (key, held, sums) => {
        if (held === undefined) return
        await datastore.delete(key)
        sums.count(slotOf(hexOf(multihash)), held, undefined)
      })
    },
    has: async (multihash) => await datastore.has(keyOf(hexOf(multihash))),
    within,
    counts: async () => {
      const { total, unannounced } = await counts()
      return { total: sum(total), unannounced: sum(unannounced) }
    },
    slots: counts
  }
}

function hexOf(multihash: Uint8Array): string {
  return Buffer.from(placeOf(multihash)).toString('hex')
}

class Counts implements SlotCounts {
  readonly total: Uint32Array = new Uint32Array(SLOTS)
  readonly unannounced: Uint32Array = new Uint32Array(SLOTS)
  #size = 0

  size(): number {
    return this.#size
  }

  /** Takes a change into account; `undefined` for a content that is not there before or after it. */
  count(slot: number, before: number | undefined, after: number | undefined): void {
    const change = Number(after !== undefined) - Number(before !== undefined)
    this.#size += change
    this.total[slot] = (this.total[slot] ?? 0) + change
    this.unannounced[slot] = (this.unannounced[slot] ?? 0) + Number(after === 0) - Number(before === 0)
  }
}

async function countAll(announcements: AsyncIterable<Announcement>): Promise<Counts> {
  const counts = new Counts()
  for await (const { place, announcedAtMs } of announcements) {
    counts.count(slotOf(Buffer.from(place.subarray(0, 2)).toString('hex')), undefined, announcedAtMs)
  }
  return counts
}

function sum(counts: Readonly<Uint32Array>): number {
  return counts.reduce((total, count) => total + count, 0)
}

function encode(multihash: Uint8Array, announcedAtMs: number): Uint8Array {
  const timeBytes = varint.encodingLength(announcedAtMs)
  const bytes = new Uint8Array(timeBytes + multihash.length)
  varint.encodeTo(announcedAtMs, bytes)
  bytes.set(multihash, timeBytes)
  return bytes
}

/** What cannot be read is not announced. */
function decode(hex: string, value: Uint8Array): Announcement | undefined {
  try {
    const [announcedAtMs, length] = varint.decode(value)
    const multihash = value.subarray(length)
    const place = Buffer.from(hex, 'hex')
    return multihash.length > 0 && place.length === 32 ? { multihash, place, announcedAtMs } : undefined
  } catch {
    return undefined
  }
}
