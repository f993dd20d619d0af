import { RoomError } from '../errors.ts'
import type { RoomTransport } from '../transport.ts'
import { MODERATION_EXCHANGE, MODERATION_REQUEST_BYTES_MAX } from './constants.ts'
import { decodeModerationRequest, encodeModerationAnswer, type ModerationRequest } from './exchange.ts'

/** Answers one request in one room with lists. */
export type ModerationHandler = (peerId: string, request: ModerationRequest) => readonly Uint8Array[]

/** Serves the moderation exchange once for all rooms of a node. */
export interface ModerationServer extends AsyncDisposable {
  /** Answers requests about `topic` with `handler` until disposed. */
  register(topic: string, handler: ModerationHandler): Disposable
}

/** Starts answering; a request about a topic that nobody registered is refused. */
export async function startModerationServer(
  transport: Pick<RoomTransport, 'serve'>
): Promise<ModerationServer> {
  const handlers = new Map<string, ModerationHandler>()
  const serving = await transport.serve(
    MODERATION_EXCHANGE,
    ({ peerId, bytes }) => {
      const request = decodeModerationRequest(bytes)
      const handler = handlers.get(request.topic)
      if (handler === undefined) throw new RoomError('ERR_MESSAGE_ROOM', 'expected a room this node is in')
      return encodeModerationAnswer(handler(peerId, request))
    },
    { requestBytesMax: MODERATION_REQUEST_BYTES_MAX }
  )
  return {
    register: (topic, handler) => {
      handlers.set(topic, handler)
      return { [Symbol.dispose]: () => handlers.delete(topic) }
    },
    [Symbol.asyncDispose]: () => serving[Symbol.asyncDispose]()
  }
}
