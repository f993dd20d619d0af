import { errorMessage } from '#contracts'
import type { Did } from '#did'
import { accessOf } from './access.ts'
import { withDeadline } from './asker.ts'
import { FAILED_MS, FETCHES_MAX, FETCHES_WAITING_MAX, HOLDERS_PER_MESSAGE, TAKING_MS } from './constants.ts'
import { careOf, dropCare, liveHolders, quotaItems, type KeeperCore } from './core.ts'
import type { KeepState } from './messages.ts'
import { admit } from './quota.ts'
import { release } from './release.ts'
import { renewRoots } from './renew.ts'
import type { SignedGoal } from './state.ts'
import type { Root } from './types.ts'

/** A fetch ends when it has taken so many times what it may take at the usual pace. */
const SLOW_FETCH = 16

/** What was agreed to be kept and is not here yet: fetched a few at a time, at a bounded pace, those with fewest copies first. */
export class Taking {
  readonly #core: KeeperCore
  readonly #sources = new Map<Root, Did[]>()
  readonly #running = new Map<Root, Promise<void>>()
  readonly #telling = new Set<Promise<void>>()
  /** When the bytes fetched so far are paid for. */
  #paidMs = 0

  constructor(core: KeeperCore) {
    this.#core = core
  }

  /** Takes a goal in: it is fetched as soon as its turn comes, from those who have it. */
  async take(wanted: SignedGoal, sources: readonly Did[]): Promise<KeepState> {
    const core = this.#core
    const { goal } = wanted
    if (core.fetching.has(goal.root)) return 'taken'
    if (core.fetching.size >= FETCHES_WAITING_MAX) return 'busy'
    const { choice } = core.state
    if (choice === undefined) return 'refused'
    const admission = admit(goal, quotaItems(core), choice)
    if (!admission.fits) return 'full'
    core.fetching.set(goal.root, wanted)
    this.#sources.set(goal.root, sources.slice(0, HOLDERS_PER_MESSAGE))
    // who asks is answered before the others have heard of it
    for (const root of admission.evict) this.#tellLater(await release(core, root))
    this.#next()
    return 'taken'
  }

  /** Resolves when nothing is being fetched any more; nothing new is begun once the keeper stops. */
  async settled(): Promise<void> {
    await Promise.all([...this.#running.values(), ...this.#telling])
  }

  #tellLater(tell: () => Promise<void>): void {
    const telling = tell()
      .catch(() => undefined)
      .finally(() => this.#telling.delete(telling))
    this.#telling.add(telling)
  }

  #next(): void {
    const core = this.#core
    if (core.signal.aborted || this.#running.size >= FETCHES_MAX) return
    const waiting = [...core.fetching.values()].filter(({ goal }) => !this.#running.has(goal.root))
    if (waiting.length === 0) return
    const copies = new Map(waiting.map(({ goal }) => [goal.root, liveHolders(core, goal).size]))
    const [first] = waiting.sort((a, b) => (copies.get(a.goal.root) ?? 0) - (copies.get(b.goal.root) ?? 0))
    if (first === undefined) return
    const { root } = first.goal
    const run = this.#fetch(first)
      .catch(async (thrown: unknown) => {
        if (core.signal.aborted) return
        core.logger.warn('a copy could not be made', { root, reason: errorMessage(thrown) })
        careOf(core, root).failing.set(core.self, core.clock.monotonicMs() + FAILED_MS)
        // it may be there whole, and only not have been noted
        if (!core.state.held.has(root)) await core.content.forget(root).catch(() => undefined)
      })
      .finally(() => {
        core.fetching.delete(root)
        this.#sources.delete(root)
        this.#running.delete(root)
        this.#next()
      })
    this.#running.set(root, run)
    this.#next()
  }

  async #fetch(wanted: SignedGoal): Promise<void> {
    const core = this.#core
    const { goal } = wanted
    await this.#pace(goal.bytes)
    const care = careOf(core, goal.root)
    // whoever sends a block now and then must not keep everything else waiting
    const timeoutMs = SLOW_FETCH * takingMs(core, goal.bytes)
    const { bytes, blocks } = await withDeadline({ ...core, timeoutMs }, async (signal) => {
      return await core.content.hold(goal.root, {
        access: accessOf(core, goal, care),
        isOwn: false,
        isCopy: true,
        sources: this.#sources.get(goal.root) ?? [],
        bytesMax: goal.bytes,
        signal
      })
    })
    // a later goal may have come meanwhile, or the end of the agreement
    const latest = core.fetching.get(goal.root)
    if (latest === undefined) {
      await core.content.forget(goal.root)
      return
    }
    await core.state.putHeld({ ...latest, bytes, blocks, sinceMs: Math.floor(core.clock.nowMs()) })
    care.failing.delete(core.self)
    core.logger.info('a copy is kept', { root: goal.root, of: goal.person, bytes })
    await renewRoots(core, [goal.root])
  }

  /** Waits until the bytes fetched before are paid for, so that many copies at once do not fill the line. */
  async #pace(bytes: number): Promise<void> {
    const { clock, limits, signal } = this.#core
    const nowMs = clock.monotonicMs()
    const startMs = Math.max(nowMs, this.#paidMs)
    this.#paidMs = startMs + (1_000 * bytes) / limits.repairBytesPerSecond
    if (startMs > nowMs) await clock.sleep(startMs - nowMs, signal)
  }
}

/** For how long somebody who said that it takes so many bytes is waited for. */
export function takingMs(core: Pick<KeeperCore, 'limits'>, bytes: number): number {
  // others may fetch at half our pace, and something else before it
  return TAKING_MS + (4_000 * bytes) / core.limits.repairBytesPerSecond
}

/** Forgets a goal that was not fetched yet. */
export function cancelTaking(core: KeeperCore, root: Root): void {
  if (core.fetching.delete(root)) dropCare(core, root)
}
