import type { Libp2p } from '@libp2p/interface'
import type { KadDHT } from '@libp2p/kad-dht'
import { peerIdFromString } from '@libp2p/peer-id'
import { multiaddr } from '@multiformats/multiaddr'
import type { CID } from 'multiformats/cid'
import { errorMessage } from '#contracts'
import type { Clock, Logger } from '#contracts'
import {
  BACKGROUND_PROVIDE_DELAY_MS,
  BACKGROUND_PROVIDES_MAX,
  PROVIDER_ADDRESSES_MAX,
  PROVIDERS_FOUND_MAX,
  QUICK_PROVIDE_PEERS,
  QUICK_SEARCH_PEERS,
  ROUTING_TIMEOUT_MS
} from './constants.ts'
import { startDeadline } from './deadline.ts'
import type { Deadline } from './deadline.ts'
import { DhtError } from './errors.ts'
import type { ProvidersAnswer, QueryEngine, StartOptions } from './query/index.ts'

/** A peer that says it has some content, and where it says it is. */
export interface FoundProvider {
  readonly peerId: string
  /** Without the trailing `/p2p/…`; may be empty when the peer store knows how to reach it. */
  readonly multiaddrs: readonly string[]
}

/** Bounds of one operation; without a signal it ends by itself after 30 seconds. */
export interface RoutingOptions {
  readonly signal?: AbortSignal
}

/** How to search. */
export interface SearchOptions extends RoutingOptions {
  /**
   * Ask only the few peers known that are nearest, which takes milliseconds, dials nobody and finds whoever announced
   * itself to them by `provideQuick`. Default: false, look for nearer and nearer peers until several of the nearest name
   * providers, or nobody is left to ask.
   */
  readonly quick?: boolean
  /** Called with each other peer that answers, also one that names no provider: a search that nobody answers tells nothing. */
  readonly onAnswer?: (peerId: string) => void
}

/** How to announce. */
export interface ProvideOptions extends RoutingOptions {
  /**
   * Announce this once and let the announcement run out after 48 hours: for what soon means nothing any more, such as
   * being in a room today. Default: false, announce again before it runs out, until `forget`.
   */
  readonly transient?: boolean
}

/** What became of an announcement. */
export interface ProvideOutcome {
  /** How many peers it was handed to. */
  readonly stored: number
}

/** Announcing and finding content in the DHT. */
export interface Routing {
  /**
   * Announces that we have the content, to the peers closest to its CID, and again before that runs out.
   *
   * @throws {@link DhtError} `ERR_DHT_NO_PEERS` when there is nobody to tell; it is announced when somebody comes
   * @throws {@link DhtError} `ERR_DHT_TIMEOUT`, `ERR_DHT_NOT_STORED`
   */
  provide(cid: CID, options?: ProvideOptions): Promise<ProvideOutcome>
  /**
   * As `provide`, but resolves when the nearest peers known by now have it, which is enough for who starts from the same
   * seed. The search for those truly nearest goes on in the background a little later, bounded.
   */
  provideQuick(cid: CID, options?: ProvideOptions): Promise<ProvideOutcome>
  /**
   * Makes what is announced again by itself be exactly these contents: those that are new are announced at the next
   * occasion, all others no more. For whoever keeps the list; transient announcements are not touched.
   */
  keepOnly(contents: Iterable<CID>, options?: RoutingOptions): Promise<void>
  /** Stops announcing the content; records that others hold run out by themselves. */
  forget(cid: CID, options?: RoutingOptions): Promise<void>
  /**
   * Yields providers as they are found, each once, ourselves never. Their addresses are in the peer store when they are
   * yielded, so that they can be dialled by id. Ends when the search is exhausted or its time is up; with nobody to ask
   * it ends at once.
   *
   * @throws the reason of the signal when the caller aborts
   */
  findProviders(cid: CID, options?: SearchOptions): AsyncIterable<FoundProvider>
}

/** Notes on what this node announces. */
export interface Announcements {
  /** Says whether the content is to be announced again by itself. */
  setTransient(cid: CID, isTransient: boolean): void
  /** Notes that the content was announced to nobody, so that it is when somebody comes. */
  markUnannounced(cid: CID): Promise<void>
  /** Notes that the content was announced, so that we answer with it ourselves. */
  markAnnounced(cid: CID): Promise<void>
  /** Makes what is announced again be exactly these contents. */
  keepOnly(contents: Iterable<CID>, options?: RoutingOptions): Promise<void>
}

/** What routing is made of. */
export interface RoutingComponents {
  readonly libp2p: Pick<Libp2p, 'peerId' | 'peerStore'>
  readonly dht: Pick<KadDHT, 'cancelReprovide'>
  readonly queries: Pick<QueryEngine, 'provide' | 'announceNearest' | 'findProviders' | 'askNearest'>
  /** Resolves when there is a peer to ask or when it is clear that there is none: the number of peers. */
  readonly whenJoined: (signal: AbortSignal) => Promise<number>
  /**
   * Peers that our owner pinned, by PeerId. When nobody is found the search begins once more with them alone: whoever
   * filled the routing table of a young node with peers of their own cannot hide a provider from it.
   */
  readonly anchors?: readonly string[]
  /** Where it is noted what has to be announced again; without it nothing is. */
  readonly announcements?: Announcements
  /** Aborts when the host is disposed: no operation goes on after that. */
  readonly closing?: AbortSignal
  readonly clock: Clock
  readonly logger: Logger
}

/** Routing that can be waited for. */
export interface OwnRouting extends Routing {
  /** Resolves when no announcement is under way; for after `closing` was aborted. */
  settled(): Promise<void>
}

/** Content routing over a running DHT. */
export function createRouting(components: RoutingComponents): OwnRouting {
  const background = new Set<CID>()
  const underWay = new Set<Promise<unknown>>()
  const tracked = async <T>(operation: Promise<T>): Promise<T> => {
    underWay.add(operation)
    try {
      return await operation
    } finally {
      underWay.delete(operation)
    }
  }
  const announce: Announce = async (cid, options) => await tracked(provide(components, cid, options))
  return {
    provide: async (cid, options = {}) => await announce(cid, options),
    provideQuick: async (cid, options = {}) =>
      await provideQuick({ ...components, announce, background }, cid, options),
    settled: async () => {
      await Promise.allSettled(underWay)
    },
    keepOnly: async (contents, options = {}) => {
      await components.announcements?.keepOnly(contents, options)
    },
    forget: async (cid, options = {}) => {
      await components.dht.cancelReprovide(cid, options)
    },
    findProviders: (cid, options = {}) => findProviders(components, cid, options)
  }
}

type Announce = (cid: CID, options: AnnounceOptions) => Promise<ProvideOutcome>

interface AnnounceOptions extends ProvideOptions {
  /** Told of each acknowledgement, with how many there are. */
  readonly onStored?: (stored: number) => void
}

/** The signal of one operation: the caller's, the host's and the time's. */
function startLimit({ clock, closing }: RoutingComponents, signal: AbortSignal | undefined): Deadline {
  const signals = [signal, closing].filter((other) => other !== undefined)
  return startDeadline(clock, ROUTING_TIMEOUT_MS, signals.length > 1 ? AbortSignal.any(signals) : signals[0])
}

async function provide(
  components: RoutingComponents,
  cid: CID,
  options: AnnounceOptions
): Promise<ProvideOutcome> {
  using limit = startLimit(components, options.signal)
  const { signal } = limit
  const { announcements } = components
  announcements?.setTransient(cid, options.transient === true)
  const peers = await components.whenJoined(signal)
  let stored = 0
  const onStored = (count: number): void => {
    stored = count
    options.onStored?.(count)
  }
  try {
    await components.queries.provide(cid.multihash.bytes, { signal, onStored })
  } finally {
    if (stored === 0) await announcements?.markUnannounced(cid)
  }
  if (stored > 0) return { stored }
  signal.throwIfAborted()
  if (peers === 0) {
    const message = `no peer is known to announce ${cid.toString()} to: it is announced when one comes`
    throw new DhtError('ERR_DHT_NO_PEERS', message)
  }
  throw new DhtError('ERR_DHT_NOT_STORED', `no peer took the announcement of ${cid.toString()}`)
}

interface QuickComponents extends RoutingComponents {
  readonly announce: Announce
  /** The announcements that go on after their caller was answered. */
  readonly background: Set<CID>
}

async function provideQuick(
  components: QuickComponents,
  cid: CID,
  options: ProvideOptions
): Promise<ProvideOutcome> {
  const { announce, background, announcements } = components
  if (background.size >= BACKGROUND_PROVIDES_MAX) return await announce(cid, options)
  const stored = await announceToKnown(components, cid, options)
  if (stored > 0) {
    announcements?.setTransient(cid, options.transient === true)
    await announcements?.markAnnounced(cid)
  }
  const first = Promise.withResolvers<ProvideOutcome>()
  // the caller's signal must not end what goes on after its promise has resolved
  const controller = new AbortController()
  const onAbort = (): void => {
    controller.abort(options.signal?.reason)
  }
  options.signal?.addEventListener('abort', onAbort, { once: true })
  const delayMs = stored > 0 ? BACKGROUND_PROVIDE_DELAY_MS : 0
  const bounds = { ...options, signal: controller.signal, onStored: first.resolve }
  void announceInBackground(components, cid, { ...bounds, delayMs }).then(first.resolve, first.reject)
  if (stored > 0) first.resolve({ stored })
  return await first.promise.finally(() => options.signal?.removeEventListener('abort', onAbort))
}

async function announceToKnown(
  components: RoutingComponents,
  cid: CID,
  options: RoutingOptions
): Promise<number> {
  using limit = startLimit(components, options.signal)
  try {
    await components.whenJoined(limit.signal)
    return await components.queries.announceNearest(cid.multihash.bytes, QUICK_PROVIDE_PEERS, limit.signal)
  } catch (error) {
    limit.signal.throwIfAborted()
    throw error
  }
}

async function announceInBackground(
  { announce, background, clock, closing, logger }: QuickComponents,
  cid: CID,
  {
    delayMs,
    onStored,
    ...options
  }: ProvideOptions & {
    readonly delayMs: number
    readonly onStored: (outcome: ProvideOutcome) => void
  }
): Promise<ProvideOutcome> {
  background.add(cid)
  try {
    if (delayMs > 0) await clock.sleep(delayMs, closing)
    return await announce(cid, { ...options, onStored: (stored) => onStored({ stored }) })
  } catch (error) {
    logger.debug('announcement ended early', { cid: cid.toString(), error: errorMessage(error) })
    throw error
  } finally {
    background.delete(cid)
  }
}

async function* findProviders(
  components: RoutingComponents,
  cid: CID,
  options: SearchOptions
): AsyncGenerator<FoundProvider> {
  using limit = startLimit(components, options.signal)
  const { signal } = limit
  const { queries } = components
  const key = cid.multihash.bytes
  const own = components.libp2p.peerId.toString()
  const seen = new Set<string>([own])
  try {
    await components.whenJoined(signal)
    const isQuick = options.quick === true
    const answers = isQuick
      ? queries.askNearest(key, QUICK_SEARCH_PEERS, signal)
      : searchThoroughly(components, key, signal)
    for await (const { peer, providers } of answers) {
      if (peer.peerId !== own) options.onAnswer?.(peer.peerId)
      for (const { peerId, multiaddrs } of providers) {
        if (seen.has(peerId)) continue
        seen.add(peerId)
        yield await remember(components, peerId, multiaddrs.flatMap(addressText))
        if (seen.size > PROVIDERS_FOUND_MAX) return
      }
    }
  } catch (error) {
    if (limit.expired()) return
    signal.throwIfAborted()
    throw error
  }
}

async function* searchThoroughly(
  { queries, anchors = [], libp2p }: RoutingComponents,
  key: Uint8Array,
  signal: AbortSignal
): AsyncGenerator<ProvidersAnswer> {
  const own = libp2p.peerId.toString()
  let isFound = false
  const heard: StartOptions = anchors.length > 0 ? { heard: new Map() } : {}
  for await (const answer of queries.findProviders(key, signal, heard)) {
    if (answer.providers.some(({ peerId }) => peerId !== own)) isFound = true
    yield answer
  }
  if (!isFound && anchors.length > 0) yield* queries.findProviders(key, signal, { from: anchors, ...heard })
}

/** The text of a binary multiaddr; nothing for bytes that are none. */
function addressText(bytes: Uint8Array): string[] {
  try {
    return [multiaddr(bytes).toString()]
  } catch {
    return []
  }
}

async function remember(
  { libp2p, logger }: RoutingComponents,
  peerId: string,
  addresses: readonly string[]
): Promise<FoundProvider> {
  const suffix = `/p2p/${peerId}`
  const bare = addresses.map((address) =>
    address.endsWith(suffix) ? address.slice(0, -suffix.length) : address
  )
  const multiaddrs = [...new Set(bare)].filter((address) => address !== '').slice(0, PROVIDER_ADDRESSES_MAX)
  try {
    if (multiaddrs.length > 0) {
      await libp2p.peerStore.merge(peerIdFromString(peerId), {
        multiaddrs: multiaddrs.map((address) => multiaddr(address))
      })
    }
  } catch (error) {
    logger.debug('provider not remembered', { peerId, error: errorMessage(error) })
  }
  return { peerId, multiaddrs }
}
