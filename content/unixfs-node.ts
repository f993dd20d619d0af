import * as dagPb from '@ipld/dag-pb'
import { UnixFS } from 'ipfs-unixfs'
import type { CID } from 'multiformats/cid'
import { errorMessage } from '#contracts'
import { DAG_PB_CODEC, RAW_CODEC } from './cid.ts'
import { quickData, quickLinks } from './dag-pb-links.ts'
import { LINK_TARGET_BYTES_MAX } from './constants.ts'
import { ContentError } from './errors.ts'

/** A named link of a folder. */
export interface FolderLink {
  readonly name: string
  readonly cid: CID
  /** Bytes of everything below as the folder's author claims; informative only. */
  readonly bytesClaimed: number
}

/** A part of a file, and how many bytes of the file it must hold. */
export interface FilePart {
  readonly cid: CID
  readonly bytes: number
}

/** One UnixFS block, decoded (https://specs.ipfs.tech/unixfs/). */
export type UnixfsNode =
  | {
      readonly kind: 'file'
      readonly bytes: number
      readonly data: Uint8Array
      readonly parts: readonly FilePart[]
    }
  | { readonly kind: 'folder'; readonly links: readonly FolderLink[] }
  | { readonly kind: 'shard'; readonly shard: Shard }
  | { readonly kind: 'link'; readonly target: string }

/** One node of a HAMT-sharded folder. */
export interface Shard {
  /** Bits of a name's hash that each level uses. */
  readonly fanoutBits: number
  /** Named entries with the slot each is in. */
  readonly entries: readonly (FolderLink & { readonly slot: number })[]
  /** Shards below with the slot each is in. */
  readonly children: readonly { readonly slot: number; readonly cid: CID }[]
}

const FANOUT_BITS_MIN = 3
/** Go's limit: 1024 slots. */
const FANOUT_BITS_MAX = 10

function malformed(cid: CID, what: string, cause?: unknown): ContentError {
  return new ContentError('ERR_DAG_MALFORMED', `block ${cid.toString()}: ${what}`, { cause })
}

/**
 * Decodes a UnixFS block. What contradicts itself is refused: sizes that do not add up, a part of no bytes (it
 * could make a walk endless), two entries of one name, a slot used twice.
 *
 * @throws ContentError `ERR_DAG_MALFORMED`, or `ERR_NOT_A_FILE` when the codec is not one of UnixFS
 */
export function decodeUnixfs(cid: CID, bytes: Uint8Array): UnixfsNode {
  if (cid.code === RAW_CODEC) return { kind: 'file', bytes: bytes.length, data: bytes, parts: [] }
  if (cid.code !== DAG_PB_CODEC) {
    throw new ContentError('ERR_NOT_A_FILE', `expected a file or folder and ${cid.toString()} is data`)
  }
  const file = quickFile(cid, bytes)
  if (file !== undefined) return file
  let node: dagPb.PBNode
  let unixfs: UnixFS
  try {
    node = dagPb.decode(bytes)
    unixfs = UnixFS.unmarshal(node.Data ?? new Uint8Array())
  } catch (cause) {
    throw malformed(cid, `expected UnixFS: ${errorMessage(cause)}`, cause)
  }
  if (node.Data === undefined) throw malformed(cid, 'expected UnixFS and there is no data')
  switch (unixfs.type) {
    case 'raw':
    case 'file':
      return decodeFile(
        cid,
        node.Links.map(({ Hash }) => Hash),
        unixfs
      )
    case 'directory':
      return { kind: 'folder', links: decodeFolder(cid, node) }
    case 'hamt-sharded-directory':
      return { kind: 'shard', shard: decodeShard(cid, node, unixfs) }
    case 'symlink':
      return { kind: 'link', target: decodeTarget(cid, node, unixfs) }
    default:
      throw malformed(cid, `expected a file, folder or link and got UnixFS type ${unixfs.type}`)
  }
}

/** A file as nearly all are written: its links have no names that count, and may have been decoded already. */
function quickFile(cid: CID, bytes: Uint8Array): UnixfsNode | undefined {
  const data = quickData(bytes)
  if (data === undefined) return undefined
  let unixfs: UnixFS
  try {
    unixfs = UnixFS.unmarshal(data)
  } catch {
    // Whatever is wrong with it is said below.
    return undefined
  }
  if (unixfs.type !== 'file' && unixfs.type !== 'raw') return undefined
  const links = quickLinks(bytes)
  return links === undefined ? undefined : decodeFile(cid, links, unixfs)
}

function decodeFile(cid: CID, links: readonly CID[], unixfs: UnixFS): UnixfsNode {
  const data = unixfs.data ?? new Uint8Array()
  if (links.length !== unixfs.blockSizes.length) {
    throw malformed(cid, `expected ${unixfs.blockSizes.length} parts and got ${links.length}`)
  }
  let bytes = data.length
  const parts = links.map((link, index) => {
    const size = unixfs.blockSizes[index] ?? 0n
    if (size === 0n || size > BigInt(Number.MAX_SAFE_INTEGER)) throw malformed(cid, `a part of ${size} bytes`)
    bytes += Number(size)
    return { cid: link, bytes: Number(size) }
  })
  if (!Number.isSafeInteger(bytes)) throw malformed(cid, 'parts that add up to too many bytes')
  return { kind: 'file', bytes, data, parts }
}

function decodeFolder(cid: CID, node: dagPb.PBNode): FolderLink[] {
  const names = new Set<string>()
  return node.Links.map((link) => {
    const name = link.Name ?? ''
    if (names.has(name)) throw malformed(cid, 'two entries of one name')
    names.add(name)
    return { name, cid: link.Hash, bytesClaimed: link.Tsize ?? 0 }
  })
}

function decodeShard(cid: CID, node: dagPb.PBNode, unixfs: UnixFS): Shard {
  const fanoutBits = Math.log2(Number(unixfs.fanout ?? 0n))
  if (!Number.isInteger(fanoutBits) || fanoutBits < FANOUT_BITS_MIN || fanoutBits > FANOUT_BITS_MAX) {
    throw malformed(cid, `expected a fanout from 8 to 1024 and got ${unixfs.fanout ?? 0n}`)
  }
  const prefixChars = (2 ** fanoutBits - 1).toString(16).length
  const entries: (FolderLink & { slot: number })[] = []
  const children: { slot: number; cid: CID }[] = []
  const slots = new Set<number>()
  for (const link of node.Links) {
    const text = link.Name ?? ''
    const prefix = text.slice(0, prefixChars)
    const slot = /^[0-9A-F]+$/.test(prefix) && prefix.length === prefixChars ? parseInt(prefix, 16) : -1
    if (slot < 0 || slot >= 2 ** fanoutBits || slots.has(slot)) {
      throw malformed(cid, 'expected each slot of the shard once')
    }
    slots.add(slot)
    const name = text.slice(prefixChars)
    if (name === '') children.push({ slot, cid: link.Hash })
    else entries.push({ slot, name, cid: link.Hash, bytesClaimed: link.Tsize ?? 0 })
  }
  return { fanoutBits, entries, children }
}

function decodeTarget(cid: CID, node: dagPb.PBNode, unixfs: UnixFS): string {
  const data = unixfs.data ?? new Uint8Array()
  if (node.Links.length > 0) throw malformed(cid, 'expected a link without parts')
  if (data.length === 0 || data.length > LINK_TARGET_BYTES_MAX) {
    throw malformed(cid, `a link target of ${data.length} bytes`)
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(data)
  } catch (cause) {
    throw malformed(cid, 'expected a link target in UTF-8', cause)
  }
}
