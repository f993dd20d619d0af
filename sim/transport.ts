import {
  serviceCapabilities,
  transportSymbol,
  type Connection,
  type DialTransportOptions,
  type Listener,
  type ListenerEvents,
  type Logger as LibraryLogger,
  type MultiaddrConnection,
  type Transport,
  type Upgrader
} from '@libp2p/interface'
import { multiaddr, type Multiaddr } from '@multiformats/multiaddr'
import { TypedEventEmitter } from 'main-event'
import type { TransportFactory } from '#dht'
import { SimulatedConnection, type ConnectionComponents } from './connection.ts'
import { SimError } from './errors.ts'

/** Creates the transports of a simulation, one for each node. */
export interface TransportMaker {
  /** The transport of the node of this name, which listens on `/memory/NAME`. */
  createTransport(name: string): TransportFactory
}

/** What libp2p gives a transport. */
interface Components {
  readonly logger: { forComponent(name: string): LibraryLogger }
}

type Accept = (connection: MultiaddrConnection) => void

/** Creates transports over one network. */
export function createTransportMaker(components: ConnectionComponents): TransportMaker {
  const accepting = new Map<string, Accept>()
  let dials = 0

  const dial = async (o: DialFrom, address: Multiaddr, signal: AbortSignal): Promise<MultiaddrConnection> => {
    const to = nameOf(address)
    components.trace.add({ atMs: components.clock.monotonicMs(), from: o.name, to, kind: 'dial' })
    await components.network.reach(o.name, to, signal)
    const accept = accepting.get(to)
    if (accept === undefined)
      throw new SimError('ERR_SIM_UNREACHABLE', `expected somebody to listen at ${to}, nobody does`)
    // as with TCP, the other side sees a port that nobody listens on
    const ephemeral = multiaddr(`/memory/${o.name}.${String(++dials)}`)
    const near = { from: o.name, to, direction: 'outbound', remoteAddr: address, log: o.log } as const
    const far = { from: to, to: o.name, direction: 'inbound', remoteAddr: ephemeral, log: o.log } as const
    const ends = [
      new SimulatedConnection(components, near),
      new SimulatedConnection(components, far)
    ] as const
    SimulatedConnection.join(components.network, ...ends)
    accept(ends[1])
    return ends[0]
  }

  return {
    createTransport: (name) => (library: Components) => {
      const log = library.logger.forComponent('sim:transport')
      const transport: Transport & { [serviceCapabilities]: string[] } = {
        [transportSymbol]: true,
        [Symbol.toStringTag]: 'sim/transport',
        [serviceCapabilities]: ['@libp2p/transport'],
        dial: async (address, options) =>
          await upgraded(await dial({ name, log }, address, options.signal), options),
        createListener: ({ upgrader }) => createListener(accepting, upgrader),
        listenFilter: (addresses) => addresses.filter(isSimulated),
        dialFilter: (addresses) => addresses.filter(isSimulated)
      }
      return transport
    }
  }
}

interface DialFrom {
  readonly name: string
  readonly log: LibraryLogger
}

async function upgraded(connection: MultiaddrConnection, options: DialTransportOptions): Promise<Connection> {
  try {
    return await options.upgrader.upgradeOutbound(connection, options)
  } catch (error) {
    connection.abort(error instanceof Error ? error : new Error('not upgraded'))
    throw error
  }
}

function createListener(accepting: Map<string, Accept>, upgrader: Upgrader): Listener {
  const events = new TypedEventEmitter<ListenerEvents>()
  const closing = new AbortController()
  let bound: Multiaddr | undefined
  const accept: Accept = (connection) => {
    upgrader.upgradeInbound(connection, { signal: closing.signal }).catch((error: unknown) => {
      connection.abort(error instanceof Error ? error : new Error('not upgraded'))
    })
  }
  return Object.assign(events, {
    listen: async (address: Multiaddr): Promise<void> => {
      const name = nameOf(address)
      if (accepting.has(name)) throw new SimError('ERR_SIM_OPTION', `expected nobody to listen at ${name}`)
      accepting.set(name, accept)
      bound = address
      events.safeDispatchEvent('listening')
    },
    getAddrs: () => (bound === undefined ? [] : [bound]),
    updateAnnounceAddrs: () => undefined,
    close: async (): Promise<void> => {
      closing.abort()
      if (bound !== undefined) accepting.delete(nameOf(bound))
      bound = undefined
      events.safeDispatchEvent('close')
    }
  })
}

function isSimulated(address: Multiaddr): boolean {
  const components = address.getComponents()
  return (
    components[0]?.name === 'memory' && components.every(({ name }) => name === 'memory' || name === 'p2p')
  )
}

function nameOf(address: Multiaddr): string {
  return address.getComponents()[0]?.value ?? ''
}
