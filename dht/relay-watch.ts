import type { Libp2p, PeerId } from '@libp2p/interface'
import { peerIdFromString } from '@libp2p/peer-id'
import { multiaddr } from '@multiformats/multiaddr'
import type { Multiaddr } from '@multiformats/multiaddr'
import { errorMessage } from '#contracts'
import type { Clock, Logger } from '#contracts'
import {
  RELAY_CHECK_INTERVAL_MS,
  RELAY_PING_TIMEOUT_MS,
  RELAY_RESERVE_TIMEOUT_MS,
  RELAY_RETRY_DELAY_MS,
  RELAYS_HELD_MAX
} from './constants.ts'
import { startDeadline } from './deadline.ts'
import type { StartingPeer } from './joiner.ts'
import type { HostServices } from './libp2p-options.ts'
import { addressKind } from './reach.ts'

/** What the relay transport has beyond its declared interface; held by the contract test of this file. */
interface ReservationStore {
  hasReservation(relay: PeerId): boolean
  addRelay(relay: PeerId, type: 'configured'): Promise<unknown>
  relayFilter: { add(bytes: Uint8Array): void; has(bytes: Uint8Array): boolean }
}

/** What keeping reservations is made of. */
export interface RelayWatchComponents {
  readonly libp2p: Pick<
    Libp2p<HostServices>,
    'dial' | 'getConnections' | 'getMultiaddrs' | 'services' | 'addEventListener' | 'removeEventListener'
  >
  readonly clock: Clock
  readonly logger: Logger
}

/** With whom reservations are kept. */
export interface RelayWatchInit {
  readonly relays: readonly StartingPeer[]
}

/** Keeps reservations at relays. */
export interface RelayWatch extends AsyncDisposable {
  /** The peer ids of the relays where a reservation stands. */
  reserved(): string[]
}

/**
 * Keeps reservations at up to {@link RELAYS_HELD_MAX} of the given relays while this node has no public address.
 *
 * Stock libp2p asks a given relay once: when that is restarted or the connection breaks, the reservation never comes back
 * (js-libp2p issue 3601), and a relay that once could not be dialled is never asked again.
 */
export function startRelayWatch(components: RelayWatchComponents, { relays }: RelayWatchInit): RelayWatch {
  const { libp2p, clock, logger } = components
  const stopping = new AbortController()
  const store = reservationStore(libp2p)
  const ids = new Set(relays.map(({ peerId }) => peerId))
  let wake = Promise.withResolvers<void>()
  const onDisconnect = (event: CustomEvent<PeerId>): void => {
    if (ids.has(event.detail.toString())) wake.resolve()
  }
  const loop = async (): Promise<void> => {
    const context = { ...components, store, listened: new Set<string>(), signal: stopping.signal }
    for (;;) {
      await checkHeld(context, relays)
      await keepReserved(context, relays)
      await Promise.race([wake.promise, clock.sleep(RELAY_CHECK_INTERVAL_MS, stopping.signal)])
      wake = Promise.withResolvers()
      await clock.sleep(RELAY_RETRY_DELAY_MS, stopping.signal)
    }
  }
  if (store !== undefined) libp2p.addEventListener('peer:disconnect', onDisconnect)
  const running = (store === undefined ? Promise.resolve() : loop()).catch((error: unknown) => {
    if (!stopping.signal.aborted) logger.error('relay watch stopped', { error: errorMessage(error) })
  })
  return {
    reserved: () => relays.map(({ peerId }) => peerId).filter((id) => isReserved(store, id)),
    [Symbol.asyncDispose]: async () => {
      stopping.abort()
      libp2p.removeEventListener('peer:disconnect', onDisconnect)
      await running
    }
  }
}

interface Context extends RelayWatchComponents {
  readonly store: ReservationStore | undefined
  /** The relays that the relay transport has a listener for; it takes up a reservation that is made anew. */
  readonly listened: Set<string>
  readonly signal: AbortSignal
}

function isReserved(store: ReservationStore | undefined, peerId: string): boolean {
  return store?.hasReservation(peerIdFromString(peerId)) === true
}

/** Cuts the connection to a relay that is gone without a word: its reservation would look held for a minute. */
async function checkHeld(context: Context, relays: readonly StartingPeer[]): Promise<void> {
  const { libp2p, store, clock, signal, logger } = context
  const held = relays.filter(({ peerId }) => isReserved(store, peerId))
  const check = async ({ peerId }: StartingPeer): Promise<void> => {
    using limit = startDeadline(clock, RELAY_PING_TIMEOUT_MS, signal)
    const relay = peerIdFromString(peerId)
    try {
      await libp2p.services.ping.ping(relay, { signal: limit.signal })
    } catch (error) {
      signal.throwIfAborted()
      logger.info('relay lost', { relay: peerId, error: errorMessage(error) })
      const cause = error instanceof Error ? error : new Error('relay lost')
      for (const connection of libp2p.getConnections(relay)) connection.abort(cause)
    }
  }
  await Promise.all(held.map(check))
}

async function keepReserved(context: Context, relays: readonly StartingPeer[]): Promise<void> {
  const { libp2p, store, logger, signal } = context
  if (libp2p.getMultiaddrs().some((address) => addressKind(address) === 'public')) return
  let held = relays.filter(({ peerId }) => isReserved(store, peerId)).length
  for (const relay of relays) {
    if (held >= RELAYS_HELD_MAX) return
    if (isReserved(store, relay.peerId)) continue
    try {
      await reserve(context, relay)
      held += 1
      logger.info('relay reserved', { relay: relay.peerId })
    } catch (error) {
      signal.throwIfAborted()
      logger.debug('relay not reserved', { relay: relay.peerId, error: errorMessage(error) })
    }
  }
}

async function reserve(
  { libp2p, store, listened, clock, signal }: Context,
  relay: StartingPeer
): Promise<void> {
  using limit = startDeadline(clock, RELAY_RESERVE_TIMEOUT_MS, signal)
  const connection = await libp2p.dial([...relay.multiaddrs], { signal: limit.signal })
  if (listened.has(relay.peerId)) {
    await store?.addRelay(connection.remotePeer, 'configured')
    return
  }
  const base = relay.multiaddrs[0]
  if (base === undefined) return
  listened.add(relay.peerId)
  try {
    await libp2p.services.internals.transportManager.listen([circuitAddress(base)])
  } catch (error) {
    // the listener is made before the reservation; without one to take it up, the next try listens again
    listened.delete(relay.peerId)
    throw error
  }
}

function circuitAddress(relay: Multiaddr): Multiaddr {
  return multiaddr(`${relay.toString()}/p2p-circuit`)
}

function reservationStore(libp2p: RelayWatchComponents['libp2p']): ReservationStore | undefined {
  const transports = libp2p.services.internals.transportManager.getTransports()
  const circuit = transports.find((transport) => 'reservationStore' in transport)
  const store = (circuit as { reservationStore?: ReservationStore } | undefined)?.reservationStore
  // it refuses for ever a relay that failed once, which a relay that is being restarted does
  if (store !== undefined) store.relayFilter = { add: () => undefined, has: () => false }
  return store
}
