import { FileError } from '../files/errors.ts'
import type { FileStat } from '../files/files.ts'
import { encodeRef, readRef, REF_BYTES, type BlockRef } from './block.ts'

/** The inode of the root folder; its entry is the only one in the folder 0. */
export const ROOT_INODE = 1

/** Times of an entry, nanoseconds since 1970. */
export interface EntryTimes {
  readonly accessedNs: bigint
  readonly modifiedNs: bigint
  readonly changedNs: bigint
}

/** A file or folder as the tree of entries keeps it. */
export interface Entry extends EntryTimes {
  readonly kind: 'file' | 'folder'
  readonly inode: number
  /** Bytes of a file; of a folder 0. */
  readonly bytes: number
  /** Levels of index pages between `content` and the file's chunks. */
  readonly levels: number
  /** A file's chunks; absent when it has none. */
  readonly content: BlockRef | undefined
}

/** An entry and its place. */
export interface PlacedEntry extends Entry {
  readonly folder: number
  readonly name: string
}

const INODE_BYTES = 8
const HEAD_BYTES = 2 + 8 * 5

/** The key of an entry in the tree: the folder's inode, then the name's UTF-8 bytes, a character a byte. */
export function entryKey(folder: number, name: string): string {
  const inode = Buffer.alloc(INODE_BYTES)
  inode.writeBigUInt64BE(BigInt(folder))
  return inode.toString('latin1') + Buffer.from(name, 'utf8').toString('latin1')
}

/** The name in a key. */
export function nameOfKey(key: string): string {
  return Buffer.from(key.slice(INODE_BYTES), 'latin1').toString('utf8')
}

/** The bytes of an entry. */
export function encodeEntry(entry: Entry): Uint8Array {
  const bytes = new Uint8Array(HEAD_BYTES + (entry.content === undefined ? 0 : REF_BYTES))
  const view = new DataView(bytes.buffer)
  view.setUint8(0, entry.kind === 'file' ? 1 : 2)
  view.setUint8(1, entry.levels)
  view.setBigUint64(2, BigInt(entry.inode))
  view.setBigUint64(10, BigInt(entry.bytes))
  view.setBigInt64(18, entry.accessedNs)
  view.setBigInt64(26, entry.modifiedNs)
  view.setBigInt64(34, entry.changedNs)
  if (entry.content !== undefined) bytes.set(encodeRef(entry.content), HEAD_BYTES)
  return bytes
}

/** Reads {@link encodeEntry}. @throws FileError `ERR_FILE_CORRUPT` */
export function decodeEntry(bytes: Uint8Array): Entry {
  const hasContent = bytes.byteLength === HEAD_BYTES + REF_BYTES
  if (!hasContent && bytes.byteLength !== HEAD_BYTES) {
    throw new FileError('ERR_FILE_CORRUPT', 'expected an entry of the vault, got other bytes')
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return {
    kind: view.getUint8(0) === 1 ? 'file' : 'folder',
    levels: view.getUint8(1),
    inode: Number(view.getBigUint64(2)),
    bytes: Number(view.getBigUint64(10)),
    accessedNs: view.getBigInt64(18),
    modifiedNs: view.getBigInt64(26),
    changedNs: view.getBigInt64(34),
    content: hasContent ? readRef(bytes, HEAD_BYTES) : undefined
  }
}

/** What of an entry a caller sees. */
export function statOf(entry: Pick<Entry, 'kind' | 'inode' | 'bytes'> & EntryTimes): FileStat {
  return { kind: entry.kind, inode: entry.inode, bytes: entry.bytes, linkCount: 1, ...pickTimes(entry) }
}

/** The times of something. */
export function pickTimes({ accessedNs, modifiedNs, changedNs }: EntryTimes): EntryTimes {
  return { accessedNs, modifiedNs, changedNs }
}
