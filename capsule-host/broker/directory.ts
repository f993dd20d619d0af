import { errorCode, errorMessage, orAborted, type Clock, type Logger } from '#contracts'
import {
  PROVIDER_CRASH_PAUSE_MS,
  PROVIDER_CRASHES_MAX,
  PROVIDER_DEPTH_MAX,
  PROVIDER_IDLE_MS,
  PROVIDER_STOP_MS,
  PROVIDERS_MAX,
  RESOLVED_MAX,
  RESOLVED_MS
} from './constants.ts'
import type { FoundProvider, Provider, ProviderDirectory, ProviderSeeker } from './provider.ts'
import type {
  ProviderChoices,
  ProviderSource,
  ProviderWish,
  ResolvedProvider,
  StartedProvider
} from './provider-source.ts'
import { refusal, Refusal } from './refusal.ts'

/** What {@link startProviderDirectory} works with. */
export interface DirectoryComponents {
  readonly source: ProviderSource
  readonly choices: ProviderChoices
  readonly clock: Clock
  readonly logger: Logger
}

/** A provider capsule that is up, for operators. */
export interface LoadedProvider {
  readonly cid: string
  readonly lineage: string
  /** Calls and streams under way. */
  readonly active: number
}

/** Providers that are found when they are called, and run no longer than they are used. */
export interface RunningDirectory extends ProviderDirectory, AsyncDisposable {
  /** What runs now. */
  loaded(): LoadedProvider[]
  /**
   * Says that a lineage has another version now, or none: what is called from here on is looked for anew, and what runs of it
   * ends when nothing is under way.
   */
  unload(lineage: string): void
}

/** A directory in which nothing runs yet. */
export function startProviderDirectory(components: DirectoryComponents): RunningDirectory {
  return new Directory(components)
}

class Directory implements RunningDirectory {
  readonly #components: DirectoryComponents
  readonly #loaded = new Map<string, LoadedCapsule>()
  /** Those that were asked to end and have not yet. */
  readonly #ending = new Map<string, Promise<void>>()
  readonly #crashes = new Map<string, number[]>()
  readonly #known: ResolvedTable
  readonly #stopped = new AbortController()

  constructor(components: DirectoryComponents) {
    this.#components = components
    this.#known = new ResolvedTable(components.clock)
  }

  async find(contract: string, seeker: ProviderSeeker, signal: AbortSignal): Promise<FoundProvider> {
    const either = AbortSignal.any([signal, this.#stopped.signal])
    const resolved = await this.#resolveUncircled(contract, seeker, either)
    if (resolved === undefined) {
      const native = this.#components.source.native?.(contract)
      if (native === undefined) throw refusal('ERR_PROVIDER_NONE')
      return { provider: native }
    }
    const capsule = await orAborted(this.#load(resolved), either)
    return { provider: capsule.provider, cid: resolved.cid }
  }

  loaded(): LoadedProvider[] {
    return [...this.#loaded.values()].map(({ resolved: { cid, lineage }, active }) => ({
      cid,
      lineage,
      active
    }))
  }

  unload(lineage: string): void {
    this.#known.forget((resolved) => resolved.lineage === lineage)
    for (const capsule of [...this.#loaded.values()]) {
      if (capsule.resolved.lineage !== lineage) continue
      capsule.isUnwanted = true
      if (capsule.active === 0) this.#end(capsule)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped.abort(refusal('ERR_PROVIDER_GONE'))
    for (const capsule of [...this.#loaded.values()]) this.#end(capsule)
    await Promise.all(this.#ending.values())
  }

  /** Resolved, and found to close no circle; taken for granted for a while, since every call comes by here. */
  async #resolveUncircled(
    contract: string,
    seeker: ProviderSeeker,
    signal: AbortSignal
  ): Promise<ResolvedProvider | undefined> {
    const wanted = seeker.requires.find((one) => one.contract === contract)?.capsule
    const key = [seeker.lineage, contract, wanted, this.#components.choices.chosen(contract)].join(' ')
    const known = this.#known.get(key)
    if (known !== undefined) return known
    const { generation } = this.#known
    const resolved = await this.#resolve(contract, seeker, signal)
    if (resolved === undefined) return undefined
    await this.#checkCircles(resolved, [seeker.lineage], signal)
    // It may have been updated while it was looked for.
    if (generation === this.#known.generation) this.#known.set(key, resolved)
    return resolved
  }

  /** The user's choice, else what the seeker's manifest names, else whatever this device uses. */
  async #resolve(
    contract: string,
    { lineage, requires }: ProviderSeeker,
    signal: AbortSignal
  ): Promise<ResolvedProvider | undefined> {
    const { choices, source, logger } = this.#components
    const chosen = choices.chosen(contract)
    const wish: ProviderWish = {
      contract,
      capsule: chosen ?? requires.find((one) => one.contract === contract)?.capsule,
      // A pin belongs to what the manifest led to; a choice is the user's own and changes at once.
      pinned: chosen === undefined ? choices.pinned(lineage, contract) : undefined
    }
    try {
      const found = await orAborted(source.resolve(wish, signal), signal)
      if (found === undefined || !found.provides.includes(contract)) return undefined
      if (chosen === undefined && found.cid !== wish.pinned) await this.#pin(lineage, contract, found.cid)
      return found
    } catch (thrown) {
      signal.throwIfAborted()
      logger.warn('provider not resolved', { contract, code: errorCode(thrown), error: errorMessage(thrown) })
      throw refusal('ERR_PROVIDER_NONE', thrown)
    }
  }

  /** A pin that a full disk does not take holds until the node ends: no reason to serve nothing. */
  async #pin(lineage: string, contract: string, cid: string): Promise<void> {
    const { choices, logger } = this.#components
    await choices.pin(lineage, contract, cid).catch((thrown: unknown) => {
      logger.warn('provider not pinned', { contract, code: errorCode(thrown), error: errorMessage(thrown) })
    })
  }

  /** Follows what a provider requires, as it would be resolved now. */
  async #checkCircles(
    provider: ResolvedProvider,
    above: readonly string[],
    signal: AbortSignal
  ): Promise<void> {
    if (above.includes(provider.lineage) || above.length > PROVIDER_DEPTH_MAX) {
      throw refusal('ERR_PROVIDER_CYCLE')
    }
    for (const { contract } of provider.requires) {
      // One that is not there closes no circle; who calls it will be told.
      const next = await this.#resolve(contract, provider, signal).catch(() => undefined)
      signal.throwIfAborted()
      if (next !== undefined) await this.#checkCircles(next, [...above, provider.lineage], signal)
    }
  }

  async #load(resolved: ResolvedProvider): Promise<LoadedCapsule> {
    const key = keyOf(resolved)
    const known = this.#loaded.get(key)
    if (known !== undefined) {
      await known.started.catch((thrown: unknown) => {
        throw refusal('ERR_PROVIDER_GONE', thrown)
      })
      return known
    }
    this.#checkCrashes(key)
    this.#makeRoom()
    const capsule = new LoadedCapsule(resolved, {
      start: async () => {
        await this.#ending.get(key)
        return await this.#components.source.start(resolved, this.#stopped.signal)
      },
      onIdle: () => this.#whenIdle(capsule)
    })
    this.#loaded.set(key, capsule)
    try {
      const started = await capsule.started
      void started.ended.then(() => this.#ended(capsule))
    } catch (thrown) {
      this.#forget(capsule)
      if (thrown instanceof Refusal) throw thrown
      this.#components.logger.warn('provider not started', {
        ...{ cid: resolved.cid, code: errorCode(thrown), error: errorMessage(thrown) }
      })
      this.#noteCrash(key)
      throw refusal('ERR_PROVIDER_GONE', thrown)
    }
    this.#whenIdle(capsule)
    return capsule
  }

  #whenIdle(capsule: LoadedCapsule): void {
    capsule.idleTimer?.[Symbol.dispose]()
    if (capsule.active > 0) return
    if (capsule.isUnwanted) this.#end(capsule)
    else capsule.idleTimer = this.#components.clock.after(PROVIDER_IDLE_MS, () => this.#end(capsule))
  }

  /** One that is idle gives way when too many run. */
  #makeRoom(): void {
    if (this.#loaded.size < PROVIDERS_MAX) return
    const idle = [...this.#loaded.values()].find(({ active }) => active === 0)
    if (idle === undefined) throw refusal('ERR_CHANNEL_BUSY')
    this.#end(idle)
  }

  /** Asks it to end, and ends it when it does not. */
  #end(capsule: LoadedCapsule): void {
    const key = keyOf(capsule.resolved)
    if (this.#loaded.get(key) !== capsule) return
    this.#forget(capsule)
    const end = async (): Promise<void> => {
      try {
        const started = await capsule.started
        started.stop(PROVIDER_STOP_MS)
        const patience = new AbortController()
        using _timer = this.#components.clock.after(PROVIDER_STOP_MS, () => patience.abort())
        await orAborted(started.ended, patience.signal).catch(() => undefined)
        await started[Symbol.asyncDispose]()
      } catch {
        // One that never started has nothing to end.
      } finally {
        // Its successor may be ending by now, which is to be waited for as well.
        if (this.#ending.get(key) === ending) this.#ending.delete(key)
      }
    }
    const ending = end()
    this.#ending.set(key, ending)
  }

  #ended(capsule: LoadedCapsule): void {
    // One that was asked to is no longer listed.
    const key = keyOf(capsule.resolved)
    if (this.#loaded.get(key) !== capsule) return
    this.#forget(capsule)
    this.#noteCrash(key)
    this.#components.logger.warn('provider ended by itself', { cid: capsule.resolved.cid })
    void capsule.started.then(async (started) => await started[Symbol.asyncDispose]()).catch(() => undefined)
  }

  #forget(capsule: LoadedCapsule): void {
    // It may have ended because it was updated or removed.
    const key = keyOf(capsule.resolved)
    this.#known.forget((resolved) => keyOf(resolved) === key)
    capsule.idleTimer?.[Symbol.dispose]()
    if (this.#loaded.get(key) === capsule) this.#loaded.delete(key)
  }

  #noteCrash(key: string): void {
    const nowMs = this.#components.clock.monotonicMs()
    const crashes = [...(this.#crashes.get(key) ?? []), nowMs].slice(-PROVIDER_CRASHES_MAX)
    // Bounded like what runs: the oldest is forgotten.
    this.#crashes.delete(key)
    const [oldest] = this.#crashes.keys()
    if (this.#crashes.size >= PROVIDERS_MAX && oldest !== undefined) this.#crashes.delete(oldest)
    this.#crashes.set(key, crashes)
  }

  /** One that keeps ending is left alone for a while: starting it is dear. */
  #checkCrashes(key: string): void {
    const crashes = this.#crashes.get(key) ?? []
    const sinceMs = this.#components.clock.monotonicMs() - PROVIDER_CRASH_PAUSE_MS
    if (crashes.filter((atMs) => atMs > sinceMs).length >= PROVIDER_CRASHES_MAX) {
      throw refusal('ERR_PROVIDER_GONE')
    }
  }
}

/**
 * What runs apart: a capsule of the release that somebody names by its CID has another lineage than the same bytes when they
 * serve as what ships, and so another state and other powers.
 */
function keyOf({ lineage, cid }: ResolvedProvider): string {
  return `${lineage} ${cid}`
}

/** What was resolved lately. */
class ResolvedTable {
  readonly #clock: Pick<Clock, 'monotonicMs'>
  readonly #entries = new Map<string, { readonly resolved: ResolvedProvider; readonly untilMs: number }>()
  #generation = 0

  constructor(clock: Pick<Clock, 'monotonicMs'>) {
    this.#clock = clock
  }

  get(key: string): ResolvedProvider | undefined {
    const entry = this.#entries.get(key)
    if (entry !== undefined && entry.untilMs > this.#clock.monotonicMs()) return entry.resolved
    this.#entries.delete(key)
    return undefined
  }

  set(key: string, resolved: ResolvedProvider): void {
    const [oldest] = this.#entries.keys()
    if (this.#entries.size >= RESOLVED_MAX && oldest !== undefined) this.#entries.delete(oldest)
    this.#entries.set(key, { resolved, untilMs: this.#clock.monotonicMs() + RESOLVED_MS })
  }

  /** How often anything was forgotten: what is looked for meanwhile may be out of date. */
  get generation(): number {
    return this.#generation
  }

  forget(matches: (resolved: ResolvedProvider) => boolean): void {
    this.#generation++
    for (const [key, { resolved }] of this.#entries) if (matches(resolved)) this.#entries.delete(key)
  }
}

/** A provider capsule that runs or starts, and what is under way at it. */
class LoadedCapsule {
  readonly resolved: ResolvedProvider
  readonly started: Promise<StartedProvider>
  readonly provider: Provider
  active = 0
  isUnwanted = false
  idleTimer: Disposable | undefined

  constructor(
    resolved: ResolvedProvider,
    hooks: { start: () => Promise<StartedProvider>; onIdle: () => void }
  ) {
    this.resolved = resolved
    this.started = hooks.start()
    // Whoever waits for it hears of it; with nobody waiting it is still no unhandled rejection.
    this.started.catch(() => undefined)
    const use = (): Disposable => {
      this.active += 1
      this.idleTimer?.[Symbol.dispose]()
      return {
        [Symbol.dispose]: () => {
          this.active -= 1
          if (this.active === 0) hooks.onIdle()
        }
      }
    }
    const started = this.started
    this.provider = {
      call: async (request) => {
        using _use = use()
        return await (await started).provider.call(request)
      },
      open: async function* (request, input) {
        using _use = use()
        yield* (await started).provider.open(request, input)
      }
    }
  }
}
