import { CID } from 'multiformats/cid'
import { peerIdFromDid } from '#did'
import { ContentError, KEPT_FOR_OTHERS, type Content, type ContentRouting, type PinOptions } from '#content'
import { ReplicationError, type ReplicaContent, type ReplicaSize, type Root } from '#replication'

/** Roots whose list of blocks is remembered, and how many blocks such a list has at most. */
const LISTS_MAX = 16
const LIST_BLOCKS_MAX = 65_536
/** Blocks of what is kept for others, each counted as often as it is linked to. */
const BLOCKS_MAX = 1_048_576
/** Bytes that nobody keeps any more and that are on the disk still, before they are removed. */
const LEFTOVER_BYTES_MAX = 268_435_456
/** What a block has at most. */
const BLOCK_BYTES_MAX = 2_097_152

/** Where private content is, which nobody announces. */
export interface SourceHints {
  /** From now until it is disposed, these peers are asked for a root first. */
  suggest(root: CID, peerIds: readonly string[]): Disposable
  /** Content routing that knows of them. */
  around(routing: ContentRouting): ContentRouting
}

/** Keeps hints in memory while somebody fetches by them. */
export function createSourceHints(): SourceHints {
  const hints = new Map<string, readonly string[]>()
  const keyOf = (cid: CID): string => Buffer.from(cid.multihash.bytes).toString('base64')
  return {
    suggest: (root, peerIds) => {
      const key = keyOf(root)
      hints.set(key, peerIds)
      return { [Symbol.dispose]: () => hints.delete(key) }
    },
    around: (routing) => ({
      ...routing,
      findProviders: async function* (cid, options) {
        for (const peerId of hints.get(keyOf(cid)) ?? []) yield { peerId, multiaddrs: [] }
        yield* routing.findProviders(cid, options)
      }
    })
  }
}

/** The store of content as replication sees it. What the user pinned stays as the user has it, but for own goals. */
export function createReplicaContent(content: Content, hints: SourceHints): ReplicaContent {
  const lists = new Map<Root, Promise<BlockList>>()
  const listOf = async (root: Root, signal: AbortSignal): Promise<BlockList> => {
    const known = lists.get(root)
    if (known !== undefined) return await known
    const list = listBlocks(content, CID.parse(root), signal)
    lists.set(root, list)
    list.then(
      ({ cids }) => cids.length > LIST_BLOCKS_MAX && lists.delete(root),
      () => lists.delete(root)
    )
    while (lists.size > LISTS_MAX) for (const oldest of lists.keys().take(1)) lists.delete(oldest)
    return await list
  }
  const leave = createLeftovers(content)
  return {
    hold: async (root, { access, isOwn, isCopy, sources, bytesMax, signal }) => {
      const cid = CID.parse(root)
      const before = content.pinned(cid)
      if (before === undefined && !isCopy) return NOTHING
      const isUsers = before !== undefined && before.name !== KEPT_FOR_OTHERS
      if (!isUsers || (isOwn && !before.isPublic && !access.isPublic)) {
        using _hint = hints.suggest(cid, sources.map(peerIdFromDid))
        const { isPublic, readers } = access
        const visibility = { private: !isPublic, readers: isPublic ? [] : readers }
        const options = { ...visibility, bytesMax, signal }
        if (isUsers) await content.pin(cid, options)
        else await pinForOthers(content, cid, { options, leave })
      }
      const { size } = await listOf(root, signal)
      return size
    },
    forget: async (root) => {
      const cid = CID.parse(root)
      if (content.pinned(cid)?.name !== KEPT_FOR_OTHERS) return
      const bytes = await listOf(root, new AbortController().signal).then(
        ({ size }) => size.bytes,
        () => 0
      )
      lists.delete(root)
      await content.unpin(cid)
      void leave(bytes)
    },
    has: (root) => content.pinned(CID.parse(root)) !== undefined,
    size: async (root, { signal }) => {
      if (content.pinned(CID.parse(root)) === undefined) return undefined
      return (await listOf(root, signal)).size
    },
    blocks: async (root, places, { signal }) => {
      const { cids } = await listOf(root, signal)
      return await Promise.all(places.map(async (place) => await readBlock(content, cids[place])))
    },
    takeDemand: (root) => content.takeDemand(CID.parse(root))
  }
}

const NOTHING: ReplicaSize = { bytes: 0, blocks: 0 }

/** Counts what nobody keeps any more: space that was given back is free only when the blocks are gone. */
function createLeftovers(content: Pick<Content, 'gc'>): (bytes: number) => Promise<void> {
  let left = 0
  return async (bytes) => {
    left += bytes
    if (left < LEFTOVER_BYTES_MAX) return
    const collected = left
    left = 0
    await content.gc().catch(() => (left += collected))
  }
}

/** Fetches a copy; what came of one that failed is counted. */
async function pinForOthers(
  content: Content,
  cid: CID,
  { options, leave }: { options: PinOptions; leave: (bytes: number) => Promise<void> }
): Promise<void> {
  let fetched = 0
  try {
    await content.pin(cid, {
      ...options,
      name: KEPT_FOR_OTHERS,
      onProgress: ({ blocks, blocksFetched }) => {
        fetched = blocksFetched
        if (blocks <= BLOCKS_MAX) return
        throw new ContentError(
          'ERR_CONTENT_TOO_LARGE',
          `expected at most ${BLOCKS_MAX} blocks below ${cid.toString()}`
        )
      }
    })
  } catch (thrown) {
    await leave((fetched + 1) * BLOCK_BYTES_MAX)
    throw thrown
  }
}

interface BlockList {
  readonly cids: readonly CID[]
  readonly size: ReplicaSize
}

async function listBlocks(content: Content, root: CID, signal: AbortSignal): Promise<BlockList> {
  const cids: CID[] = []
  let total = 0
  for await (const { cid, bytes } of content.blocksOf(root, { signal })) {
    cids.push(cid)
    total += bytes
  }
  return { cids, size: { bytes: total, blocks: cids.length } }
}

async function readBlock(content: Content, cid: CID | undefined): Promise<Uint8Array> {
  const bytes = cid === undefined ? undefined : await content.localBlock(cid)
  if (bytes === undefined) throw new ReplicationError('ERR_REPLICA_NOT_HERE', 'expected a block that is here')
  return bytes
}
