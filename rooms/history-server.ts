import { HISTORY_PROTOCOL, HISTORY_REQUEST_BYTES_MAX } from './constants.ts'
import { RoomError } from './errors.ts'
import {
  decodeHistoryRequest,
  encodeHistoryAnswer,
  type HistoryAnswer,
  type HistoryRequest
} from './history-exchange.ts'
import type { RoomTransport } from './transport.ts'

/** Answers one request in one room. */
export type HistoryHandler = (peerId: string, request: HistoryRequest) => Promise<HistoryAnswer>

/** Serves the history protocol once for all rooms of a node. */
export interface HistoryServer extends AsyncDisposable {
  /** Answers requests about `topic` with `handler` until disposed. */
  register(topic: string, handler: HistoryHandler): Disposable
}

/** Starts answering; a request about a topic that nobody registered is refused. */
export async function startHistoryServer(transport: Pick<RoomTransport, 'serve'>): Promise<HistoryServer> {
  const handlers = new Map<string, HistoryHandler>()
  const serving = await transport.serve(
    HISTORY_PROTOCOL,
    async ({ peerId, bytes }) => {
      const request = decodeHistoryRequest(bytes)
      const handler = handlers.get(request.topic)
      if (handler === undefined) throw new RoomError('ERR_MESSAGE_ROOM', 'expected a room this node is in')
      return encodeHistoryAnswer(await handler(peerId, request))
    },
    { requestBytesMax: HISTORY_REQUEST_BYTES_MAX }
  )
  return {
    register: (topic, handler) => {
      handlers.set(topic, handler)
      return { [Symbol.dispose]: () => handlers.delete(topic) }
    },
    [Symbol.asyncDispose]: () => serving[Symbol.asyncDispose]()
  }
}
