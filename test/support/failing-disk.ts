import { readFile, rm, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { createFilePowers } from '../../content/powers.ts'
import type { Random } from '#contracts'
import type { FilePowers, StoredFile } from '../../content/files.ts'

const SECTOR_BYTES = 512

/**
 * A disk that loses its power after some calls. What was not synced by then is there, or is not, sector by sector; so
 * are the names of new files and of those that were removed.
 */
export class FailingDisk {
  readonly #real = createFilePowers()
  readonly #random: Random
  /** What is certainly on the disk of each file that was opened for writing. */
  readonly #synced = new Map<string, Buffer>()
  /** Files whose name may be lost. */
  #fresh = new Set<string>()
  /** Files whose removal may be lost, and what they held. */
  #gone = new Map<string, Buffer>()
  #callsLeft: number

  /** @param calls - writes, syncs, renames and removals until the power goes; never when absent */
  constructor(random: Random, calls: number = Infinity) {
    this.#random = random
    this.#callsLeft = calls
  }

  /** The files of the disk. */
  get powers(): FilePowers {
    const real = this.#real
    return {
      ...real,
      openStored: async (path, how) => {
        const file = await real.openStored(path, how)
        if (how === 'read') return file
        if (!this.#synced.has(path)) {
          const content = await readFile(path)
          if (content.length === 0) this.#fresh.add(path)
          this.#synced.set(path, content)
        }
        return this.#watched(file, path)
      },
      writeNewFile: async (path, bytes, mode) => {
        this.#spend()
        this.#synced.set(path, Buffer.alloc(0))
        await real.writeNewFile(path, bytes, mode)
      },
      rename: async (from, to) => {
        this.#spend()
        await real.rename(from, to)
        this.#synced.set(to, this.#synced.get(from) ?? Buffer.alloc(0))
        this.#synced.delete(from)
        this.#fresh.add(to)
      },
      removeFile: async (path) => {
        this.#spend()
        const content = await readFile(path).catch(() => undefined)
        if (content !== undefined) this.#gone.set(path, this.#synced.get(path) ?? content)
        await real.removeFile(path)
        this.#synced.delete(path)
        this.#fresh.delete(path)
      },
      flush: async (path) => {
        this.#spend()
        await real.flush(path)
        if (this.#synced.has(path)) {
          this.#synced.set(path, await readFile(path))
          return
        }
        this.#fresh = new Set([...this.#fresh].filter((file) => dirname(file) !== path))
        this.#gone = new Map([...this.#gone].filter(([file]) => dirname(file) !== path))
      }
    }
  }

  /** What the disk holds when the power is back. */
  async cut(): Promise<void> {
    for (const [path, synced] of this.#synced) {
      if (this.#fresh.has(path) && this.#random.unit() < 0.3) {
        await rm(path, { force: true })
        continue
      }
      const content = await readFile(path).catch(() => undefined)
      if (content !== undefined) await writeFile(path, this.#torn(content, synced))
    }
    for (const [path, content] of this.#gone) {
      if (this.#random.unit() < 0.5) await writeFile(path, content, { flag: 'wx' }).catch(() => undefined)
    }
  }

  #torn(content: Buffer, synced: Buffer): Buffer {
    const [shorter, longer] = [
      Math.min(content.length, synced.length),
      Math.max(content.length, synced.length)
    ]
    const torn = Buffer.alloc(shorter + Math.floor(this.#random.unit() * (longer - shorter + 1)))
    for (let at = 0; at < torn.length; at += SECTOR_BYTES) {
      const end = Math.min(at + SECTOR_BYTES, torn.length)
      const from = this.#random.unit() < 0.5 ? content : synced
      if (at < from.length) from.copy(torn, at, at, end)
      // What both hold alike was never in doubt.
    }
    return torn
  }

  #watched(file: StoredFile, path: string): StoredFile {
    return {
      ...file,
      writeAt: async (parts, position) => {
        this.#spend()
        await file.writeAt(parts, position)
      },
      truncate: async (bytes) => {
        this.#spend()
        await file.truncate(bytes)
      },
      flush: async () => {
        this.#spend()
        const content = await readFile(path)
        await file.flush()
        this.#synced.set(path, content)
      }
    }
  }

  #spend(): void {
    if (this.#callsLeft-- > 0) return
    throw Object.assign(new Error('no power'), { code: 'EIO' })
  }
}
