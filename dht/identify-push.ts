import { identifyPush } from '@libp2p/identify'
import type { Connection, Libp2p } from '@libp2p/interface'

/** What of libp2p tells what this node says of itself, and who is connected. */
interface PushComponents {
  readonly events: Pick<Libp2p, 'addEventListener'>
  readonly connectionManager: { getConnections(): Connection[] }
  readonly addressManager: { getAddresses(): readonly { toString(): string }[] }
  readonly registrar: { getProtocols(): readonly string[] }
}

/** What the push does with a connection. */
type PushTarget = Pick<Connection, 'remotePeer' | 'newStream'>

type PushService = ReturnType<ReturnType<typeof identifyPush>>

/**
 * identify's push, to those who have not been told. libp2p pushes what changed about a node to every connection there is a second
 * later, those included that were opened since, on which identify has said it already: a node that starts tells each
 * of its first peers everything twice, signed, checked and written down anew.
 */
export function pushNews(): (components: PushComponents) => PushService {
  const create = identifyPush({ runOnLimitedConnection: true })
  return (components) => {
    const { connectionManager, addressManager, registrar, events } = components
    const told = new WeakMap<Connection, string>()
    const current = (): string =>
      [...registrar.getProtocols(), ...addressManager.getAddresses().map(String)].join('\n')
    // identify says it right after: nothing older than this
    events.addEventListener('connection:open', ({ detail }) => {
      told.set(detail, current())
    })
    // what is about to be pushed, as it was when the addresses for it were read
    let pushed = ''
    const read = {
      getAddresses: () => {
        pushed = current()
        return addressManager.getAddresses()
      }
    }
    const uninformed = (): PushTarget[] => {
      const news = pushed
      const those = connectionManager.getConnections().filter((one) => told.get(one) !== news)
      return those.map((connection) => ({
        remotePeer: connection.remotePeer,
        newStream: async (protocols, options) => {
          const stream = await connection.newStream(protocols, options)
          // one that could not be told is told the next time
          stream.addEventListener('close', ({ error }) => {
            if (error === undefined) told.set(connection, news)
          })
          return stream
        }
      }))
    }
    const service = create(components as unknown as Parameters<typeof create>[0])
    const seen = new Proxy(components, {
      get: (target, key): unknown => (key === 'addressManager' ? read : Reflect.get(target, key))
    })
    // nothing else of it asks for connections; held by the test of this file
    return Object.assign(service, { components: seen, connectionManager: { getConnections: uninformed } })
  }
}
