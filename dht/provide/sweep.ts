import { errorMessage } from '#contracts'
import type { Clock, Logger, Random } from '#contracts'
import { startDeadline } from '../deadline.ts'
import type { DhtPeer } from '../query/index.ts'
import { slotPrefix } from './announcement-book.ts'
import type { Announcement, AnnouncementBook } from './announcement-book.ts'
import { SLOT_BITS, SWEEP_BATCH_KEYS_MAX, SWEEP_PEERS_PARALLEL, SWEEP_SEND_TIMEOUT_MS } from './constants.ts'
import { covers, hexPrefixesOf } from './key-space.ts'
import type { Region } from './key-space.ts'
import { createRegions } from './regions.ts'
import type { ProvideNetwork, Regions } from './regions.ts'
import { addPass, NO_PASS } from './sweep-state.ts'
import type { SweepPass } from './sweep-state.ts'

/** What announcing in bulk is made of. */
export interface SweepComponents {
  readonly network: ProvideNetwork
  readonly book: Pick<AnnouncementBook, 'within' | 'slots'>
  /**
   * Writes down when a content was announced, 0 for not at all, unless it was forgotten meanwhile: `false` then.
   */
  readonly renew: (multihash: Uint8Array, announcedAtMs: number) => Promise<boolean>
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
}

/** Announces parts of the key space. */
export interface Sweep {
  /**
   * Announces those contents of a slot that `isDue` picks.
   *
   * @throws the reason of `signal`
   */
  announce(
    slot: number,
    isDue: (announcement: Announcement) => boolean,
    signal: AbortSignal
  ): Promise<SweepPass>
}

/** How a SHA-256 multihash begins; some peers refuse a whole stream over any other. */
const SHA256_LENGTH = 34

/** Announcing in bulk: few lookups, and each peer sent all that is for it at once. Memory is bounded by a batch. */
export function createSweep(components: SweepComponents): Sweep {
  const { book } = components
  let slots: Readonly<Uint32Array> | undefined
  const regions = createRegions({
    ...components,
    keysIn: (region) => (slots === undefined ? 0 : countIn(slots, region)),
    keyIn: async (region) => await firstKeyIn(book, region)
  })
  return {
    announce: async (slot, isDue, signal) => {
      slots = (await book.slots()).total
      let pass = NO_PASS
      let batch: Announcement[] = []
      const finish = async (): Promise<void> => {
        pass = addPass(pass, await announceBatch(components, { regions, batch, signal }))
        batch = []
      }
      for await (const announcement of book.within(slotPrefix(slot), { signal })) {
        signal.throwIfAborted()
        if (!isDue(announcement)) continue
        batch.push(announcement)
        if (batch.length >= SWEEP_BATCH_KEYS_MAX) await finish()
      }
      if (batch.length > 0) await finish()
      return pass
    }
  }
}

/** How many contents are in a region, or about as many when it is smaller than a slot. */
function countIn(slots: Readonly<Uint32Array>, { place, bits }: Region): number {
  const span = 2 ** (SLOT_BITS - Math.min(bits, SLOT_BITS))
  const slot = ((place[0] ?? 0) << (SLOT_BITS - 8)) | ((place[1] ?? 0) >> (16 - SLOT_BITS))
  const first = slot - (slot % span)
  const count = slots.subarray(first, first + span).reduce((sum, held) => sum + held, 0)
  return bits <= SLOT_BITS ? count : count / 2 ** (bits - SLOT_BITS)
}

async function firstKeyIn(
  book: Pick<AnnouncementBook, 'within'>,
  region: Region
): Promise<Uint8Array | undefined> {
  for (const prefix of hexPrefixesOf(region)) {
    for await (const { place, multihash } of book.within(prefix)) if (covers(region, place)) return multihash
  }
  return undefined
}

interface Batch {
  readonly regions: Regions
  readonly batch: readonly Announcement[]
  readonly signal: AbortSignal
}

async function announceBatch(components: SweepComponents, work: Batch): Promise<SweepPass> {
  const { clock, renew } = components
  const { regions, batch, signal } = work
  const before = regions.lookups()
  const neighbourhoodsBefore = regions.neighbourhoods()
  const parcels = await addressBatch(components, work)
  const taken = new Map<Announcement, number>()
  await inParallel(parcels, SWEEP_PEERS_PARALLEL, async (parcel) => {
    const count = await send(components, { ...parcel, regions, signal })
    for (const content of parcel.contents.slice(0, count)) taken.set(content, (taken.get(content) ?? 0) + 1)
  })
  signal.throwIfAborted()
  const nowMs = clock.nowMs()
  for (const content of batch) await renew(content.multihash, taken.has(content) ? nowMs : 0)
  return {
    announced: taken.size,
    failed: batch.length - taken.size,
    records: taken.values().reduce((sum, count) => sum + count, 0),
    lookups: regions.lookups() - before,
    regions: regions.neighbourhoods() - neighbourhoodsBefore
  }
}

/** What one peer is sent. */
interface Parcel {
  readonly peer: DhtPeer
  readonly contents: readonly Announcement[]
}

async function addressBatch(
  { logger }: SweepComponents,
  { regions, batch, signal }: Batch
): Promise<Parcel[]> {
  const common = new Map<string, { readonly peer: DhtPeer; readonly contents: Announcement[] }>()
  const apart: Parcel[] = []
  for (const content of batch) {
    try {
      for (const peer of await regions.closestPeers(content.multihash, signal)) {
        if (content.multihash.length !== SHA256_LENGTH) apart.push({ peer, contents: [content] })
        else if (common.get(peer.peerId)?.contents.push(content) === undefined)
          common.set(peer.peerId, { peer, contents: [content] })
      }
    } catch (error) {
      signal.throwIfAborted()
      logger.debug('nobody to announce to was found', { error: errorMessage(error) })
    }
  }
  return [...common.values(), ...apart]
}

async function send(
  { network, clock, logger }: SweepComponents,
  { peer, contents, regions, signal }: Parcel & { readonly regions: Regions; readonly signal: AbortSignal }
): Promise<number> {
  using limit = startDeadline(clock, SWEEP_SEND_TIMEOUT_MS, signal)
  const multihashes = contents.map(({ multihash }) => multihash)
  try {
    return await network.announceTo(peer, multihashes, limit.signal)
  } catch (error) {
    const { peerId } = peer
    logger.debug('announcements not taken', { peerId, error: errorMessage(error) })
    // an odd content says nothing about the peer
    if (multihashes.some(({ length }) => length === SHA256_LENGTH)) regions.drop(peerId)
    return 0
  }
}

async function inParallel<T>(
  items: readonly T[],
  width: number,
  work: (item: T) => Promise<void>
): Promise<void> {
  const waiting = items.values()
  const worker = async (): Promise<void> => {
    for (const item of waiting) await work(item)
  }
  await Promise.all(Array.from({ length: width }, worker))
}
