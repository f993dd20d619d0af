import { RPC } from '@libp2p/gossipsub/message'
import { varint } from 'multiformats'
import type { Clock, Random } from '#contracts'
import { FORWARD_AUTHORS_HOLD_MS_MAX, FORWARD_HOLD_MS_MAX } from '../constants.ts'
import type { GossipInternals } from './internals.ts'
import { createOutbox } from './outbox.ts'
import type { Outbox, OutboxComponents } from './outbox.ts'

/** What forwarding is made with. */
export interface ForwardComponents {
  readonly clock: Pick<Clock, 'after'>
  readonly random: Pick<Random, 'unit'>
}

/**
 * Forwards messages in place of gossipsub: encoded once for all peers, and held for a moment. What we publish ourselves is
 * sent by gossipsub at once, and to every subscriber we are connected to: what comes from its author itself most neighbours have
 * too, so it is held for longer, until the first of them that forward it have told who has it.
 */
export function forwardLater(gossip: GossipInternals, components: ForwardComponents): Pick<Outbox, 'drop'> {
  const shared: Omit<OutboxComponents, 'holdMsMax'> = {
    ...components,
    isUnwanted: (peerId, id) => gossip.idontwants.get(peerId)?.has(id) === true,
    send: (peerId, frames) => {
      try {
        gossip.streamsOutbound.get(peerId)?.pushPrefixed(frames)
      } catch (thrown) {
        // the stream ended meanwhile
        gossip.log(thrown)
      }
    }
  }
  const soon = createOutbox({ ...shared, holdMsMax: FORWARD_HOLD_MS_MAX })
  const later = createOutbox({ ...shared, holdMsMax: FORWARD_AUTHORS_HOLD_MS_MAX })
  gossip.forwardMessage = (id, message, ...from) => {
    const [source] = from
    if (source !== undefined) gossip.score.deliverMessage(source, id, message.topic)
    const to = gossip.selectPeersToForward(message.topic, ...from)
    const outbox = isAuthor(gossip, source, message) ? later : soon
    outbox.add({ id, frame: framed(RPC.encode({ subscriptions: [], messages: [message] })), to })
  }
  return {
    drop: (peerId, id) => {
      soon.drop(peerId, id)
      later.drop(peerId, id)
    }
  }
}

/** Whether a message came from who wrote it. */
function isAuthor(gossip: GossipInternals, source: string | undefined, message: RPC.Message): boolean {
  const peer = source === undefined ? undefined : gossip.peers.get(source)
  return (
    peer !== undefined &&
    message.from !== undefined &&
    Buffer.compare(peer.toMultihash().bytes, message.from) === 0
  )
}

function framed(bytes: Uint8Array): Uint8Array {
  const length = varint.encodingLength(bytes.length)
  const frame = Buffer.allocUnsafe(length + bytes.length)
  varint.encodeTo(bytes.length, frame)
  frame.set(bytes, length)
  return frame
}
