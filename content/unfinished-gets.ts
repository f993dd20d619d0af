import { Key } from 'interface-datastore'
import type { Datastore } from 'interface-datastore'
import type { CID } from 'multiformats/cid'
import { errorMessage } from '#contracts'
import type { Clock, Logger } from '#contracts'
import { parseCid } from './cid.ts'
import { UNFINISHED_GET_KEPT_MS, UNFINISHED_GETS_MAX } from './constants.ts'
import { ContentError } from './errors.ts'

const UNFINISHED = '/content/1/unfinished/'

/**
 * The gets that were begun and did not end: what they fetched is kept for the next try, for a week at most.
 * Losing this list costs a few blocks fetched twice, so nothing here must stop a get.
 */
export class UnfinishedGets {
  readonly #datastore: Datastore
  readonly #clock: Clock
  readonly #logger: Logger
  /** When each was begun last, the oldest first. */
  readonly #begun = new Map<string, number>()

  constructor({ datastore, clock, logger }: { datastore: Datastore; clock: Clock; logger: Logger }) {
    this.#datastore = datastore
    this.#clock = clock
    this.#logger = logger
  }

  /** @throws ContentError `ERR_STORE_IO` when the datastore cannot be read */
  async load(): Promise<void> {
    const found: { cid: string; begunAtMs: number }[] = []
    try {
      for await (const { key, value } of this.#datastore.query({ prefix: UNFINISHED })) {
        const begunAtMs = Number(new TextDecoder().decode(value))
        if (Number.isSafeInteger(begunAtMs)) found.push({ cid: key.name(), begunAtMs })
        if (found.length >= 2 * UNFINISHED_GETS_MAX) break
      }
    } catch (thrown) {
      throw new ContentError('ERR_STORE_IO', `cannot read the gets begun: ${errorMessage(thrown)}`, {
        cause: thrown
      })
    }
    for (const { cid, begunAtMs } of found.sort((a, b) => a.begunAtMs - b.begunAtMs))
      this.#begun.set(cid, begunAtMs)
  }

  /** Notes that a get of `root` begins; true when one had begun before. */
  async begin(root: CID): Promise<boolean> {
    const cid = root.toV1().toString()
    const wasBegun = this.#begun.delete(cid)
    this.#begun.set(cid, this.#clock.nowMs())
    await this.#quietly('note', async () => {
      const value = new TextEncoder().encode(String(this.#clock.nowMs()))
      await this.#datastore.put(new Key(UNFINISHED + cid, false), value)
      for (const [oldest] of this.#begun) {
        if (this.#begun.size <= UNFINISHED_GETS_MAX) break
        await this.#drop(oldest)
      }
    })
    return wasBegun
  }

  /** Notes that nothing of `root` needs keeping any more: the get is whole, or it brought nothing. */
  async end(root: CID): Promise<void> {
    await this.#quietly('forget', async () => await this.#drop(root.toV1().toString()))
  }

  /** The roots whose blocks are to be kept now; forgets those that are too old. */
  async current(): Promise<CID[]> {
    const sinceMs = this.#clock.nowMs() - UNFINISHED_GET_KEPT_MS
    for (const [cid, begunAtMs] of [...this.#begun]) {
      if (begunAtMs < sinceMs) await this.#quietly('forget', async () => await this.#drop(cid))
    }
    return [...this.#begun.keys()].map(parseCid)
  }

  async #drop(cid: string): Promise<void> {
    this.#begun.delete(cid)
    await this.#datastore.delete(new Key(UNFINISHED + cid, false))
  }

  async #quietly(what: string, task: () => Promise<void>): Promise<void> {
    try {
      await task()
    } catch (thrown) {
      this.#logger.warn(`could not ${what} an unfinished get`, { reason: errorMessage(thrown) })
    }
  }
}
