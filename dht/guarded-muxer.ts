import type { MessageStream, Stream, StreamMuxer, StreamMuxerFactory } from '@libp2p/interface'
import { yamux, type YamuxMuxerInit } from '@libp2p/yamux'
import { acceptEagerly, openEagerly } from './eager-negotiation.ts'
import type { SpokenProtocols } from './eager-negotiation.ts'
import { joinFrames } from './joined-frames.ts'

/** What libp2p hands to a muxer beside the interface it names. */
type Connected = MessageStream & { readonly writeStatus: string }

/** What of a yamux muxer writes its frames, and says why the other side went. */
interface SendingMuxer extends StreamMuxer {
  readonly remoteGoAway?: number | undefined
  send(data: Parameters<MessageStream['send']>[0]): boolean
}

/** What of libp2p a muxer is made with. */
interface MuxerComponents {
  readonly registrar: SpokenProtocols
}

/** How yamux makes its streams. */
interface StreamMaker {
  _newStream?: (...of: readonly unknown[]) => WindowedStream
}

/** What of a yamux stream says how much of its window is left. */
type WindowedStream = Stream & {
  readonly state: number
  /** How many bytes the other side may send before it is told that there is room again. */
  readonly recvWindowCapacity: number
  readonly recvWindow: number
  sendWindowUpdate(): void
}

/** The states of a stream that has yet to say that it begins, or that it was heard of. */
const UNANNOUNCED: readonly number[] = [0, 2]

/**
 * yamux that survives a peer's reset, and that says no more than it has to. @libp2p/yamux 8.0.3 writes the frame of a new
 * stream from a bare microtask: when the connection was reset in between, the throw is nobody's and ends the process,
 * which any peer could bring about. A frame for a connection that is gone is dropped here; its streams learn of the reset
 * by themselves. It also answers each frame of data with one that renews the window, which for small messages doubles
 * what is encrypted and written: here a window is renewed when half of it is used, as other implementations do. What is sent
 * within one turn is written in one piece; who has said goodbye is answered nothing, as its socket may be closed by then, and
 * an answer would make an abort of the end. Streams whose opener says so are used before the peer has agreed to their protocol.
 */
export function guardedYamux(
  init: YamuxMuxerInit
): (components?: Partial<MuxerComponents>) => StreamMuxerFactory {
  const create = yamux(init)
  return (components) => {
    const factory = create()
    return {
      protocol: factory.protocol,
      createStreamMuxer: (connection) => {
        const stock = factory.createStreamMuxer(connection) as StreamMuxer as SendingMuxer
        const muxer = openEagerly(guard(stock, connection as Connected))
        // libp2p has none yet when it makes the factory
        const registrar = components?.registrar
        return registrar === undefined ? muxer : acceptEagerly(muxer, registrar)
      }
    }
  }
}

function guard(muxer: SendingMuxer, connection: Connected): StreamMuxer {
  const flush = joinFrames(connection, () => muxer.remoteGoAway !== undefined)
  flushAtTheEnd(muxer, flush)
  const send = muxer.send.bind(muxer)
  muxer.send = (data) => {
    try {
      return send(data)
    } catch (thrown) {
      if (connection.writeStatus === 'writable') throw thrown
      return false
    }
  }
  const maker = muxer as StreamMaker
  const newStream = maker._newStream?.bind(muxer)
  if (newStream !== undefined) maker._newStream = (...of) => renewHalves(newStream(...of))
  return muxer
}

/**
 * A muxer's last words. libp2p closes the socket in the same turn as the muxer, without the connection between: what
 * waited for the end of that turn would find the socket closed, and make an abort of it.
 */
function flushAtTheEnd(muxer: StreamMuxer, flush: () => void): void {
  const close = muxer.close.bind(muxer)
  const abort = muxer.abort.bind(muxer)
  muxer.close = async (options) => {
    try {
      await close(options)
    } finally {
      flush()
    }
  }
  muxer.abort = (error) => {
    abort(error)
    flush()
  }
}

function renewHalves(stream: WindowedStream): WindowedStream {
  const renew = stream.sendWindowUpdate.bind(stream)
  stream.sendWindowUpdate = () => {
    if (!UNANNOUNCED.includes(stream.state) && stream.recvWindowCapacity > stream.recvWindow / 2) return
    renew()
  }
  return stream
}
