import type { CID } from 'multiformats/cid'
import type { Clock } from '#contracts'
import { errorCode, createTurns } from '#contracts'
import { decodeCanonical, encodeCanonical, ipnsNameFromDid } from '#did'
import type { Did, KeyPair } from '#did'
import { DhtError } from './errors.ts'
import { checkEntryName, headOf, openIndex, sealIndex, withHead } from './index-block.ts'
import type { IndexContent, IndexEntryName } from './index-block.ts'
import { INDEX_PUBLISH_ATTEMPTS_MAX, SEEN_HEADS_MAX } from './index-constants.ts'
import { parseName } from './name-record.ts'
import type { Names, ResolvedName } from './names.ts'
import { createShelf } from './shelf.ts'
import type { Shelf, ShelfDatastore } from './shelf.ts'

/** Where the blocks of indexes come from and go to. */
export interface IndexBlocks {
  /** The bytes of a block, from here or from peers. @throws what says why it cannot be had */
  get(cid: CID, o: { readonly signal: AbortSignal }): Promise<Uint8Array>
  /**
   * Stores a DAG-CBOR block where any peer may fetch it, announces it, and returns its CID. The block `replaces`, the
   * index before it, is not needed any more.
   */
  put(bytes: Uint8Array, o: { readonly signal: AbortSignal; readonly replaces?: CID }): Promise<CID>
}

/** What {@link createPublisherIndex} works with. */
export interface PublisherIndexComponents {
  readonly names: Pick<Names, 'publish' | 'resolve'>
  readonly blocks: IndexBlocks
  /** Where the highest sequence of each head that was ever seen is remembered. */
  readonly datastore: ShelfDatastore
  readonly clock: Pick<Clock, 'nowMs'>
}

/** A head that was looked up. */
export interface FoundHead {
  readonly publisher: Did
  readonly head: CID
  /** Which version of the entry it is, from 1. */
  readonly sequence: number
  /** When the publisher changed it, by the publisher's clock, milliseconds since the epoch. */
  readonly updatedAtMs: number
  /** The index it stands in. */
  readonly index: CID
  /** The sequence of the publisher's name that points to that index. */
  readonly nameSequence: bigint
  /** The network had no record of the name, or could not be asked, and this node's memory gave it. */
  readonly fromCache: boolean
}

/** What to publish. */
export interface PublishHeadOptions extends IndexEntryName {
  readonly head: CID
  readonly signal: AbortSignal
  /** Says that this key has never published anything before; see `Names.publish`. */
  readonly firstPublish?: boolean
}

/** A head that was published. */
export interface PublishedHead {
  readonly sequence: number
  readonly index: CID
  readonly nameSequence: bigint
}

/** What publishers publish, found by did, kind and name. */
export interface PublisherIndex {
  /**
   * The latest version of what `publisher` (a did or IPNS name) calls `kind`/`name`. Never one older than this node has
   * seen.
   *
   * @throws DhtError `ERR_INDEX_ENTRY_INVALID`, `ERR_INDEX_ENTRY_NOT_FOUND`, `ERR_NAME_STALE`, `ERR_INDEX_SIGNER`,
   * `ERR_INDEX_INVALID`, `ERR_INDEX_TOO_LARGE`; whatever `Names.resolve` or `IndexBlocks.get` throw
   */
  lookup(publisher: string, o: IndexEntryName & { readonly signal: AbortSignal }): Promise<FoundHead>
  /**
   * Makes `head` the latest version: resolves the index, merges, signs and publishes it. Calls for the same key wait
   * for each other; when another device publishes in between, it begins anew.
   *
   * @throws as {@link PublisherIndex.lookup} and `Names.publish` do; with `ERR_DHT_NOT_STORED` it is published as soon
   * as a peer can be reached
   */
  publish(signer: KeyPair, o: PublishHeadOptions): Promise<PublishedHead>
}

/** The publisher index over names and blocks. */
export function createPublisherIndex(components: PublisherIndexComponents): PublisherIndex {
  const turns = createTurns()
  const core: IndexCore = { ...components, seen: createSeenHeads(components.datastore) }
  return {
    lookup: async (publisher, o) => await lookUp(core, parseName(publisher), o),
    publish: (signer, o) => turns.take(signer.did, () => publish(core, signer, o))
  }
}

interface IndexCore extends PublisherIndexComponents {
  readonly seen: SeenHeads
}

async function lookUp(
  core: IndexCore,
  publisher: Did,
  o: IndexEntryName & { readonly signal: AbortSignal }
): Promise<FoundHead> {
  checkEntryName(o)
  const resolved = await core.names.resolve(publisher, { signal: o.signal })
  const content = await readIndex(core, resolved, o.signal)
  const found = headOf(content, o)
  if (found === undefined) {
    throw new DhtError('ERR_INDEX_ENTRY_NOT_FOUND', `${publisher} publishes no ${o.kind} called ${o.name}`)
  }
  const { cid: head, sequence, updatedAtMs } = found
  const highest = await core.seen.advance(publisher, o, sequence)
  if (sequence < highest) {
    const message = `expected version ${highest} of ${o.kind} ${o.name} or a later one, as seen before, got ${sequence}`
    throw new DhtError('ERR_NAME_STALE', message)
  }
  const { value: index, sequence: nameSequence, fromCache } = resolved
  return { publisher, head, sequence, updatedAtMs, index, nameSequence, fromCache }
}

async function readIndex(core: IndexCore, name: ResolvedName, signal: AbortSignal): Promise<IndexContent> {
  const bytes = await core.blocks.get(name.value, { signal })
  return openIndex(name.did, { cid: name.value, bytes })
}

async function publish(core: IndexCore, signer: KeyPair, o: PublishHeadOptions): Promise<PublishedHead> {
  checkEntryName(o)
  for (let attempt = 1; ; attempt++) {
    try {
      return await publishOnce(core, signer, o)
    } catch (error) {
      const isRaced = errorCode(error) === 'ERR_NAME_CHANGED'
      if (!isRaced || attempt >= INDEX_PUBLISH_ATTEMPTS_MAX) throw error
    }
  }
}

async function publishOnce(core: IndexCore, signer: KeyPair, o: PublishHeadOptions): Promise<PublishedHead> {
  const { names, blocks, clock, seen } = core
  const { signal, firstPublish = false } = o
  const latest = await resolveLatest(core, signer.did, o)
  const content = latest === undefined ? {} : await readIndex(core, latest, signal)
  const updatedAtMs = clock.nowMs()
  const highest = Math.max(headOf(content, o)?.sequence ?? 0, await seen.highest(signer.did, o))
  const head = { cid: o.head, sequence: highest + 1, updatedAtMs }
  const block = sealIndex(signer, { content: withHead(content, o, head), updatedAtMs })
  const stored = await blocks.put(block.bytes, {
    signal,
    ...(latest === undefined ? {} : { replaces: latest.value })
  })
  if (stored.toString() !== block.cid.toString()) {
    throw new DhtError('ERR_INDEX_INVALID', `expected the index to be stored as ${block.cid.toString()}`)
  }
  const basedOn = latest?.sequence ?? 0n
  const published = await names.publish(signer, { value: block.cid, signal, firstPublish, basedOn })
  await seen.advance(signer.did, o, head.sequence)
  return { sequence: head.sequence, index: block.cid, nameSequence: published.sequence }
}

/** The record to build upon; `undefined` only for a key that is said to publish for the first time. */
async function resolveLatest(
  { names }: IndexCore,
  did: Did,
  { signal, firstPublish }: PublishHeadOptions
): Promise<ResolvedName | undefined> {
  try {
    return await names.resolve(did, { signal, allowExpired: true })
  } catch (error) {
    if (errorCode(error) !== 'ERR_NAME_NOT_FOUND') throw error
    if (firstPublish === true) return undefined
    const message = `expected an index of ${did} to build upon, found none; a first publication must say so`
    throw new DhtError('ERR_NAME_UNRESOLVED', message, { cause: error })
  }
}

/** The highest sequence of each head that was ever seen. */
interface SeenHeads {
  highest(did: Did, entry: IndexEntryName): Promise<number>
  /** Remembers `sequence` if it is higher, and returns the highest. On disk when this resolves. */
  advance(did: Did, entry: IndexEntryName, sequence: number): Promise<number>
}

function createSeenHeads(datastore: ShelfDatastore): SeenHeads {
  const turns = createTurns()
  const shelf = createShelf(datastore, {
    prefix: '/elastos-heads/',
    sizeMax: SEEN_HEADS_MAX,
    full: (sizeMax) => new DhtError('ERR_NAME_STORE', `expected at most ${sizeMax} heads, got one more`)
  })
  const nameOf = (did: Did, { kind, name }: IndexEntryName): string =>
    `${ipnsNameFromDid(did)}/${kind}/${name}`
  return {
    highest: (did, entry) => readSequence(shelf, nameOf(did, entry)),
    advance: (did, entry, sequence) =>
      turns.take(nameOf(did, entry), async () => {
        const held = await readSequence(shelf, nameOf(did, entry))
        if (sequence > held) await shelf.put(nameOf(did, entry), encodeCanonical(sequence))
        return Math.max(sequence, held)
      })
  }
}

async function readSequence(shelf: Shelf, name: string): Promise<number> {
  const bytes = await shelf.get(name)
  if (bytes === undefined) return 0
  try {
    const sequence = decodeCanonical(bytes, { bytesMax: 16 })
    if (typeof sequence === 'number') return sequence
  } catch (cause) {
    throw new DhtError('ERR_NAME_STORE', 'expected a stored sequence that can be read', { cause })
  }
  throw new DhtError('ERR_NAME_STORE', 'expected a stored sequence that can be read')
}
