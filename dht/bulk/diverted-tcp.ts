import { tcp } from '@libp2p/tcp'
import type { TCPOptions } from '@libp2p/tcp'
import type { Libp2pOptions } from 'libp2p'
import type { InboundAdmission } from '../inbound-admission.ts'
import { divertTls } from './powers.ts'
import type { BulkSockets } from './sockets.ts'

type TransportFactory = NonNullable<Libp2pOptions['transports']>[number]

/**
 * libp2p's TCP transport, whose listeners hand connections that begin with a TLS record to `sockets`: multistream
 * begins with another byte. What libp2p's listener keeps its server in is not in its types; where it is no longer
 * there, connections are taken as before and no socket is expected.
 */
export function divertedTcp(
  init: TCPOptions,
  sockets: Pick<BulkSockets, 'accept' | 'listening'>,
  admission?: InboundAdmission
): TransportFactory {
  const create = tcp(init)
  return (components) => {
    const transport = create(components)
    const createListener = transport.createListener.bind(transport)
    transport.createListener = (options) => {
      const listener = createListener(options)
      const { server } = listener as unknown as { readonly server?: unknown }
      const diverted = divertTls(server, (socket) => sockets.accept(socket), admission)
      if (diverted === undefined) return listener
      sockets.listening()
      const close = listener.close.bind(listener)
      listener.close = async (...closing: Parameters<typeof close>) => {
        diverted[Symbol.dispose]()
        await close(...closing)
      }
      return listener
    }
    return transport
  }
}
