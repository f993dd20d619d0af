import { spawn } from 'node:child_process'
import { once } from 'node:events'

/** Where something is to be fetched from, as JSON. */
export interface Where {
  readonly [name: string]: string | number | undefined
}

/** What one fetch took, as the process that fetched saw it. */
export interface Timed {
  readonly seconds: number
  /** Until the first byte of the content, not of its index. */
  readonly firstMs: number
}

/** Fetches from where it is connected to, to `output` or into an empty store. */
export type Fetch = (output: string) => Promise<Timed>

/** Where a side works. */
export interface SideInit {
  /** A folder for its stores and copies. */
  readonly folder: string
  /** The file or folder that is served. */
  readonly source: string
}

/** One way to bring content from the disk of one process to the disk of another. */
export interface Side {
  /** Takes the content into the server's store, on the disk, in a process of its own; nothing where there is no store. */
  import?(init: SideInit): Promise<Where>
  /** Serves what was imported; resolves with where. */
  serve(init: SideInit, imported: Where): Promise<Where>
  connect(init: SideInit, where: Where): Promise<Fetch>
  /** Ends what runs beside this process, where something does: it would outlive a kill. */
  end?(): Promise<void>
}

/**
 * Blocks that stock Helia is asked for at the same time, or what `BENCH_HELIA_WIDTH` says. Helia's own reader asks for all that a
 * block links to at once (`blockReadConcurrency`). Where one is asked for at a time the first leaf came two to six times as soon, for it
 * does not share the line with 31 others: whoever compares first bytes should look at both.
 */
export const HELIA_WIDTH: number = Number(process.env['BENCH_HELIA_WIDTH'] ?? 32)

/** Whether what was written is forced to the disk within the time that is measured: unless `BENCH_FLUSH` is 0. */
export const isFlushed: boolean = process.env['BENCH_FLUSH'] !== '0'

/** Forces all that was written to the file system of `path` to its disk, where that is measured: the same for all. */
export async function flush(path: string): Promise<void> {
  if (!isFlushed) return
  await once(spawn('sync', ['-f', path]), 'close')
}

/** Times one fetch. */
export class Stopwatch {
  readonly #startedAt = performance.now()
  #firstMs: number | undefined

  /** The first byte of the content is here. */
  first(): void {
    this.#firstMs ??= performance.now() - this.#startedAt
  }

  /** All is here. */
  stop(): Timed {
    const ms = performance.now() - this.#startedAt
    return { seconds: ms / 1000, firstMs: this.#firstMs ?? ms }
  }
}
