import { hasOwnKey, messageIdOf, messageIdText } from './authors.ts'
import type { GossipInternals } from './internals.ts'

/** After so many heartbeats nothing is told of a message any more: gossip is about those of the last few. */
const KEPT_BEATS = 8
/** Messages noted of one peer in that time; of more it is told again. */
const NOTED_MAX = 4_096

/** Which peers know of which messages. */
export interface Told {
  /** Notes that a peer has a message. */
  note(peerId: string, id: string): void
}

/** What gossip streams are known by. */
type StreamKey = object

/**
 * Tells each peer once that we have a message, and not at all when it came from there, was sent there, or is there by the
 * peer's own word. Gossipsub tells of every message at
 * three heartbeats in a row, to peers by lot among those that are not in its mesh: in a small room those are the same, to whom
 * more was said of messages than messages were sent. A stream that breaks begins anew with nothing told.
 */
export function tellOnce(gossip: GossipInternals): Told {
  // by stream, so that what went under with one counts no more
  let recent = new WeakMap<StreamKey, Set<string>>()
  let before: typeof recent = new WeakMap()
  let beats = 0
  gossip.addEventListener('gossipsub:heartbeat', () => {
    if (++beats % KEPT_BEATS !== 0) return
    before = recent
    recent = new WeakMap()
  })
  const isTold = (stream: StreamKey, id: string): boolean =>
    recent.get(stream)?.has(id) === true || before.get(stream)?.has(id) === true
  const note = (peerId: string, id: string): void => {
    const stream = gossip.streamsOutbound.get(peerId)
    if (stream === undefined) return
    const ids = recent.get(stream) ?? new Set()
    if (ids.size < NOTED_MAX) recent.set(stream, ids.add(id))
  }
  const push = gossip.pushGossip.bind(gossip)
  gossip.pushGossip = (peerId, { topicID, messageIDs }) => {
    const stream = gossip.streamsOutbound.get(peerId)
    if (stream === undefined) return
    const news = messageIDs.filter((id) => !isTold(stream, messageIdText(id)))
    if (news.length === 0) return
    for (const id of news) note(peerId, messageIdText(id))
    push(peerId, { topicID, messageIDs: news })
  }
  // who says that it has a message need not be told the same, and who was sent it has it
  const hear = gossip.handleIHave.bind(gossip)
  gossip.handleIHave = (peerId, having) => {
    for (const { messageIDs = [] } of having) {
      for (const id of messageIDs.map(messageIdText)) if (gossip.seenCache.has(id)) note(peerId, id)
    }
    return hear(peerId, having)
  }
  const send = gossip.sendRpc.bind(gossip)
  gossip.sendRpc = (peerId, rpc) => {
    const isSent = send(peerId, rpc)
    for (const { from, seqno } of isSent ? rpc.messages : []) {
      if (from !== undefined && seqno !== undefined && hasOwnKey(from))
        note(peerId, messageIdText(messageIdOf(from, seqno)))
    }
    return isSent
  }
  const forward = gossip.forwardMessage.bind(gossip)
  gossip.forwardMessage = (id, message, ...from) => {
    const [source] = from
    if (source !== undefined) note(source, id)
    forward(id, message, ...from)
  }
  return { note }
}
