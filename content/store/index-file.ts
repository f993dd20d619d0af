import { crc32 } from 'node:zlib'
import type { FilePowers } from '../files.ts'
import type { BlockId } from './block-index.ts'
import { PACK_RECORDS_MAX } from './constants.ts'
import { HEADER_BYTES } from './record.ts'
import type { Pack } from './pack.ts'

const MAGIC = Buffer.from('elpidx1\n', 'latin1')
const HEAD_BYTES = MAGIC.length + 8
const ENTRY_HEAD_BYTES = 10
const FILE_BYTES_MAX = HEAD_BYTES + PACK_RECORDS_MAX * (ENTRY_HEAD_BYTES + HEADER_BYTES.max) + 4

/** A record as an index file knows it. */
export interface IndexEntry {
  readonly id: BlockId
  readonly offset: number
  readonly length: number
}

/** The records of one pack, as they are written to its index file. */
export class IndexEntries {
  readonly #parts: Buffer[] = []

  /** How many there are. */
  get count(): number {
    return this.#parts.length
  }

  /** Notes one more. */
  add({ id: { code, digest }, offset, length }: IndexEntry): void {
    const part = Buffer.allocUnsafe(ENTRY_HEAD_BYTES + digest.length)
    part.writeUInt32LE(offset, 0)
    part.writeUInt32LE(length, 4)
    part[8] = code
    part[9] = digest.length
    part.set(digest, ENTRY_HEAD_BYTES)
    this.#parts.push(part)
  }

  /** The one noted last. */
  last(): IndexEntry | undefined {
    const part = this.#parts.at(-1)
    return part === undefined ? undefined : entryOf(part)
  }

  /** All of them. */
  *all(): Generator<IndexEntry> {
    for (const part of this.#parts) yield entryOf(part)
  }

  /**
   * The bytes of an index file: magic (8), how many bytes of the pack it covers (4), count (4), the entries (offset 4,
   * length 4, hash code 1, digest length 1, digest), CRC-32 of all that (4).
   */
  encode(coveredBytes: number): Buffer {
    const head = Buffer.alloc(HEAD_BYTES)
    head.set(MAGIC)
    head.writeUInt32LE(coveredBytes, 8)
    head.writeUInt32LE(this.count, 12)
    const file = Buffer.concat([head, ...this.#parts, Buffer.alloc(4)])
    file.writeUInt32LE(crc32(file.subarray(0, -4)), file.length - 4)
    return file
  }
}

function entryOf(part: Buffer): IndexEntry {
  const digest = part.subarray(ENTRY_HEAD_BYTES, ENTRY_HEAD_BYTES + (part[9] ?? 0))
  return { id: { code: part[8] ?? 0, digest }, offset: part.readUInt32LE(0), length: part.readUInt32LE(4) }
}

/** What an index file says. */
export interface IndexFile {
  readonly coveredBytes: number
  readonly entries: IndexEntries
}

/** Reads the index file of a pack; `undefined` when there is none that is whole. */
export async function readIndexFile(files: FilePowers, pack: Pack): Promise<IndexFile | undefined> {
  const found = await files.readFile(pack.indexPath, FILE_BYTES_MAX).catch(() => undefined)
  return found === undefined ? undefined : decode(Buffer.from(found.buffer, found.byteOffset, found.length))
}

function decode(file: Buffer): IndexFile | undefined {
  if (file.length < HEAD_BYTES + 4 || file.compare(MAGIC, 0, MAGIC.length, 0, MAGIC.length) !== 0)
    return undefined
  const end = file.length - 4
  if (crc32(file.subarray(0, end)) !== file.readUInt32LE(end)) return undefined
  const entries = new IndexEntries()
  for (let at = HEAD_BYTES; at < end;) {
    const next = at + ENTRY_HEAD_BYTES + (file[at + 9] ?? 0)
    if (next > end || at + ENTRY_HEAD_BYTES > end) return undefined
    entries.add(entryOf(file.subarray(at, next)))
    at = next
  }
  return entries.count === file.readUInt32LE(12) ? { coveredBytes: file.readUInt32LE(8), entries } : undefined
}

/**
 * Writes the index file of a pack. All that it covers must be on the disk, for nobody looks at it again until it is
 * read.
 */
export async function writeIndexFile(
  files: FilePowers,
  pack: Pack,
  { coveredBytes, entries }: IndexFile
): Promise<void> {
  const temporary = `${pack.indexPath}.new`
  try {
    await files.removeFile(temporary)
    await files.writeNewFile(temporary, entries.encode(coveredBytes), 0o600)
    await files.rename(temporary, pack.indexPath)
  } catch (thrown) {
    await files.removeFile(temporary).catch(() => undefined)
    throw thrown
  }
}
