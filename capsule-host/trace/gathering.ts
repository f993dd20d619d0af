import type { Clock } from '#contracts'
import { TRACE_PIECE_BYTES } from '../constants.ts'
import { TRACE_GATHERED_BYTES, TRACE_GATHERED_MS } from './constants.ts'

/** What {@link Gathering} works with. */
export interface GatheringInit {
  readonly clock: Pick<Clock, 'after'>
  /** Takes the next parts; not called again before it has resolved. */
  write(parts: readonly Uint8Array[]): Promise<void>
}

/**
 * Bytes on their way to a file, gathered into few calls: one costs the thread that makes it, and another that it wakes,
 * more than the few hundred bytes of a piece are worth.
 */
export class Gathering {
  readonly #init: GatheringInit
  #parts: Uint8Array[] = []
  #bytes = 0
  #delay: Disposable | undefined
  #gathered: PromiseWithResolvers<void> = Promise.withResolvers()
  #written: Promise<void> = Promise.resolve()

  constructor(init: GatheringInit) {
    this.#init = init
  }

  /** Takes `parts`, which nobody changes any more, and resolves when they are written. */
  add(...parts: readonly Uint8Array[]): Promise<void> {
    const { promise } = this.#gathered
    for (const part of parts) {
      this.#parts.push(part)
      this.#bytes += part.byteLength
    }
    this.#bytes += TRACE_PIECE_BYTES
    if (this.#bytes >= TRACE_GATHERED_BYTES) this.#flush()
    else this.#delay ??= this.#init.clock.after(TRACE_GATHERED_MS, () => this.#flush())
    return promise
  }

  /** Writes what is left. @throws what the last write threw, also where nobody waits any more for what it wrote */
  async end(): Promise<void> {
    this.#flush()
    await this.#written
  }

  /** Hands over at once what was gathered; what goes wrong is told by {@link add}, and by {@link end}. */
  #flush(): void {
    this.#delay?.[Symbol.dispose]()
    this.#delay = undefined
    const parts = this.#parts
    if (parts.length === 0) return
    const { resolve } = this.#gathered
    const written = this.#written.then(async () => await this.#init.write(parts))
    this.#parts = []
    this.#bytes = 0
    this.#gathered = Promise.withResolvers()
    this.#written = written
    resolve(written)
  }
}
