import { ContentError } from '../errors.ts'
import { BlockIndex } from './block-index.ts'
import { PACKS_MAX } from './constants.ts'
import { Holds } from './holds.ts'
import { Pack, PackFiles } from './pack.ts'
import { recordBytes } from './record.ts'
import type { FilePowers } from '../files.ts'
import type { BlockId, Place } from './block-index.ts'

/** The packs of a store and where each block lies in them; what reading, writing and collecting share. */
export class PackSet {
  readonly folder: string
  readonly files: FilePowers
  readonly open: PackFiles
  readonly holds: Holds = new Holds()
  readonly #index = new BlockIndex()
  readonly #packs = new Map<number, Pack>()
  #last = 0

  constructor(files: FilePowers, folder: string) {
    this.files = files
    this.folder = folder
    this.open = new PackFiles(files)
  }

  /** Blocks that are here. */
  get blocks(): number {
    return this.#index.size
  }

  /** Every pack now, the oldest first. */
  all(): Pack[] {
    return [...this.#packs.values()].sort((a, b) => a.number - b.number)
  }

  /** Whether a pack is here still; a collection may have removed it. */
  has({ number }: Pack): boolean {
    return this.#packs.has(number)
  }

  /** The pack of a place. */
  packOf({ pack }: Place): Pack {
    const found = this.#packs.get(pack)
    if (found === undefined) throw new ContentError('ERR_STORE_IO', `expected pack ${pack} to be here`)
    return found
  }

  /** A pack of the folder that was there before, or the next new one. */
  add(number: number = this.#last + 1): Pack {
    if (number > PACKS_MAX) throw new ContentError('ERR_STORE_IO', `expected at most ${PACKS_MAX} packs`)
    const pack = new Pack(this.folder, number)
    this.#packs.set(number, pack)
    this.#last = Math.max(this.#last, number)
    return pack
  }

  /** Where a block lies, without saying that it is used. */
  peek(id: BlockId): Place | undefined {
    return this.#index.get(id)
  }

  /** Where a block lies; it counts as used now. */
  find(id: BlockId): Place | undefined {
    const place = this.#index.get(id)
    if (place !== undefined) this.#index.touch(id, this.holds.now)
    return place
  }

  /** When a block was last used. */
  touchedAt(id: BlockId): number {
    return this.#index.touchedAt(id)
  }

  /** Says where a block lies from now on. */
  put(id: BlockId, place: Place, touched: number = this.holds.now): void {
    const before = this.#index.get(id)
    if (before !== undefined) this.#count(id, before, -1)
    this.#index.set(id, place, touched)
    this.#count(id, place, 1)
  }

  /** Forgets a block if it lies there still. */
  drop(id: BlockId, place: Place): boolean {
    if (!this.isAt(id, place)) return false
    this.#count(id, place, -1)
    this.#index.delete(id)
    return true
  }

  /** Whether a block lies there still. */
  isAt(id: BlockId, place: Place): boolean {
    const now = this.#index.get(id)
    return now !== undefined && now.pack === place.pack && now.offset === place.offset
  }

  /** Removes the file of a pack in which nothing lives, once its readers are gone. */
  async remove(pack: Pack): Promise<void> {
    this.#packs.delete(pack.number)
    await this.open.close(pack)
    await this.files.removeFile(pack.indexPath)
    await this.files.removeFile(pack.path)
  }

  #count({ digest }: BlockId, place: Place, sign: 1 | -1): void {
    const pack = this.#packs.get(place.pack)
    if (pack === undefined) return
    pack.liveCount += sign
    pack.liveBytes += sign * recordBytes(digest.length, place.length)
  }
}
