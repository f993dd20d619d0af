import type { MessageStream, StreamMuxer, StreamMuxerFactory } from '@libp2p/interface'
import { yamux, type YamuxMuxerInit } from '@libp2p/yamux'
import { openEagerly } from './eager-negotiation.ts'

/** What libp2p hands to a muxer beside the interface it names. */
type Connected = MessageStream & { readonly writeStatus: string }
type SendingMuxer = StreamMuxer & { send(data: Parameters<MessageStream['send']>[0]): boolean }

/**
 * yamux that survives a peer's reset. @libp2p/yamux 8.0.3 writes the frame of a new stream from a bare microtask: when
 * the connection was reset in between, the throw is nobody's and ends the process, which any peer could bring about.
 * A frame for a connection that is gone is dropped here; its streams learn of the reset by themselves.
 */
export function guardedYamux(init: YamuxMuxerInit): () => StreamMuxerFactory {
  const create = yamux(init)
  return () => {
    const factory = create()
    return {
      protocol: factory.protocol,
      createStreamMuxer: (connection) =>
        openEagerly(guard(factory.createStreamMuxer(connection), connection as Connected))
    }
  }
}

function guard(muxer: SendingMuxer, connection: Connected): StreamMuxer {
  const send = muxer.send.bind(muxer)
  muxer.send = (data) => {
    try {
      return send(data)
    } catch (thrown) {
      if (connection.writeStatus === 'writable') throw thrown
      return false
    }
  }
  return muxer
}
