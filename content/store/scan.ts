import { unclearedBytes } from '../files.ts'
import { RUN_BYTES_MAX, SCAN_BYTES } from './constants.ts'
import { decodeHeader, HEADER_BYTES, headerBytes, RECORD_MAGIC } from './record.ts'
import type { StoredFile } from '../files.ts'
import type { RecordHeader } from './record.ts'

/** A record as it lies in a pack. */
export interface ScannedRecord {
  readonly header: RecordHeader
  /** Of its header, from the start of the pack. */
  readonly offset: number
  /** Of what comes after it. */
  readonly end: number
  /** The block; shorter than its header says when the file ends in it. Valid until the next record is asked for. */
  readonly bytes: Uint8Array
}

/**
 * The records of a pack from `position` on. Where one should begin and none does, it goes on at the next place where
 * one does: so what follows damage is found again.
 */
export async function* scanRecords(
  file: StoredFile,
  { position, end }: { position: number; end: number }
): AsyncGenerator<ScannedRecord> {
  const window = new Window(file, end)
  let at = position
  while (at + HEADER_BYTES.min <= end) {
    const header = decodeHeader(await window.at(at, HEADER_BYTES.max))
    if (header === undefined) {
      at = await window.findNext(at + 1)
      continue
    }
    const from = headerBytes(header.digest.length)
    const record = await window.at(at, from + header.length)
    const next = at + from + header.length
    // The window may have moved: the header is read again where it is now.
    yield { header: decodeHeader(record) ?? header, offset: at, end: next, bytes: record.subarray(from) }
    at = next
  }
}

/** A few mebibytes of a file. */
class Window {
  readonly #file: StoredFile
  readonly #end: number
  readonly #buffer = unclearedBytes(RUN_BYTES_MAX)
  #from = 0
  #filled = 0

  constructor(file: StoredFile, end: number) {
    this.#file = file
    this.#end = end
  }

  /** The bytes at a place, fewer where the file ends. */
  async at(position: number, length: number): Promise<Uint8Array> {
    const wanted = Math.min(length, this.#end - position)
    if (position < this.#from || position + wanted > this.#from + this.#filled)
      await this.#fill(position, Math.max(wanted, SCAN_BYTES))
    const start = position - this.#from
    return this.#buffer.subarray(start, Math.min(start + wanted, this.#filled))
  }

  /** Where the next record may begin; the end when none does. */
  async findNext(position: number): Promise<number> {
    const magic = Buffer.from(RECORD_MAGIC)
    let at = position
    while (at < this.#end) {
      const part = await this.at(at, RUN_BYTES_MAX)
      const found = Buffer.from(part.buffer, part.byteOffset, part.length).indexOf(magic)
      if (found >= 0) return at + found
      // The magic may lie across the border.
      if (part.length <= magic.length) return this.#end
      at += part.length - magic.length
    }
    return this.#end
  }

  async #fill(position: number, wanted: number): Promise<void> {
    const length = Math.min(RUN_BYTES_MAX, wanted, this.#end - position)
    this.#filled = await this.#file.readAt(this.#buffer.subarray(0, length), position)
    this.#from = position
  }
}
