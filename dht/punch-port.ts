import type {
  ComponentLogger,
  Connection,
  IdentifyResult,
  Libp2p,
  Libp2pEvents,
  Listener,
  MultiaddrConnection,
  Transport,
  Upgrader
} from '@libp2p/interface'
import type { TCPOptions } from '@libp2p/tcp'
import { CODE_P2P, multiaddr } from '@multiformats/multiaddr'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { Libp2pOptions } from 'libp2p'
import { PUNCH_ADDRESSES_MAX } from './constants.ts'
import { addressKind } from './reach.ts'

/** What the port needs of libp2p. */
export interface PunchPortComponents {
  readonly logger: ComponentLogger
  readonly upgrader: Upgrader
  readonly events: Pick<Libp2p, 'addEventListener' | 'removeEventListener'>
}

/** Which side of a handshake a dial takes; both ends dial, so one of them has to be the server. */
export type PunchRole = 'client' | 'server'

/** A TCP port that listens and from which the internet is dialled. */
export interface PunchPort {
  /** TCP as it is, but that public IPv4 addresses are dialled from the port while it is open. */
  readonly transport: TransportFactory
  /** Listens until the result is disposed. */
  open(components: PunchPortComponents): Promise<AsyncDisposable>
  /** Where peers that were dialled from the port saw it, while their connections last. */
  observed(): Multiaddr[]
  /** Dials from the port and from no other. */
  dial(address: Multiaddr, o: { role: PunchRole; signal: AbortSignal }): Promise<Connection>
  /**
   * Whoever connects to the port from these addresses before the result is disposed finds a client there, and has to be
   * through with the handshake by then.
   */
  expect(addresses: readonly Multiaddr[]): Disposable
}

/** TCP with options of ours and some more. */
export type CreateTcp = (more?: TCPOptions) => TransportFactory

type TransportFactory = NonNullable<Libp2pOptions['transports']>[number]

/** A dial that found its port in use by the connection before it, to the same address. */
const PORT_TAKEN: ReadonlySet<string> = new Set(['EADDRINUSE', 'EADDRNOTAVAIL'])

/**
 * A port for what TCP needs to get through two NATs: the address that a relay saw a node come from leads back to it only
 * if it listens on that very port and dials from it.
 */
export function createPunchPort(createTcp: CreateTcp): PunchPort {
  let open: OpenPort | undefined
  let plainDial: Transport['dial'] | undefined
  const dialled = new WeakSet<object>()
  const seen = new Map<string, Multiaddr>()
  const expected: Expected = new Map()
  return {
    transport: (components) => {
      const transport = createTcp()(components)
      const dial: Transport['dial'] = transport.dial.bind(transport)
      plainDial = dial
      transport.dial = async (address, dialOptions) => {
        // nobody would close a socket that is not dialled with
        dialOptions.signal.throwIfAborted()
        const handle = isInternet4(address) ? open?.socket() : undefined
        if (handle === undefined) return await dial(address, dialOptions)
        try {
          const connection = await dial(address, { ...dialOptions, ...boundTo(handle) })
          dialled.add(connection)
          return connection
        } catch (error) {
          if (!PORT_TAKEN.has(String((error as { code?: unknown }).code))) throw error
          return await dial(address, dialOptions)
        }
      }
      return transport
    },
    open: async (components) => {
      const port = await listen(components, createTcp, (address) => expected.get(hostOf(address))?.at(-1))
      const watch = watchObserved(components, seen, (connection) => dialled.has(connection))
      open = { ...port, upgrader: components.upgrader }
      return {
        [Symbol.asyncDispose]: async () => {
          open = undefined
          watch[Symbol.dispose]()
          await port.close()
        }
      }
    },
    observed: () =>
      [...new Set([...seen.values()].map(String))].slice(-PUNCH_ADDRESSES_MAX).map((text) => multiaddr(text)),
    dial: async (address, { role, signal }) => {
      signal.throwIfAborted()
      const handle = open?.socket()
      if (open === undefined || handle === undefined || plainDial === undefined) {
        throw new Error('the port cannot be dialled from')
      }
      const upgrader = role === 'client' ? open.upgrader : upgradeAsServer(open.upgrader)
      return await plainDial(address, { signal, upgrader, ...boundTo(handle) })
    },
    expect: (addresses) => expectHosts(expected, addresses.map(hostOf))
  }
}

function isInternet4(address: Multiaddr): boolean {
  return addressKind(address) === 'public' && address.getComponents()[0]?.name === 'ip4'
}

function hostOf(address: Multiaddr): string {
  return address.getComponents()[0]?.value ?? ''
}

/** A socket that is bound and not connected must not be read from yet. */
function boundTo(handle: object): object {
  return { handle, manualStart: true }
}

/** Until when each host is expected, by each who expects it. */
type Expected = Map<string, readonly AbortSignal[]>

function expectHosts(expected: Expected, hosts: readonly string[]): Disposable {
  const over = new AbortController()
  for (const host of hosts) expected.set(host, [...(expected.get(host) ?? []), over.signal])
  return {
    [Symbol.dispose]: () => {
      for (const host of hosts) {
        const left = (expected.get(host) ?? []).filter((signal) => signal !== over.signal)
        if (left.length > 0) expected.set(host, left)
        else expected.delete(host)
      }
      over.abort(new Error('not through in time'))
    }
  }
}

interface OpenPort {
  readonly upgrader: Upgrader
  /** A socket bound to the port of the listener; none when that cannot be. */
  socket(): object | undefined
}

/** What a listener of @libp2p/tcp has beyond its declared interface, and node’s server in it; held by the NAT tests. */
interface TcpListener extends Listener {
  readonly server?: { readonly _handle?: { readonly constructor: SocketClass } | null }
}
type SocketClass = new (type: number) => {
  bind(host: string, port: number, flags: number): number
  close(): void
}

const SOCKET = 0
/** libuv's flag of SO_REUSEPORT. */
const REUSE_PORT = 2

/** Listens on a free port that sockets of this process may share. */
async function listen(
  components: PunchPortComponents,
  createTcp: CreateTcp,
  expectedUntil: (address: Multiaddr) => AbortSignal | undefined
): Promise<{ socket(): object | undefined; close(): Promise<void> }> {
  const listenOpts = { noDelay: true, reusePort: true }
  // it asks of its components no more than its port does
  const transport = createTcp({ listenOpts })(components as never)
  const upgrader = upgradeAs(components.upgrader, expectedUntil)
  const listener: TcpListener = transport.createListener({ upgrader })
  await listener.listen(multiaddr('/ip4/0.0.0.0/tcp/0'))
  const bound = listener.getAddrs()[0]?.getComponents()
  const port = Number(bound?.find(({ name }) => name === 'tcp')?.value)
  return {
    socket: () => {
      const Socket = listener.server?._handle?.constructor
      if (Socket === undefined) return undefined
      const socket = new Socket(SOCKET)
      if (socket.bind('0.0.0.0', port, REUSE_PORT) === 0) return socket
      socket.close()
      return undefined
    },
    close: async () => {
      await listener.close()
    }
  }
}

/** An upgrader that is the client of those it expects, though they connected: they dialled as servers. */
function upgradeAs(
  upgrader: Upgrader,
  expectedUntil: (address: Multiaddr) => AbortSignal | undefined
): Upgrader {
  return changed(upgrader, {
    upgradeInbound: async (connection, options) => {
      const until = expectedUntil(connection.remoteAddr)
      if (until === undefined) {
        await upgrader.upgradeInbound(connection, options)
        return
      }
      // no more of the options matters to a client than its signal; unlike an inbound upgrade, it has no time limit of its own
      const signal = options.signal === undefined ? until : AbortSignal.any([options.signal, until])
      await upgrader.upgradeOutbound(turned(connection, 'outbound'), { signal })
    }
  })
}

/** An upgrader for a dial that is to be the server. */
function upgradeAsServer(upgrader: Upgrader): Upgrader {
  return changed(upgrader, {
    upgradeOutbound: async (connection, options) =>
      await upgrader.upgradeOutbound(turned(connection, 'inbound'), { ...options, initiator: false })
  })
}

function changed(upgrader: Upgrader, methods: Partial<Upgrader>): Upgrader {
  return new Proxy(upgrader, {
    get: (target, name) => {
      const value: unknown = Reflect.get(methods, name) ?? Reflect.get(target, name)
      return typeof value === 'function' ? (value.bind(target) as unknown) : value
    }
  })
}

/** Who counts streams from one and who from two follows from the direction. */
function turned(
  connection: MultiaddrConnection,
  direction: MultiaddrConnection['direction']
): MultiaddrConnection {
  return Object.assign(connection, { direction })
}

/** Remembers how the peers that were dialled from the port saw us, while their connections last. */
function watchObserved(
  { events }: PunchPortComponents,
  seen: Map<string, Multiaddr>,
  isFromPort: (connection: object) => boolean
): Disposable {
  const onIdentify = ({ detail }: CustomEvent<IdentifyResult>): void => {
    const { connection, observedAddr } = detail
    if (observedAddr === undefined || !isFromPort(connection) || !isInternet4(observedAddr)) return
    seen.set(connection.id, observedAddr.decapsulateCode(CODE_P2P))
  }
  const onClose = ({ detail }: Libp2pEvents['connection:close']): void => {
    seen.delete(detail.id)
  }
  events.addEventListener('peer:identify', onIdentify)
  events.addEventListener('connection:close', onClose)
  return {
    [Symbol.dispose]: () => {
      events.removeEventListener('peer:identify', onIdentify)
      events.removeEventListener('connection:close', onClose)
      seen.clear()
    }
  }
}
