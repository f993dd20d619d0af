import type { CID } from 'multiformats/cid'
import type { AnnouncementBook } from './announcement-book.ts'
import { placeOf } from './key-space.ts'

/** What {@link keepOnly} works with. */
export interface KeepOnlyComponents {
  readonly book: Pick<AnnouncementBook, 'note' | 'has' | 'within'>
  /** Ends announcing a content, given by its multihash. */
  readonly forget: (multihash: Uint8Array) => Promise<void>
}

/**
 * Makes what is announced again be exactly these contents: those that are new are announced at the next occasion, those
 * that are not named are announced no more. Memory: a number for each.
 *
 * @throws the reason of `signal`
 */
export async function keepOnly(
  { book, forget }: KeepOnlyComponents,
  contents: Iterable<CID>,
  signal: AbortSignal | undefined
): Promise<void> {
  const wanted = new Set<number>()
  for (const cid of contents) {
    signal?.throwIfAborted()
    const { bytes } = cid.multihash
    wanted.add(shortOf(placeOf(bytes)))
    if (!(await book.has(bytes))) await book.note(bytes, 0)
  }
  for await (const { place, multihash } of book.within('')) {
    signal?.throwIfAborted()
    if (!wanted.has(shortOf(place))) await forget(multihash)
  }
}

/** 48 bits of a place: that two contents share them by chance need not be feared. */
function shortOf(place: Uint8Array): number {
  return Buffer.from(place.subarray(0, 6)).readUIntBE(0, 6)
}
