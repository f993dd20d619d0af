import type {
  ComponentLogger,
  Connection,
  Libp2pEvents,
  Logger,
  PeerId,
  PeerStore,
  Startable,
  Stream
} from '@libp2p/interface'
import type { GossipSubComponents } from '@libp2p/gossipsub'
import { lpStream } from '@libp2p/utils'
import { multiaddr } from '@multiformats/multiaddr'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { Clock } from '#contracts'
import {
  PUNCH_ADDRESSES_MAX,
  PUNCH_ATTEMPTS_MAX,
  PUNCH_MESSAGE_BYTES_MAX,
  PUNCH_SETTLE_MS,
  PUNCH_TIMEOUT_MS,
  PUNCHES_AT_ONCE_MAX,
  RELAYED_GRACE_MS
} from './constants.ts'
import { startDeadline } from './deadline.ts'
import { decodePunchMessage, encodePunchMessage } from './punch-message.ts'
import type { PunchMessage } from './punch-message.ts'
import type { PunchPort, PunchPortComponents, PunchRole } from './punch-port.ts'
import { addressKind } from './reach.ts'

/** The protocol id of DCUtR. */
export const PUNCH_PROTOCOL = '/libp2p/dcutr'

/** What punching needs of libp2p. */
export interface PunchComponents extends PunchPortComponents {
  readonly addressManager: { getAddresses(): Multiaddr[] }
  readonly connectionManager: { getConnections(peer?: PeerId): Connection[] }
  readonly registrar: GossipSubComponents['registrar']
  readonly peerStore: PeerStore
  readonly logger: ComponentLogger
}

/** What punching is made of beside libp2p. */
export interface PunchInit {
  readonly port: PunchPort
  readonly clock: Clock
}

/**
 * A service of libp2p that replaces a relayed connection by a direct one: DCUtR, both ends dialling each other at once.
 *
 * @libp2p/dcutr offers confirmed addresses, which nobody behind a NAT has; its dials come from any port, are both
 * clients, and give back the relayed connection as if it were the new one, which is then closed.
 */
export function createHolePunch({ port, clock }: PunchInit): (components: PunchComponents) => Startable {
  return (components) => {
    const log = components.logger.forComponent('elastos:punch')
    const stopping = new AbortController()
    const turns = new Map<string, AbortController>()
    const context: Context = { ...pick(components), port, clock, log, turns, stopping: stopping.signal }
    let opened: AsyncDisposable | undefined
    let topology: string | undefined
    return {
      start: async () => {
        const { registrar } = components
        try {
          opened = await port.open(components)
        } catch (error) {
          // not every system lets sockets share a port; a node does without
          log.error('nothing is punched: no port to share - %e', error)
          return
        }
        await registrar.handle(
          PUNCH_PROTOCOL,
          (stream, connection) => {
            void answer(context, stream, connection)
          },
          { maxInboundStreams: 1, maxOutboundStreams: 1, runOnLimitedConnection: true }
        )
        topology = await registrar.register(PUNCH_PROTOCOL, {
          notifyOnLimitedConnection: true,
          onConnect: (_peer, connection) => {
            // who was called through the relay knows best that it needs one
            if (connection.limits !== undefined && connection.direction === 'inbound')
              void ask(context, connection)
          }
        })
      },
      stop: async () => {
        stopping.abort()
        if (topology !== undefined) components.registrar.unregister(topology)
        await components.registrar.unhandle(PUNCH_PROTOCOL)
        await opened?.[Symbol.asyncDispose]()
      }
    }
  }
}

type Picked = Pick<PunchComponents, 'addressManager' | 'connectionManager' | 'peerStore' | 'events'>

/** libp2p hands out a proxy, which does not spread. */
function pick({ addressManager, connectionManager, peerStore, events }: PunchComponents): Picked {
  return { addressManager, connectionManager, peerStore, events }
}

interface Context extends Picked, PunchInit {
  readonly log: Logger
  /** What is under way, by relayed connection. */
  readonly turns: Map<string, AbortController>
  readonly stopping: AbortSignal
}

/**
 * One attempt at a time for each relayed connection, the newest, and few in all: every peer that a relay lets through may
 * begin one, and chooses what is dialled.
 */
function takeTurn(
  { turns, stopping }: Context,
  { id }: Connection
): Disposable & { readonly signal: AbortSignal } {
  const former = turns.get(id)
  if (former === undefined && turns.size >= PUNCHES_AT_ONCE_MAX)
    throw new RangeError(`expected at most ${PUNCHES_AT_ONCE_MAX} attempts at once`)
  former?.abort(new Error('begun anew'))
  const own = new AbortController()
  turns.set(id, own)
  return {
    signal: AbortSignal.any([own.signal, stopping]),
    [Symbol.dispose]: () => {
      if (turns.get(id) === own) turns.delete(id)
    }
  }
}

/** The part of the end that was called: tries the caller's public addresses, then arranges to dial at once. */
async function ask(context: Context, relayed: Connection): Promise<void> {
  const { stopping, log } = context
  const peer = relayed.remotePeer
  for (let attempt = 0; attempt <= PUNCH_ATTEMPTS_MAX; attempt += 1) {
    if (stopping.aborted || relayed.status !== 'open') return
    try {
      if (!isDirect(context, peer)) await attemptOnce(context, relayed, attempt === 0 ? dialPublic : meet)
      log('direct connection to %p in attempt %d', peer, attempt)
      await retire(context, relayed)
      return
    } catch (error) {
      log.error('no direct connection to %p in attempt %d - %e', peer, attempt, error)
    }
  }
}

type Attempt = (context: Context, relayed: Connection, signal: AbortSignal) => Promise<void>

/** One attempt within its time, when its turn lets it. */
async function attemptOnce(context: Context, relayed: Connection, attempt: Attempt): Promise<void> {
  using turn = takeTurn(context, relayed)
  using limit = startDeadline(context.clock, PUNCH_TIMEOUT_MS, turn.signal)
  await attempt(context, relayed, limit.signal)
}

/** Dials where the peer says that everybody reaches it. */
async function dialPublic(context: Context, relayed: Connection, signal: AbortSignal): Promise<void> {
  const { peerStore } = context
  const peer = relayed.remotePeer
  const { addresses: known } = await peerStore.get(peer).catch(() => ({ addresses: [] }))
  const addresses = dialable(
    known.map(({ multiaddr: address }) => address),
    peer
  )
  await punch(context, { peer, addresses, role: 'client', signal })
}

async function meet(context: Context, relayed: Connection, signal: AbortSignal): Promise<void> {
  const { clock } = context
  const { addresses, halfRoundTripMs } = await arrange(context, relayed, signal)
  await clock.sleep(halfRoundTripMs, signal)
  await punch(context, { peer: relayed.remotePeer, addresses, role: 'server', signal })
}

async function arrange(
  context: Context,
  relayed: Connection,
  signal: AbortSignal
): Promise<{ addresses: Multiaddr[]; halfRoundTripMs: number }> {
  const stream = await relayed.newStream(PUNCH_PROTOCOL, { signal, runOnLimitedConnection: true })
  try {
    const messages = messagesOf(stream, signal)
    const startMs = context.clock.monotonicMs()
    await messages.write({ type: 'connect', addresses: ownAddresses(context) })
    const reply = await messages.read('connect')
    const halfRoundTripMs = (context.clock.monotonicMs() - startMs) / 2
    await messages.write({ type: 'sync', addresses: [] })
    void stream.close({ signal }).catch(() => undefined)
    return { addresses: dialable(parse(reply.addresses), relayed.remotePeer), halfRoundTripMs }
  } catch (error) {
    stream.abort(error instanceof Error ? error : new Error('not arranged'))
    throw error
  }
}

/** The part of the end that called. */
async function answer(context: Context, stream: Stream, relayed: Connection): Promise<void> {
  try {
    await attemptOnce(context, relayed, async (_context, _relayed, signal) => {
      await meetCaller(context, stream, { relayed, signal })
    })
    await retire(context, relayed)
  } catch (error) {
    stream.abort(error instanceof Error ? error : new Error('not punched'))
    context.log.error('no direct connection to %p - %e', relayed.remotePeer, error)
  }
}

async function meetCaller(
  context: Context,
  stream: Stream,
  { relayed, signal }: { readonly relayed: Connection; readonly signal: AbortSignal }
): Promise<void> {
  const messages = messagesOf(stream, signal)
  const { addresses } = await messages.read('connect')
  const usable = dialable(parse(addresses), relayed.remotePeer)
  using _expected = context.port.expect(usable)
  await messages.write({ type: 'connect', addresses: ownAddresses(context) })
  await messages.read('sync')
  void stream.close({ signal }).catch(() => undefined)
  await punch(context, { peer: relayed.remotePeer, addresses: usable, role: 'client', signal })
}

interface PunchTarget {
  readonly peer: PeerId
  readonly addresses: readonly Multiaddr[]
  readonly role: PunchRole
  readonly signal: AbortSignal
}

/** Dials until a direct connection is there, whoever's dial it was that got through. */
async function punch(context: Context, { peer, addresses, role, signal }: PunchTarget): Promise<void> {
  signal.throwIfAborted()
  if (addresses.length === 0) throw new RangeError('expected an address to dial, got none')
  using opened = directConnection(context, peer, signal)
  const dials = addresses.map((address) => startDial(context, address, { role, signal }))
  try {
    await Promise.any([opened.connection, ...dials.map(({ ended }) => ended)])
    // a connection is announced before its dial is done
    const all = Promise.all(dials.map(async ({ ended }) => await ended.catch(() => undefined)))
    await Promise.race([all, context.clock.sleep(PUNCH_SETTLE_MS, signal)])
  } finally {
    for (const dial of dials) dial[Symbol.dispose]()
  }
}

interface Dial extends Disposable {
  readonly ended: Promise<unknown>
}

/** A dial with a signal of its own: node destroys a socket when the signal it was dialled with aborts later. */
function startDial(
  { port }: Context,
  address: Multiaddr,
  { role, signal }: Pick<PunchTarget, 'role' | 'signal'>
): Dial {
  const own = new AbortController()
  const abort = (): void => {
    own.abort(signal.reason)
  }
  signal.addEventListener('abort', abort)
  let isOpen = false
  const ended = port.dial(address, { role, signal: own.signal }).then(() => {
    isOpen = true
  })
  ended.catch(() => undefined)
  return {
    ended,
    [Symbol.dispose]: () => {
      signal.removeEventListener('abort', abort)
      if (!isOpen) own.abort()
    }
  }
}

function directConnection(
  context: Context,
  peer: PeerId,
  signal: AbortSignal
): Disposable & { readonly connection: Promise<void> } {
  const { promise, resolve, reject } = Promise.withResolvers<undefined>()
  const onOpen = ({ detail }: Libp2pEvents['connection:open']): void => {
    if (detail.limits === undefined && detail.remotePeer.equals(peer)) resolve(undefined)
  }
  const onAbort = (): void => {
    reject(new Error('nobody got through in time'))
  }
  context.events.addEventListener('connection:open', onOpen)
  signal.addEventListener('abort', onAbort)
  if (isDirect(context, peer)) resolve(undefined)
  return {
    connection: promise,
    [Symbol.dispose]: () => {
      context.events.removeEventListener('connection:open', onOpen)
      signal.removeEventListener('abort', onAbort)
    }
  }
}

function isDirect({ connectionManager }: Context, peer: PeerId): boolean {
  return connectionManager
    .getConnections(peer)
    .some(({ limits, status }) => limits === undefined && status === 'open')
}

/** Closes the relayed connection once what runs on it had time to end; what begins now takes the direct one. */
async function retire(context: Context, relayed: Connection): Promise<void> {
  const { clock, stopping } = context
  await clock.sleep(RELAYED_GRACE_MS, stopping)
  if (!isDirect(context, relayed.remotePeer)) throw new Error('the direct connection did not last')
  await relayed.close({ signal: stopping })
}

function ownAddresses({ addressManager, port }: Context): Uint8Array[] {
  const confirmed = addressManager.getAddresses().filter((address) => addressKind(address) === 'public')
  return [...port.observed(), ...confirmed].slice(0, PUNCH_ADDRESSES_MAX).map(({ bytes }) => bytes)
}

function parse(addresses: readonly Uint8Array[]): Multiaddr[] {
  return addresses.flatMap((bytes) => {
    try {
      return [multiaddr(bytes)]
    } catch {
      return []
    }
  })
}

/** Those of a peer's addresses that are TCP to the internet over IPv4, naming the peer. */
function dialable(addresses: readonly Multiaddr[], peer: PeerId): Multiaddr[] {
  const named = addresses.flatMap((address) => {
    const [host, port, ...more] = address.getComponents()
    const isPlain = host?.name === 'ip4' && port?.name === 'tcp' && more.every(({ name }) => name === 'p2p')
    if (!isPlain || addressKind(address) !== 'public') return []
    return [`/ip4/${host.value ?? ''}/tcp/${port?.value ?? ''}/p2p/${peer.toString()}`]
  })
  return [...new Set(named)].slice(0, PUNCH_ADDRESSES_MAX).map((text) => multiaddr(text))
}

function messagesOf(
  stream: Stream,
  signal: AbortSignal
): {
  write(message: PunchMessage): Promise<void>
  read(type: PunchMessage['type']): Promise<PunchMessage>
} {
  const framed = lpStream(stream, {
    maxDataLength: PUNCH_MESSAGE_BYTES_MAX,
    maxBufferSize: 2 * PUNCH_MESSAGE_BYTES_MAX
  })
  return {
    write: async (message) => {
      await framed.write(encodePunchMessage(message), { signal })
    },
    read: async (type) => {
      const message = decodePunchMessage((await framed.read({ signal })).subarray())
      if (message.type !== type) throw new RangeError(`expected ${type}, got ${message.type}`)
      return message
    }
  }
}
