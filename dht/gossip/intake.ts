import type { PeerId, Stream } from '@libp2p/interface'
import { TopicValidatorResult } from '@libp2p/gossipsub'
import type { Message } from '@libp2p/gossipsub'
import { RPC } from '@libp2p/gossipsub/message'
import {
  MessageStatus,
  RejectReason,
  rejectReasonFromAcceptance,
  ValidateError
} from '@libp2p/gossipsub/types'
import { RPC_BYTES_MAX, RPC_ENTRIES_MAX } from '../constants.ts'
import { DhtError } from '../errors.ts'
import { createFrameReader } from '../query/frames.ts'
import { createAuthors, hasOwnKey, messageIdOf, messageIdText } from './authors.ts'
import { FieldCursor } from './fields.ts'
import type { GossipInternals, Validation } from './internals.ts'

/** Tags of the protobufs of gossipsub: of the messages in an RPC, and of what tells them apart. */
const TAG = { message: 0x12, from: 0x0a, seqno: 0x1a } as const

/** Told of a message that a peer sent and that we have. */
export type OnDuplicate = (from: string, id: string) => void

/**
 * Reads what peers send in place of gossipsub. Of what comes, most are copies of messages that are known: they are told by
 * author and number, before anything is decoded, and no signature is checked for them. That is safe since only messages
 * whose signature was good are known, and since nobody is credited with a copy, of which the bytes may be missing.
 */
export function takeIn(gossip: GossipInternals, onDuplicate: OnDuplicate): void {
  const receive = (from: PeerId, bytes: Uint8Array): void => {
    const peerId = from.toString()
    if (!gossip.acceptFrom(peerId)) return
    const { messages, rest } = split(bytes)
    for (const message of messages) {
      const known = knownMessage(gossip, message)
      if (known === undefined) takeMessage(gossip, from, message)
      else {
        gossip.gossipTracer.deliverMessage(known, true)
        onDuplicate(peerId, known)
      }
    }
    if (rest.length === 0) return
    gossip.handleReceivedRpc(from, gossip.decodeRpc(Buffer.concat(rest))).catch(gossip.log)
  }
  gossip.createInboundStream = (from, stream) => {
    const peerId = from.toString()
    if (!gossip.isStarted() || !gossip.peers.has(peerId)) return
    void gossip.streamsInbound.get(peerId)?.close()
    gossip.streamsInbound.set(peerId, { rawStream: stream, close: async () => await close(stream) })
    readFrames(stream, {
      onFrame: (bytes) => receive(from, bytes),
      onBadFrame: gossip.log,
      onLost: (error) => gossip.handlePeerReadStreamError(error, from)
    })
  }
  validateFast(gossip)
}

interface Reading {
  readonly onFrame: (bytes: Uint8Array) => void
  readonly onBadFrame: (thrown: unknown) => void
  /** The stream did not end in order. */
  readonly onLost: (error: Error) => void
}

function readFrames(stream: Stream, { onFrame, onBadFrame, onLost }: Reading): void {
  const frames = createFrameReader(RPC_BYTES_MAX)
  stream.addEventListener('message', ({ data }) => {
    try {
      for (const frame of frames.push(data)) {
        try {
          onFrame(frame)
        } catch (thrown) {
          onBadFrame(thrown)
        }
      }
    } catch (thrown) {
      stream.abort(thrown instanceof Error ? thrown : new Error('frame refused'))
    }
  })
  stream.addEventListener('close', ({ error }) => {
    if (error !== undefined) onLost(error)
  })
}

async function close(stream: Stream): Promise<void> {
  try {
    await stream.close()
  } catch (error) {
    stream.abort(error instanceof Error ? error : new Error('stream of gossip given up'))
  }
}

/** The messages of an RPC, not decoded, and the fields with everything else. @throws when there are too many */
function split(bytes: Uint8Array): { messages: Uint8Array[]; rest: Uint8Array[] } {
  const messages: Uint8Array[] = []
  const rest: Uint8Array[] = []
  const field = new FieldCursor(bytes)
  while (field.next()) {
    if (field.tag === TAG.message) messages.push(field.value())
    else rest.push(field.whole())
  }
  if (messages.length > RPC_ENTRIES_MAX) {
    const message = `expected at most ${RPC_ENTRIES_MAX} messages in one, got ${messages.length}`
    throw new DhtError('ERR_MESSAGE_TOO_LARGE', message)
  }
  return { messages, rest }
}

/** The id of a message that we have; `undefined` when it is another one. */
function knownMessage(gossip: GossipInternals, message: Uint8Array): string | undefined {
  let from: Uint8Array | undefined
  let seqno: Uint8Array | undefined
  // of a field that comes twice the last one counts, as in protobuf
  for (const field = new FieldCursor(message); field.next();) {
    if (field.tag === TAG.from) from = field.value()
    else if (field.tag === TAG.seqno) seqno = field.value()
  }
  if (from === undefined || seqno === undefined || !hasOwnKey(from)) return undefined
  const id = messageIdText(messageIdOf(from, seqno))
  return gossip.seenCache.has(id) ? id : undefined
}

function takeMessage(gossip: GossipInternals, from: PeerId, bytes: Uint8Array): void {
  // a copy, for what is kept would keep the larger buffer that it is a view of
  const message = RPC.Message.decode(Uint8Array.from(bytes))
  if (!gossip.allowedTopics.has(message.topic)) return
  gossip.handleReceivedMessage(from, message).catch(gossip.log)
}

/** Puts a check of signatures with keys that are ready in place of that of gossipsub, which makes one for each message. */
function validateFast(gossip: GossipInternals): void {
  const authors = createAuthors()
  const validateOther = gossip.validateReceivedMessage.bind(gossip)
  gossip.validateReceivedMessage = async (from, message) => {
    const checked = authors.check(message)
    if (checked === undefined) return await validateOther(from, message)
    if (checked === 'forged') {
      return {
        code: MessageStatus.invalid,
        reason: RejectReason.Error,
        error: ValidateError.InvalidSignature
      }
    }
    const { messageId, msg } = checked
    const { msgId, msgIdStr } = messageId
    if (gossip.seenCache.has(msgIdStr)) return { code: MessageStatus.duplicate, msgIdStr }
    gossip.seenCache.put(msgIdStr)
    if ((message.data?.length ?? 0) >= gossip.opts.idontwantMinDataSize) {
      gossip.sendIDontWants(msgId, message.topic, from.toString())
    }
    const refusal = await refusalOf(gossip, from, msg)
    if (refusal !== undefined) return { code: MessageStatus.invalid, reason: refusal, msgIdStr }
    return { code: MessageStatus.valid, messageId, msg }
  }
}

/** Why whoever takes the messages of a topic does not accept one; `undefined` when it does. */
async function refusalOf(
  { topicValidators }: GossipInternals,
  from: PeerId,
  message: Message
): Promise<Validation['reason']> {
  const validate = topicValidators.get(message.topic)
  if (validate === undefined) return undefined
  const judging = validate(from, message)
  const verdict = typeof judging === 'string' ? judging : await judging
  return verdict === TopicValidatorResult.Accept ? undefined : rejectReasonFromAcceptance(verdict)
}
