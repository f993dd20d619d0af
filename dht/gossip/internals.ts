import type { PeerId, Stream } from '@libp2p/interface'
import type { Message, TopicValidatorFn } from '@libp2p/gossipsub'
import type { RPC } from '@libp2p/gossipsub/message'
import type { Scores } from './rest-scores.ts'

/** What gossipsub makes of a message that came, by its own words in `code`. */
export interface Validation {
  readonly code: string
  readonly reason?: string
  readonly error?: string
  readonly msgIdStr?: string
  readonly messageId?: { readonly msgId: Uint8Array; readonly msgIdStr: string }
  readonly msg?: Message
}

/** Who handed us a message, and who else has it. */
export type ForwardedFrom = readonly [source?: string, except?: Set<string>]

/**
 * What gossipsub has beyond its declared interface and that is called or replaced here; held by the tests of mixed
 * meshes. Peers are the text of their PeerIds, messages that of their ids.
 */
export interface GossipInternals {
  readonly peers: ReadonlyMap<string, PeerId>
  readonly streamsInbound: Map<string, { readonly rawStream: Stream; close(): Promise<void> }>
  readonly streamsOutbound: ReadonlyMap<string, { pushPrefixed(bytes: Uint8Array): void }>
  readonly idontwants: ReadonlyMap<string, ReadonlyMap<string, number>>
  readonly allowedTopics: Pick<ReadonlySet<string>, 'has'>
  readonly topicValidators: ReadonlyMap<string, TopicValidatorFn>
  readonly seenCache: { has(id: string): boolean; put(id: string): void }
  readonly subscriptions: ReadonlySet<string>
  readonly fanout: ReadonlyMap<string, unknown>
  heartbeatTicks: number
  heartbeat(): Promise<void>
  dispatchEvent(event: Event): boolean
  readonly score: Scores & { deliverMessage(from: string, id: string, topic: string): void }
  readonly gossipTracer: { deliverMessage(id: string, isDuplicate?: boolean): void }
  readonly opts: { readonly idontwantMinDataSize: number }
  readonly log: (thrown: unknown) => void
  isStarted(): boolean
  acceptFrom(peerId: string): boolean
  decodeRpc(bytes: Uint8Array): RPC
  handleReceivedRpc(from: PeerId, rpc: RPC): Promise<void>
  handleReceivedMessage(from: PeerId, message: RPC.Message): Promise<void>
  handlePeerReadStreamError(error: Error, from: PeerId): void
  selectPeersToForward(topic: string, ...from: ForwardedFrom): Set<string>
  sendIDontWants(id: Uint8Array, topic: string, source: string): void
  validateReceivedMessage(from: PeerId, message: RPC.Message): Promise<Validation>
  createInboundStream(from: PeerId, stream: Stream): void
  /** Has a peer told, at the end of a heartbeat, that we have these messages. */
  pushGossip(
    peerId: string,
    having: { readonly topicID: string; readonly messageIDs: readonly Uint8Array[] }
  ): void
  /** A peer tells which messages it has; gives what to ask it for. */
  handleIHave(
    peerId: string,
    having: readonly { readonly messageIDs?: readonly Uint8Array[] }[]
  ): RPC.ControlIWant[]
  /** Sends to a peer; false when there is no stream to it. */
  sendRpc(peerId: string, rpc: Pick<RPC, 'messages'>): boolean
  addEventListener(type: 'gossipsub:heartbeat', listener: () => void): void
  forwardMessage(id: string, message: RPC.Message, ...from: ForwardedFrom): void
}
