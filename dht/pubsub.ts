import { gossipsub, TopicValidatorResult } from '@libp2p/gossipsub'
import type { GossipSub, GossipSubComponents, GossipsubOpts, SubscriptionChangeData } from '@libp2p/gossipsub'
import { createPeerScoreParams } from '@libp2p/gossipsub/score'
import { errorMessage } from '#contracts'
import type { Clock, Logger } from '#contracts'
import {
  IDONTWANT_BYTES_MIN,
  PEERS_PER_ADDRESS_MAX,
  PUBLISH_RETRY_INTERVAL_MS,
  PUBLISH_TIMEOUT_MS,
  RPC_BYTES_MAX,
  RPC_ENTRIES_MAX,
  TOPIC_BYTES_PER_PEER_MAX,
  TOPIC_CHARACTERS_MAX,
  TOPIC_MESSAGE_BYTES_MAX,
  TOPIC_PREFIX,
  TOPICS_MAX
} from './constants.ts'
import { startDeadline } from './deadline.ts'
import { DhtError } from './errors.ts'
import { messageIdText } from './gossip/authors.ts'
import { forwardLater } from './gossip/forward.ts'
import type { ForwardComponents } from './gossip/forward.ts'
import { takeIn } from './gossip/intake.ts'
import type { GossipInternals } from './gossip/internals.ts'
import { restBeats } from './gossip/rest-beats.ts'
import { restScores } from './gossip/rest-scores.ts'
import { tellOnce } from './gossip/tell-once.ts'
import { keepGossipStreams } from './gossip-streams.ts'
import type { GossipStreamComponents } from './gossip-streams.ts'
import { catchUpMeshPeers } from './mesh-catch-up.ts'

/** One message of a topic as its handler sees it. */
export interface TopicMessage {
  /** The peer that handed it to us, which need not be its author. */
  readonly from: string
  readonly bytes: Uint8Array
}

/** What becomes of a message: only `accept` forwards it, `reject` counts against the peer it came from. */
export type TopicVerdict = 'accept' | 'ignore' | 'reject'

/** Judges and takes one message; called once for each, before it is forwarded. */
export type TopicHandler = (message: TopicMessage) => TopicVerdict

/** Bounds of {@link Pubsub.publishUntilHeard}. */
export interface PublishOptions {
  readonly signal?: AbortSignal
}

/** Publish and subscribe: gossipsub v1.1 with our bounds. Topics begin with `/elastos/`. */
export interface Pubsub {
  /**
   * Subscribes to a topic until the result is disposed; one handler a topic. Own messages do not come back.
   *
   * @throws {@link DhtError} `ERR_TOPIC_INVALID`
   */
  subscribe(topic: string, handler: TopicHandler): Disposable
  /**
   * Publishes once and resolves with the number of peers it was handed to; 0 means that nobody was there and that the
   * same bytes may be published again.
   *
   * @throws {@link DhtError} `ERR_TOPIC_INVALID`, `ERR_MESSAGE_TOO_LARGE`
   */
  publish(topic: string, bytes: Uint8Array): Promise<{ readonly recipients: number }>
  /**
   * Publishes again and again until at least one peer took it.
   *
   * @throws {@link DhtError} as `publish`, and `ERR_NO_RECIPIENTS` when nobody came in time
   */
  publishUntilHeard(
    topic: string,
    bytes: Uint8Array,
    options?: PublishOptions
  ): Promise<{ readonly recipients: number }>
  /** The connected peers known to be subscribed to a topic. */
  peersOf(topic: string): string[]
  /** Calls `handler` when a connected peer subscribes to the topic, until disposed. */
  onPeerJoin(topic: string, handler: (peerId: string) => void): Disposable
}

const VERDICTS: Record<TopicVerdict, TopicValidatorResult> = {
  accept: TopicValidatorResult.Accept,
  ignore: TopicValidatorResult.Ignore,
  reject: TopicValidatorResult.Reject
}

/** Our options of gossipsub. */
export function gossipOptions(): Partial<GossipsubOpts> {
  return {
    // a lone member is no error: publish says how many took it
    allowPublishToZeroTopicPeers: true,
    runOnLimitedConnection: true,
    msgIdToStrFn: messageIdText,
    idontwantMinDataSize: IDONTWANT_BYTES_MIN,
    maxInboundDataLength: RPC_BYTES_MAX,
    maxOutboundBufferSize: RPC_BYTES_MAX * 4,
    maxTopicBytesPerPeer: TOPIC_BYTES_PER_PEER_MAX,
    decodeRpcLimits: {
      maxSubscriptions: RPC_ENTRIES_MAX,
      maxMessages: RPC_ENTRIES_MAX,
      maxIhaveMessageIDs: RPC_ENTRIES_MAX,
      maxIwantMessageIDs: RPC_ENTRIES_MAX,
      maxIdontwantMessageIDs: RPC_ENTRIES_MAX,
      maxControlMessages: RPC_ENTRIES_MAX,
      maxPeerInfos: 16
    },
    // a household, an office or a carrier's NAT is one address: the default of 10 peers silences everybody behind it
    scoreParams: createPeerScoreParams({ IPColocationFactorThreshold: PEERS_PER_ADDRESS_MAX })
  }
}

/** Whether a topic is one of ours to track and forward. */
export function isTopicAllowed(topic: string): boolean {
  return topic.startsWith(TOPIC_PREFIX) && topic.length <= TOPIC_CHARACTERS_MAX
}

/** A service factory for libp2p: gossipsub that ignores topics that are not ours, and reads and forwards as we do. */
export function createPubsubService(
  init: ForwardComponents & { readonly clock: Pick<Clock, 'nowMs'> }
): (components: GossipSubComponents & GossipStreamComponents) => GossipSub {
  return (components) => {
    const service = gossipsub({ ...gossipOptions(), allowedTopics: [] })(components)
    // gossipsub copies its list of allowed topics, and rooms make topics up as they go: match by prefix instead
    Object.assign(service, { allowedTopics: new PrefixedTopics() })
    const internals = service as unknown as GossipInternals
    const outbox = forwardLater(internals, init)
    const told = tellOnce(internals)
    takeIn(internals, (from, id) => {
      outbox.drop(from, id)
      told.note(from, id)
    })
    restScores(internals, init.clock)
    restBeats(internals)
    catchUpMeshPeers(service)
    keepGossipStreams(service, components)
    return service
  }
}

class PrefixedTopics extends Set<string> {
  override has(topic: string): boolean {
    return isTopicAllowed(topic)
  }
}

/** What a pubsub is made of. */
export interface PubsubComponents {
  readonly gossip: GossipSub
  /** Aborts when the host is disposed. */
  readonly closing: AbortSignal
  readonly clock: Clock
  readonly logger: Logger
}

/** The narrow pubsub over a running gossipsub. */
export function createPubsub({ gossip, clock, logger, closing }: PubsubComponents): Pubsub {
  const publish = async (topic: string, bytes: Uint8Array): Promise<{ recipients: number }> => {
    closing.throwIfAborted()
    checkMessage(topic, bytes)
    const { recipients } = await gossip.publish(topic, bytes)
    return { recipients: recipients.length }
  }
  return {
    publish,
    subscribe: (topic, handler) => subscribe(gossip, logger, { topic, handler }),
    publishUntilHeard: async (topic, bytes, options = {}) => {
      const { signal = closing } = options
      checkMessage(topic, bytes)
      using limit = startDeadline(clock, PUBLISH_TIMEOUT_MS, AbortSignal.any([signal, closing]))
      for (;;) {
        // a message that nobody took is kept for who comes: each try would be one more for them
        if (hasListener(gossip, topic)) {
          const result = await publish(topic, bytes)
          if (result.recipients > 0) return result
        }
        await clock.sleep(PUBLISH_RETRY_INTERVAL_MS, limit.signal).catch((cause: unknown) => {
          signal.throwIfAborted()
          closing.throwIfAborted()
          if (!limit.expired()) throw cause
          throw new DhtError('ERR_NO_RECIPIENTS', `nobody was there to receive a message on ${topic}`, {
            cause
          })
        })
      }
    },
    peersOf: (topic) => gossip.getSubscribers(topic).map(String),
    onPeerJoin: (topic, handler) => onPeerJoin(gossip, topic, handler)
  }
}

function checkMessage(topic: string, bytes: Uint8Array): void {
  checkTopic(topic)
  if (bytes.length > TOPIC_MESSAGE_BYTES_MAX) {
    const message = `expected a message of at most ${String(TOPIC_MESSAGE_BYTES_MAX)} bytes, got ${String(bytes.length)}`
    throw new DhtError('ERR_MESSAGE_TOO_LARGE', message)
  }
}

/** Whether there is a stream to a peer that is subscribed. */
function hasListener(gossip: GossipSub, topic: string): boolean {
  const { streamsOutbound } = gossip as unknown as GossipInternals
  return gossip.getSubscribers(topic).some((peer) => streamsOutbound.has(peer.toString()))
}

function checkTopic(topic: string): void {
  if (isTopicAllowed(topic)) return
  const expected = `a topic of at most ${String(TOPIC_CHARACTERS_MAX)} characters that begins with ${TOPIC_PREFIX}`
  throw new DhtError('ERR_TOPIC_INVALID', `expected ${expected}, got ${JSON.stringify(topic.slice(0, 80))}`)
}

function subscribe(
  gossip: GossipSub,
  logger: Logger,
  { topic, handler }: { topic: string; handler: TopicHandler }
): Disposable {
  checkTopic(topic)
  if (gossip.topicValidators.has(topic)) {
    throw new DhtError('ERR_TOPIC_INVALID', `expected one subscription a topic, got a second to ${topic}`)
  }
  if (gossip.topicValidators.size >= TOPICS_MAX) {
    throw new DhtError('ERR_TOPIC_INVALID', `expected at most ${String(TOPICS_MAX)} topics`)
  }
  // the validator runs once for each new message and before it is forwarded, which is just what a handler needs
  gossip.topicValidators.set(topic, (peer, message) => {
    try {
      return VERDICTS[handler({ from: peer.toString(), bytes: message.data })]
    } catch (error) {
      logger.error('topic handler failed', { topic, error: errorMessage(error) })
      return TopicValidatorResult.Ignore
    }
  })
  gossip.subscribe(topic)
  return {
    [Symbol.dispose]: () => {
      if (!gossip.topicValidators.delete(topic)) return
      // a stopped gossipsub has left all topics already and refuses to be told again
      if (gossip.getTopics().includes(topic)) gossip.unsubscribe(topic)
    }
  }
}

function onPeerJoin(gossip: GossipSub, topic: string, handler: (peerId: string) => void): Disposable {
  const listener = (event: CustomEvent<SubscriptionChangeData>): void => {
    const { peerId, subscriptions } = event.detail
    if (subscriptions.some((change) => change.topic === topic && change.subscribe)) handler(peerId.toString())
  }
  gossip.addEventListener('subscription-change', listener)
  return {
    [Symbol.dispose]: () => {
      gossip.removeEventListener('subscription-change', listener)
    }
  }
}
