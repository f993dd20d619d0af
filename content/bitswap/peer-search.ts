import { errorMessage, type Clock, type Logger } from '#contracts'
import type { CID } from 'multiformats/cid'
import type { ContentRouting } from '../exchange.ts'
import type { BitswapLimits } from './limits.ts'

/** Somebody who may have content, and where to reach them. */
export interface Provider {
  /** As text, `12D3Koo…`. */
  readonly peerId: string
  readonly multiaddrs: readonly string[]
}

/** Collaborators of a {@link PeerSearch}. */
export interface PeerSearchComponents {
  readonly clock: Clock
  readonly logger: Logger
  /** `undefined` when there is no content routing. */
  readonly routing: Pick<ContentRouting, 'findProviders'> | undefined
  /** Connects to a provider unless that is done already. */
  connect(provider: Provider, signal: AbortSignal): Promise<void>
  /** Whether to connect to that peer: not ourselves, not one that misbehaved, not one already asked. */
  isWelcome(this: void, peerId: string): boolean
  /** Called for each provider that is connected now. */
  onConnected(this: void, peerId: string): void
}

/** The limits that a search observes. */
export type PeerSearchLimits = Pick<BitswapLimits, 'sessionDialsMax' | 'dialTimeoutMs' | 'searchTimeoutMs'>

/** Finds providers and connects to them, a bounded number at a time. */
export class PeerSearch {
  /** Distinct providers named so far. */
  readonly found: Set<string> = new Set()
  /** Those of them that could not be connected to. */
  readonly unreachable: Set<string> = new Set()
  readonly #components: PeerSearchComponents
  readonly #limits: PeerSearchLimits

  constructor(components: PeerSearchComponents, limits: PeerSearchLimits) {
    this.#components = components
    this.#limits = limits
  }

  /** True when there is content routing to ask. */
  get hasRouting(): boolean {
    return this.#components.routing !== undefined
  }

  /** Connects to providers that are known already; returns when all were tried. Never throws. */
  async connectAll(providers: readonly Provider[], signal: AbortSignal): Promise<void> {
    await Promise.all(providers.map((provider) => this.#connect(provider, signal)))
  }

  /**
   * Asks the content routing once and connects to whom it names, until `isEnough` or the deadline. Returns when all
   * were tried. Never throws.
   */
  async search(cid: CID, o: { signal: AbortSignal; isEnough(this: void): boolean }): Promise<void> {
    const { routing, clock, logger } = this.#components
    if (routing === undefined) return
    const ended = new AbortController()
    using _deadline = clock.after(this.#limits.searchTimeoutMs, () => {
      ended.abort(new Error('searched long enough'))
    })
    const signal = AbortSignal.any([o.signal, ended.signal])
    const dials = new Set<Promise<void>>()
    try {
      for await (const provider of routing.findProviders(cid, { signal })) {
        if (o.isEnough()) break
        if (!this.#components.isWelcome(provider.peerId)) continue
        const dial = this.#connect(provider, o.signal).finally(() => dials.delete(dial))
        dials.add(dial)
        if (dials.size >= this.#limits.sessionDialsMax) await Promise.race(dials)
        if (o.isEnough()) break
      }
    } catch (cause) {
      if (!signal.aborted)
        logger.info('search for providers failed', { cid: cid.toString(), error: errorMessage(cause) })
    }
    ended.abort(new Error('the search is over'))
    await Promise.all(dials)
  }

  async #connect(provider: Provider, outer: AbortSignal): Promise<void> {
    const { clock, logger, isWelcome, onConnected } = this.#components
    if (outer.aborted || !isWelcome(provider.peerId)) return
    const late = new AbortController()
    this.found.add(provider.peerId)
    using _deadline = clock.after(this.#limits.dialTimeoutMs, () => {
      late.abort(new Error(`no connection after ${this.#limits.dialTimeoutMs} ms`))
    })
    try {
      await this.#components.connect(provider, AbortSignal.any([outer, late.signal]))
      this.unreachable.delete(provider.peerId)
      onConnected(provider.peerId)
    } catch (cause) {
      if (outer.aborted) return
      this.unreachable.add(provider.peerId)
      logger.debug('provider not reachable', { peer: provider.peerId, error: errorMessage(cause) })
    }
  }
}
