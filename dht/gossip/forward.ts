import { RPC } from '@libp2p/gossipsub/message'
import { varint } from 'multiformats'
import type { Clock, Random } from '#contracts'
import type { GossipInternals } from './internals.ts'
import { createOutbox } from './outbox.ts'
import type { Outbox } from './outbox.ts'

/** What forwarding is made with. */
export interface ForwardComponents {
  readonly clock: Pick<Clock, 'after'>
  readonly random: Pick<Random, 'unit'>
}

/**
 * Forwards messages in place of gossipsub: encoded once for all peers, and held for a moment. What we publish ourselves is
 * sent by gossipsub at once.
 */
export function forwardLater(gossip: GossipInternals, components: ForwardComponents): Outbox {
  const outbox = createOutbox({
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
  })
  gossip.forwardMessage = (id, message, ...from) => {
    const [source] = from
    if (source !== undefined) gossip.score.deliverMessage(source, id, message.topic)
    const to = gossip.selectPeersToForward(message.topic, ...from)
    outbox.add({ id, frame: framed(RPC.encode({ subscriptions: [], messages: [message] })), to })
  }
  return outbox
}

function framed(bytes: Uint8Array): Uint8Array {
  const length = varint.encodingLength(bytes.length)
  const frame = Buffer.allocUnsafe(length + bytes.length)
  varint.encodeTo(bytes.length, frame)
  frame.set(bytes, length)
  return frame
}
