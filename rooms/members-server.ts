import { MEMBERS_PROTOCOL, MEMBERS_REQUEST_BYTES_MAX } from './constants.ts'
import { RoomError } from './errors.ts'
import {
  decodeMembersRequest,
  encodeMembersAnswer,
  type MembersAnswer,
  type MembersRequest
} from './members-exchange.ts'
import type { RoomTransport } from './transport.ts'

/** Answers one request in one room. */
export type MembersHandler = (peerId: string, request: MembersRequest) => MembersAnswer

/** Serves the members protocol once for all rooms of a node. */
export interface MembersServer extends AsyncDisposable {
  /** Answers requests about `topic` with `handler` until disposed. */
  register(topic: string, handler: MembersHandler): Disposable
}

/** Starts answering; a request about a topic that nobody registered is refused. */
export async function startMembersServer(transport: Pick<RoomTransport, 'serve'>): Promise<MembersServer> {
  const handlers = new Map<string, MembersHandler>()
  const serving = await transport.serve(
    MEMBERS_PROTOCOL,
    ({ peerId, bytes }) => {
      const request = decodeMembersRequest(bytes)
      const handler = handlers.get(request.topic)
      if (handler === undefined) {
        throw new RoomError('ERR_MESSAGE_ROOM', 'expected a room this node is in')
      }
      return encodeMembersAnswer(handler(peerId, request))
    },
    { requestBytesMax: MEMBERS_REQUEST_BYTES_MAX }
  )
  return {
    register: (topic, handler) => {
      handlers.set(topic, handler)
      return { [Symbol.dispose]: () => handlers.delete(topic) }
    },
    [Symbol.asyncDispose]: () => serving[Symbol.asyncDispose]()
  }
}
