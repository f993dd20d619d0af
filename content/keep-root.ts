import type { CID } from 'multiformats/cid'
import type { Clock } from '#contracts'
import { walkDag } from './dag-walk.ts'
import { ContentError } from './errors.ts'
import type { BlockReader } from './block-source.ts'
import type { BlockStore } from './block-store.ts'
import type { Pin, VisibilityOptions } from './content.ts'
import type { RootIndex } from './root-index.ts'
import { KEPT_FOR_OTHERS, type Root, type Visibility } from './root-record.ts'

/** What roots are kept with. */
export interface KeeperComponents {
  store: BlockStore
  roots: RootIndex
  isDenied(cid: CID): boolean
  clock: Clock
}

/** What is to be kept. */
export interface KeepInit extends Visibility {
  cid: CID
  kind: Root['kind']
  name: string | undefined
  bytes?: number
  /** Where blocks that are not here come from; ends when it is disposed. */
  reader: Pick<BlockReader, 'get' | 'bring' | 'follow'>
  onBlock?: (blocks: number) => void
}

/** What options ask for: public unless they say private. */
export function visibilityOf({ private: isPrivate = false, readers = [] }: VisibilityOptions): Visibility {
  return {
    isPublic: !isPrivate && readers.length === 0,
    readers: isPrivate || readers.length > 0 ? readers : []
  }
}

/**
 * Fetches all of a DAG, notes which blocks it has, forces them to the disk, and only then keeps its root: the one
 * write after which they are served.
 *
 * @throws ContentError `ERR_CONTENT_DENIED`, `ERR_PIN_LIMIT`, `ERR_CONTENT_TOO_LARGE`, `ERR_DAG_MALFORMED`,
 *   `ERR_DISK_FULL`, `ERR_STORE_IO`, and whatever the reader throws
 */
export async function keepRoot(o: KeeperComponents, init: KeepInit): Promise<Root> {
  const { store, roots, isDenied, clock } = o
  if (isDenied(init.cid)) {
    throw new ContentError('ERR_CONTENT_DENIED', `${init.cid.toString()} is on the deny list`)
  }
  using _covering = roots.covering(init.cid)
  if (init.kind === 'dag') init.reader.follow(init.cid)
  if (init.kind === 'dag') await roots.cover(init.cid, blocksOf(o, init))
  await store.flush()
  const before = roots.get(init.kind, init.cid)
  const root: Root = {
    cid: init.cid.toV1(),
    kind: init.kind,
    isPublic: init.isPublic,
    readers: init.readers,
    name: init.name ?? (before?.name === KEPT_FOR_OTHERS ? undefined : before?.name),
    createdAtMs: before?.createdAtMs ?? clock.nowMs(),
    bytes: init.bytes ?? before?.bytes
  }
  await roots.put(root)
  return root
}

async function* blocksOf({ store, isDenied, clock }: KeeperComponents, init: KeepInit): AsyncGenerator<CID> {
  let blocks = 0
  const walk = walkDag(init.cid, {
    clock,
    fetch: async (cid) => {
      const bytes = await init.reader.get(cid)
      await init.reader.bring(cid)
      return bytes
    },
    hasLeaf: async (cid) => {
      if (isDenied(cid)) return false
      await init.reader.bring(cid)
      return true
    }
  })
  for await (const cid of walk) {
    // One that was here already may have come as a cache.
    await store.makeDurable(cid)
    init.onBlock?.(++blocks)
    yield cid
  }
}

/** A root as callers see it. */
export function pinOf({ cid, kind, name, isPublic, readers, createdAtMs, bytes }: Root): Pin {
  return { cid, kind, name, isPublic, readers, createdAtMs, bytes }
}
