import type { CID } from 'multiformats/cid'
import { printableName } from './entry-name.ts'
import { ContentError } from './errors.ts'
import { hashName, slotOf } from './shard-slot.ts'
import { decodeUnixfs } from './unixfs-node.ts'
import type { Shard } from './unixfs-node.ts'

type Fetch = (cid: CID) => Promise<Uint8Array>

/**
 * Follows names from a folder; fetches only the blocks on the way, also in sharded folders. Symbolic links are
 * not followed.
 *
 * @throws ContentError `ERR_ENTRY_NOT_FOUND`, `ERR_NOT_A_FOLDER`, `ERR_DAG_MALFORMED`, and whatever `fetch` throws
 */
export async function resolvePath(root: CID, names: readonly string[], fetch: Fetch): Promise<CID> {
  let cid = root
  for (const name of names) {
    const found = await findEntry(cid, name, fetch)
    if (found === undefined) {
      throw new ContentError('ERR_ENTRY_NOT_FOUND', `no entry "${printableName(name)}" in ${cid.toString()}`)
    }
    cid = found
  }
  return cid
}

async function findEntry(folder: CID, name: string, fetch: Fetch): Promise<CID | undefined> {
  const node = decodeUnixfs(folder, await fetch(folder))
  if (node.kind === 'folder') return node.links.find((link) => link.name === name)?.cid
  if (node.kind === 'shard') return await findInShard({ shard: node.shard, name, fetch })
  throw new ContentError(
    'ERR_NOT_A_FOLDER',
    `expected a folder at ${folder.toString()} and got a ${node.kind}`
  )
}

async function findInShard(o: { shard: Shard; name: string; fetch: Fetch }): Promise<CID | undefined> {
  const hash = await hashName(o.name)
  let { shard } = o
  for (let level = 0; ; level++) {
    const slot = slotOf(hash, level, shard.fanoutBits)
    const child = shard.children.find((candidate) => candidate.slot === slot)
    if (child === undefined)
      return shard.entries.find((entry) => entry.slot === slot && entry.name === o.name)?.cid
    const node = decodeUnixfs(child.cid, await o.fetch(child.cid))
    if (node.kind !== 'shard' || node.shard.fanoutBits !== shard.fanoutBits) {
      throw new ContentError(
        'ERR_DAG_MALFORMED',
        `block ${child.cid.toString()}: expected a part of a folder`
      )
    }
    shard = node.shard
  }
}
