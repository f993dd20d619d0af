import type { BookPeer } from './peer-book.ts'

/** Peers by their ids, those that came up last, within a bound. */
export interface PeerIndex {
  /** The peer whose id these bytes are, from `start` to `end`. */
  get(bytes: Uint8Array, start: number, end: number): BookPeer | undefined
  add(peer: BookPeer): void
}

/**
 * Remembers at least half as many peers as `peersMax` and never more, as `createRecent` does: two generations, of which the older
 * one is forgotten as a whole. An id is found where it stands in a message, without a text or a view of it being made.
 */
export function createPeerIndex(peersMax: number): PeerIndex {
  const generationMax = Math.max(1, Math.floor(peersMax / 2))
  let young = new Generation()
  let old = new Generation()
  const add = (peer: BookPeer, mixed: number): void => {
    if (young.size >= generationMax) {
      old = young
      young = new Generation()
    }
    young.add(peer, mixed)
  }
  return {
    add: (peer) => add(peer, mixOf(peer.id, 0, peer.id.length)),
    get: (bytes, start, end) => {
      const mixed = mixOf(bytes, start, end)
      const peer = young.get(mixed, bytes, { start, end })
      if (peer !== undefined) return peer
      const older = old.get(mixed, bytes, { start, end })
      if (older !== undefined) add(older, mixed)
      return older
    }
  }
}

interface Range {
  readonly start: number
  readonly end: number
}

class Generation {
  readonly #first = new Map<number, BookPeer>()
  /** Those whose number another had before: whoever makes up such ids gains nothing but that they are found by their text. */
  readonly #others = new Map<string, BookPeer>()

  get size(): number {
    return this.#first.size + this.#others.size
  }

  get(mixed: number, bytes: Uint8Array, { start, end }: Range): BookPeer | undefined {
    const first = this.#first.get(mixed)
    if (first === undefined) return undefined
    if (isSame(first.id, bytes, { start, end })) return first
    return this.#others.size === 0 ? undefined : this.#others.get(idText(bytes.subarray(start, end)))
  }

  add(peer: BookPeer, mixed: number): void {
    if (this.#first.has(mixed)) this.#others.set(idText(peer.id), peer)
    else this.#first.set(mixed, peer)
  }
}

/** An id as text, to find it by: faster than that of a PeerId. */
export function idText(id: Uint8Array): string {
  const bytes = Buffer.isBuffer(id) ? id : Buffer.from(id.buffer, id.byteOffset, id.length)
  return bytes.toString('latin1')
}

/** 30 bits of an id, of its last eight bytes: those of a key or of a hash, which differ most. */
function mixOf(bytes: Uint8Array, start: number, end: number): number {
  let mixed = end - start
  for (let at = Math.max(start, end - 8); at < end; at++)
    mixed = Math.imul(mixed, 0x01000193) ^ (bytes[at] ?? 0)
  return (mixed ^ (mixed >>> 15)) & 0x3fffffff
}

/** Whether a part of some bytes is the same as others. */
export function isSame(one: Uint8Array, bytes: Uint8Array, { start, end }: Range): boolean {
  if (one.length !== end - start) return false
  // from the end: ids begin alike. They are short, and a call of the system's comparison takes longer
  for (let index = one.length - 1, at = end - 1; index >= 0; index--, at--) {
    if (one[index] !== bytes[at]) return false
  }
  return true
}
