import type { PeerId, PeerInfo } from '@libp2p/interface'
import { Libp2pRecord } from '@libp2p/record'
import type { QueryEvent } from '@libp2p/kad-dht'
import { multiaddr } from '@multiformats/multiaddr'
import { KAD_MESSAGE } from './messages.ts'
import type { KadMessage, KadMessageType, WirePeer } from './messages.ts'
import type { PeerBook } from './peer-book.ts'
import type { QueryTransport } from './transport.ts'

/** A message as kad-dht has it. */
interface StockMessage {
  readonly type: StockType
  readonly key?: Uint8Array
  readonly record?: Uint8Array
  readonly providers?: readonly WirePeer[]
}

type StockType = 'PUT_VALUE' | 'GET_VALUE' | 'ADD_PROVIDER' | 'GET_PROVIDERS' | 'FIND_NODE' | 'PING'

const TYPES: Readonly<Record<StockType, KadMessageType>> = {
  PUT_VALUE: KAD_MESSAGE.putValue,
  GET_VALUE: KAD_MESSAGE.getValue,
  ADD_PROVIDER: KAD_MESSAGE.addProvider,
  GET_PROVIDERS: KAD_MESSAGE.getProviders,
  FIND_NODE: KAD_MESSAGE.findNode,
  PING: KAD_MESSAGE.ping
}

/** The numbers that kad-dht gives its events. */
const EVENT = { sendQuery: 0, peerResponse: 1, queryError: 3, dialPeer: 7 } as const

type Send = (
  to: PeerId,
  message: StockMessage,
  options?: { readonly signal?: AbortSignal; readonly path?: object }
) => AsyncIterable<QueryEvent>

/** How kad-dht talks to one peer. */
export interface KadNetwork {
  /** Sends a message that is not answered; yields `PEER_RESPONSE` once it was taken. */
  sendMessage: Send
  /** Sends a request; yields `PEER_RESPONSE` with the answer. */
  sendRequest: Send
}

/**
 * What kad-dht sends with, over our streams: for its own lookup of itself, its refresh, and looking for one peer. The peers
 * named in an answer are remembered for the lookup that goes on, and nobody dials and pings all of them.
 */
export function pooledNetwork(transport: QueryTransport, book: PeerBook): KadNetwork {
  const send = (isAnswered: boolean): Send =>
    async function* (to, message, { signal = NEVER, path } = {}) {
      const type = message.type
      yield { name: 'DIAL_PEER', type: EVENT.dialPeer, peer: to, path } as unknown as QueryEvent
      yield {
        name: 'SEND_QUERY',
        type: EVENT.sendQuery,
        to,
        messageName: type,
        messageType: type,
        path
      } as unknown as QueryEvent
      try {
        const peer = book.of(to.toMultihash().bytes)
        const wire = { ...message, type: TYPES[type] }
        if (isAnswered) {
          const answer = await transport.request(peer, wire, signal)
          yield response(to, { type, path, ...readAnswer(answer, book) })
        } else {
          await transport.tell(peer, [wire], signal)
          yield response(to, { type, path, closer: [], providers: [], record: undefined })
        }
      } catch (error) {
        yield { name: 'QUERY_ERROR', type: EVENT.queryError, from: to, error, path } as unknown as QueryEvent
      }
    }
  return { sendRequest: send(true), sendMessage: send(false) }
}

const NEVER: AbortSignal = new AbortController().signal

interface StockAnswer {
  readonly closer: readonly PeerInfo[]
  readonly providers: readonly PeerInfo[]
  readonly record: Libp2pRecord | undefined
}

function response(
  from: PeerId,
  { type, ...answer }: StockAnswer & { readonly type: StockType; readonly path: object | undefined }
): QueryEvent {
  const event = {
    name: 'PEER_RESPONSE',
    type: EVENT.peerResponse,
    from,
    messageName: type,
    messageType: type,
    ...answer
  }
  return event as unknown as QueryEvent
}

function readAnswer({ closer = [], providers = [], record }: KadMessage, book: PeerBook): StockAnswer {
  return {
    closer: closer.flatMap((peer) => infoOf(peer, book)),
    providers: providers.flatMap((peer) => infoOf(peer, book)),
    record: record === undefined ? undefined : Libp2pRecord.deserialize(record)
  }
}

function infoOf(wire: WirePeer, book: PeerBook): PeerInfo[] {
  try {
    const { libp2pId } = book.named(wire)
    return libp2pId === undefined
      ? []
      : [{ id: libp2pId, multiaddrs: wire.multiaddrs.map((bytes) => multiaddr(bytes)) }]
  } catch {
    return []
  }
}
