import type { CID } from 'multiformats/cid'
import { Key } from 'interface-datastore/key'
import { contentOf } from '../provider-guard.ts'
import type { ProviderGuard } from '../provider-guard.ts'
import type { AnnouncementBook } from './announcement-book.ts'
import { placeOf } from './key-space.ts'

/** What {@link keepOnly} works with. */
export interface KeepOnlyComponents {
  readonly book: Pick<AnnouncementBook, 'note' | 'has' | 'within' | 'remove'>
  readonly providers: Pick<ProviderGuard, 'delete'>
  /** The datastore prefix of the DHT. */
  readonly prefix: string
  readonly ownPeerId: string
}

/**
 * Makes what is announced again be exactly these contents: those that are new are announced at the next occasion, those
 * that are not named are announced no more. Memory: a number for each.
 *
 * @throws the reason of `signal`
 */
export async function keepOnly(
  { book, providers, prefix, ownPeerId }: KeepOnlyComponents,
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
    if (wanted.has(shortOf(place))) continue
    await providers.delete(new Key(`${prefix}/provider/${contentOf(multihash)}/${ownPeerId}`))
  }
}

/** 48 bits of a place: that two contents share them by chance need not be feared. */
function shortOf(place: Uint8Array): number {
  return Buffer.from(place.buffer, place.byteOffset, 6).readUIntBE(0, 6)
}
