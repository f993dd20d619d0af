/** The kinds of messages of the Kademlia DHT of libp2p, by their numbers on the wire. */
export const KAD_MESSAGE = {
  putValue: 0,
  getValue: 1,
  addProvider: 2,
  getProviders: 3,
  findNode: 4,
  ping: 5
} as const

/** A number of {@link KAD_MESSAGE}. */
export type KadMessageType = (typeof KAD_MESSAGE)[keyof typeof KAD_MESSAGE]

/** A peer as a message names it. */
export interface WirePeer {
  /** The multihash of its PeerId. */
  readonly id: Uint8Array
  /** Binary multiaddrs. */
  readonly multiaddrs: readonly Uint8Array[]
  /** What `encodePeer` made of it, for who names the same peer again and again. */
  readonly encoded?: Uint8Array
  /** What it was read from: a view of a message. */
  readonly read?: Uint8Array
}

/** A message of the Kademlia DHT of libp2p. */
export interface KadMessage {
  readonly type: KadMessageType
  readonly key?: Uint8Array | undefined
  /** A serialized libp2p record. */
  readonly record?: Uint8Array | undefined
  /** Peers nearer to the key. */
  readonly closer?: readonly WirePeer[]
  readonly providers?: readonly WirePeer[]
}
