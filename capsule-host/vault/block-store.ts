import type { KeyObject } from 'node:crypto'
import { errorCode, type Random } from '#contracts'
import { FileError } from '../files/errors.ts'
import {
  NONCE_BYTES,
  openBlock,
  sealBlock,
  type BlockLabel,
  type BlockRef,
  type LabelledRef
} from './block.ts'
import { BATCH_BYTES_MAX, CHUNK_BYTES, RESERVE_UNITS, UNIT_BYTES } from './constants.ts'
import type { VaultFile } from './disk.ts'
import type { Space, Units } from './space.ts'

/** What {@link BlockStore} works with. */
export interface BlockStoreComponents {
  readonly file: VaultFile
  readonly key: KeyObject
  readonly space: Space
  readonly random: Random
}

/** A block to write. */
export interface NewBlock {
  readonly label: BlockLabel
  readonly plain: Uint8Array
}

const ZEROS = new Uint8Array(UNIT_BYTES)

/** Sealed blocks in one file of the disk. None is ever written over while a durable state refers to it. */
export class BlockStore {
  readonly #components: BlockStoreComponents
  /** Units the file has on the disk. */
  #fileUnits: number

  constructor(components: BlockStoreComponents, fileBytes: number) {
    this.#components = components
    this.#fileUnits = Math.floor(fileBytes / UNIT_BYTES)
  }

  /** Bytes of the file on the disk. */
  get fileBytes(): number {
    return this.#fileUnits * UNIT_BYTES
  }

  /** Reads one block. @throws FileError `ERR_FILE_CORRUPT`, `ERR_FILE_IO` */
  async read(labelled: LabelledRef): Promise<Uint8Array> {
    const [plain] = await this.readRun([labelled])
    return plain ?? new Uint8Array(0)
  }

  /** Reads blocks of which each begins where the one before ends, in one step. @throws as {@link read} */
  async readRun(run: readonly LabelledRef[]): Promise<Uint8Array[]> {
    const length = run.reduce((sum, { ref }) => sum + ref.length, 0)
    const sealed = Buffer.allocUnsafe(length)
    const start = (run[0]?.ref.unit ?? 0) * UNIT_BYTES
    const filled = await guarded('read', this.#components.file.read(start, sealed))
    if (filled < length) {
      throw new FileError('ERR_FILE_CORRUPT', 'expected the bytes that were written, the disk has fewer')
    }
    let offset = 0
    return run.map((labelled) => {
      const bytes = sealed.subarray(offset, (offset += labelled.ref.length))
      return openBlock(this.#components.key, bytes, labelled)
    })
  }

  /**
   * Writes blocks and says where they are. When it throws, none of them is kept.
   *
   * @param options - where the units come from; `isSparing` leaves the reserve alone, which is for what has no choice
   * @throws FileError `ERR_FILE_NO_SPACE`, `ERR_FILE_IO`
   */
  async write(
    blocks: readonly NewBlock[],
    { units, isSparing }: { units: Units; isSparing: boolean }
  ): Promise<BlockRef[]> {
    const refs: BlockRef[] = []
    try {
      let batch = new Batch()
      for (const { label, plain } of blocks) {
        const unit = units.take(unitsOf(plain.byteLength))
        const nonce = this.#components.random.bytes(NONCE_BYTES)
        const { sealed, tag } = sealBlock(this.#components.key, plain, { label, nonce })
        refs.push({ unit, length: plain.byteLength, nonce, tag })
        if (!batch.add(unit, sealed)) {
          await this.#put(batch)
          batch = new Batch()
          batch.add(unit, sealed)
        }
      }
      await this.#put(batch)
      if (isSparing) await this.refillReserve()
      return refs
    } catch (thrown) {
      for (const ref of refs) freeBlock(ref, units)
      throw thrown
    }
  }

  /** Puts a head into its unit. @throws FileError `ERR_FILE_IO` */
  async writeHead(unit: number, bytes: Uint8Array): Promise<void> {
    await guarded('write', this.#components.file.write(unit * UNIT_BYTES, [bytes]))
  }

  /** Waits until all that was written is on the disk. @throws FileError `ERR_FILE_IO` */
  async sync(): Promise<void> {
    await guarded('sync', this.#components.file.sync())
  }

  /** Gives the disk back what lies behind the last unit in use, when that is much. @throws FileError `ERR_FILE_IO` */
  async trim(): Promise<void> {
    const units = this.#components.space.end + RESERVE_UNITS
    if (this.#fileUnits < units * 2) return
    await guarded('cut', this.#components.file.truncate(units * UNIT_BYTES))
    this.#fileUnits = units
  }

  async #put(batch: Batch): Promise<void> {
    if (batch.parts.length === 0) return
    // No holes: what lies in front of the end is on the disk, so that it can be written even when the disk is full.
    const gap = Math.max(0, batch.start - this.#fileUnits)
    const parts = [...Array.from({ length: gap }, () => ZEROS), ...batch.parts]
    await guarded('write', this.#components.file.write((batch.start - gap) * UNIT_BYTES, parts))
    this.#fileUnits = Math.max(this.#fileUnits, batch.end)
  }

  /**
   * Keeps some free units on the disk: those can be written even when it is full.
   *
   * @throws FileError `ERR_FILE_NO_SPACE`, `ERR_FILE_IO`
   */
  async refillReserve(): Promise<void> {
    const missing = RESERVE_UNITS - (this.#fileUnits - this.#components.space.busyCount)
    if (missing <= 0) return
    const parts = Array.from({ length: missing }, () => ZEROS)
    await guarded('write', this.#components.file.write(this.#fileUnits * UNIT_BYTES, parts))
    this.#fileUnits += missing
  }
}

/** Blocks that lie side by side, with what fills their last units. */
class Batch {
  start = 0
  end = 0
  readonly parts: Uint8Array[] = []

  /** False when the block belongs into another batch. */
  add(unit: number, sealed: Uint8Array): boolean {
    const isFull = (this.end - this.start) * UNIT_BYTES >= BATCH_BYTES_MAX
    if (this.parts.length > 0 && (unit !== this.end || isFull)) return false
    if (this.parts.length === 0) this.start = unit
    this.parts.push(sealed)
    const units = unitsOf(sealed.byteLength)
    const fill = units * UNIT_BYTES - sealed.byteLength
    if (fill > 0) this.parts.push(ZEROS.subarray(0, fill))
    this.end = unit + units
    return true
  }
}

/** Gives back the units of a block. */
export function freeBlock(ref: BlockRef, units: Units): void {
  units.free(ref.unit, unitsOf(ref.length))
}

/** Units a block of that many bytes takes. */
export function unitsOf(bytes: number): number {
  if (bytes < 1 || bytes > CHUNK_BYTES) {
    throw new FileError('ERR_FILE_CORRUPT', `expected a block of 1 to ${CHUNK_BYTES} bytes, got ${bytes}`)
  }
  return Math.ceil(bytes / UNIT_BYTES)
}

/** Gives an error of the operating system its code. */
export async function guarded<T>(doing: string, operation: Promise<T>): Promise<T> {
  try {
    return await operation
  } catch (cause) {
    const code = errorCode(cause) ?? 'unknown'
    if (code === 'ENOSPC' || code === 'EDQUOT' || code === 'EFBIG') {
      throw new FileError('ERR_FILE_NO_SPACE', `cannot ${doing}: the disk is full`, { cause })
    }
    throw new FileError('ERR_FILE_IO', `cannot ${doing}: the disk says ${code}`, { cause })
  }
}
