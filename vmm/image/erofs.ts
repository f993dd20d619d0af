import { VmmError } from '../errors.ts'
import { compareBytes, imageTree, type ImageEntry, type ImageNode } from './entries.ts'

const BLOCK_BYTES = 4096
const BLOCK_BITS = 12
const MAGIC = 0xe0f5_e1e2
const SUPER_OFFSET = 1024
const SUPER_BYTES = 128
const INODE_BYTES = 32
/** Inodes are numbered by where they lie, in units of 32 bytes; the first one follows the superblock. */
const FIRST_INODE = (SUPER_OFFSET + SUPER_BYTES) / INODE_BYTES
const DIRENT_BYTES = 12

/** Types of `struct erofs_dirent`, and modes of inode(7). Owners and times are not kept: root, and 1970. */
const KINDS = {
  file: { type: 1, mode: 0o100644 },
  folder: { type: 2, mode: 0o040755 },
  link: { type: 7, mode: 0o120777 }
} as const
const EXECUTABLE = 0o111

/** A node with its place in the image. */
interface Placed {
  readonly node: ImageNode
  readonly inode: number
  readonly bytes: number
  readonly block: number
}

/**
 * A root image in EROFS from entries in any order: plain, unpacked, read-only, and the same bytes for the same entries wherever
 * it is made. Yields the image piece by piece.
 *
 * @throws VmmError `ERR_VM_IMAGE` for entries that cannot be, or a file whose content is not as long as it said
 * @see https://www.kernel.org/doc/html/latest/filesystems/erofs.html
 */
export async function* erofsImage(entries: Iterable<ImageEntry>): AsyncGenerator<Uint8Array> {
  const nodes = [...walk(imageTree(entries))]
  const inodes = new Map(nodes.map((node, index) => [node, FIRST_INODE + index]))
  const inodeOf = (node: ImageNode): number => inodes.get(node) ?? FIRST_INODE
  let block = Math.ceil(((FIRST_INODE + nodes.length) * INODE_BYTES) / BLOCK_BYTES)
  const metaBytes = block * BLOCK_BYTES
  const placed = nodes.map((node): Placed => {
    const bytes = sizeOf(node)
    const place = { node, inode: inodeOf(node), bytes, block: bytes === 0 ? 0 : block }
    block += Math.ceil(bytes / BLOCK_BYTES)
    return place
  })
  yield metadata(placed, { metaBytes, blocks: block })
  for (const { node, bytes } of placed) {
    const { entry } = node
    if (entry.kind === 'folder') yield padded(folderData(node, inodeOf))
    else if (entry.kind === 'link') yield padded(Buffer.from(entry.target))
    else if (bytes > 0) yield* fileData(entry)
  }
}

function* walk(node: ImageNode): Generator<ImageNode> {
  yield node
  for (const child of node.children) yield* walk(child)
}

function sizeOf(node: ImageNode): number {
  if (node.entry.kind === 'file') return node.entry.bytes
  return node.entry.kind === 'link' ? Buffer.byteLength(node.entry.target) : folderBlocks(node).bytes
}

/** `struct erofs_super_block` and every `struct erofs_inode_compact`. */
function metadata(
  placed: readonly Placed[],
  { metaBytes, blocks }: { metaBytes: number; blocks: number }
): Uint8Array {
  const head = new Uint8Array(metaBytes)
  const view = new DataView(head.buffer)
  view.setUint32(SUPER_OFFSET, MAGIC, true)
  view.setUint8(SUPER_OFFSET + 12, BLOCK_BITS)
  view.setUint16(SUPER_OFFSET + 14, FIRST_INODE, true)
  view.setBigUint64(SUPER_OFFSET + 16, BigInt(placed.length), true)
  view.setUint32(SUPER_OFFSET + 36, blocks, true)
  for (const { node, inode, bytes, block } of placed) {
    const at = inode * INODE_BYTES
    const { entry } = node
    const isExecutable = entry.kind === 'file' && entry.isExecutable
    view.setUint16(at + 4, KINDS[entry.kind].mode | (isExecutable ? EXECUTABLE : 0), true)
    view.setUint16(at + 6, linkCount(node), true)
    view.setUint32(at + 8, bytes, true)
    view.setUint32(at + 16, block, true)
    view.setUint32(at + 20, inode - FIRST_INODE + 1, true)
  }
  return head
}

/** A folder is named by its parent, by itself and by its folders; one with too many says 1, which means unknown. */
function linkCount({ entry, children }: ImageNode): number {
  if (entry.kind !== 'folder') return 1
  const count = 2 + children.filter((child) => child.entry.kind === 'folder').length
  return count > 0xffff ? 1 : count
}

interface Name {
  readonly bytes: Buffer
  readonly node: ImageNode
}

/** The names of a folder, itself and its parent among them, cut into the blocks they lie in; `bytes` is the folder's size. */
function folderBlocks(node: ImageNode): { blocks: Name[][]; bytes: number } {
  const names = [
    { name: '.', node },
    { name: '..', node: node.parent ?? node },
    ...node.children.map((child) => ({ name: child.name, node: child }))
  ].sort((a, b) => compareBytes(a.name, b.name))
  const blocks: Name[][] = []
  let used = BLOCK_BYTES
  for (const { name, node: named } of names) {
    const bytes = Buffer.from(name)
    const needed = DIRENT_BYTES + bytes.byteLength
    if (used + needed > BLOCK_BYTES) {
      blocks.push([])
      used = 0
    }
    used += needed
    blocks.at(-1)?.push({ bytes, node: named })
  }
  return { blocks, bytes: (blocks.length - 1) * BLOCK_BYTES + used }
}

/** `struct erofs_dirent`s of each block, then their names. */
function folderData(node: ImageNode, inodeOf: (node: ImageNode) => number): Uint8Array {
  const { blocks, bytes } = folderBlocks(node)
  const data = new Uint8Array(bytes)
  const view = new DataView(data.buffer)
  blocks.forEach((names, index) => {
    const start = index * BLOCK_BYTES
    let nameOffset = names.length * DIRENT_BYTES
    names.forEach((name, position) => {
      const at = start + position * DIRENT_BYTES
      view.setBigUint64(at, BigInt(inodeOf(name.node)), true)
      view.setUint16(at + 8, nameOffset, true)
      view.setUint8(at + 10, KINDS[name.node.entry.kind].type)
      data.set(name.bytes, start + nameOffset)
      nameOffset += name.bytes.byteLength
    })
  })
  return data
}

async function* fileData(entry: ImageEntry & { kind: 'file' }): AsyncGenerator<Uint8Array> {
  let left = entry.bytes
  for await (const chunk of entry.content()) {
    left -= chunk.byteLength
    if (left < 0) break
    yield chunk
  }
  if (left !== 0) {
    throw new VmmError(
      'ERR_VM_IMAGE',
      `expected ${entry.bytes} bytes of ${entry.path}, it is another size now`
    )
  }
  yield new Uint8Array(gapAfter(entry.bytes))
}

function padded(bytes: Uint8Array): Uint8Array {
  return Buffer.concat([bytes, new Uint8Array(gapAfter(bytes.byteLength))])
}

function gapAfter(bytes: number): number {
  return (BLOCK_BYTES - (bytes % BLOCK_BYTES)) % BLOCK_BYTES
}
