import { CID } from 'multiformats/cid'
import { peerIdFromDid } from '#did'
import type { Content, ContentRouting } from '#content'
import { ReplicationError, type ReplicaContent, type ReplicaSize, type Root } from '#replication'

/** The name of pins that are kept on behalf of others: what the user pins under another name is the user's. */
export const REPLICA_PIN_NAME = 'kept for others'

/** Roots whose list of blocks is remembered. */
const LISTS_MAX = 16

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
    list.catch(() => lists.delete(root))
    while (lists.size > LISTS_MAX) for (const oldest of lists.keys().take(1)) lists.delete(oldest)
    return await list
  }
  return {
    hold: async (root, { access, isOwn, sources, bytesMax, signal }) => {
      const cid = CID.parse(root)
      const before = content.pinned(cid)
      const isUsers = before !== undefined && before.name !== REPLICA_PIN_NAME
      if (!isUsers || (isOwn && !before.isPublic)) {
        using _hint = hints.suggest(cid, sources.map(peerIdFromDid))
        const { isPublic, readers } = access
        const visibility = { private: !isPublic, readers: isPublic ? [] : readers }
        await content.pin(cid, {
          ...visibility,
          bytesMax,
          signal,
          ...(isUsers ? {} : { name: REPLICA_PIN_NAME })
        })
      }
      const { size } = await listOf(root, signal)
      return size
    },
    forget: async (root) => {
      const cid = CID.parse(root)
      lists.delete(root)
      if (content.pinned(cid)?.name === REPLICA_PIN_NAME) await content.unpin(cid)
    },
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
