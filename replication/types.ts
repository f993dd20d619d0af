import type { Clock, Logger, Random } from '#contracts'
import type { Did, Signer } from '#did'

/** A root that is kept: the text of its CID (version 1, base32). */
export type Root = string

/**
 * Those who agreed to keep for each other: the did of a publisher (whoever follows it), the id of a group (its
 * members), or {@link ANYONE} (volunteers, who keep for whoever asks).
 */
export type PoolId = string

/** The pool of volunteers. */
export const ANYONE: PoolId = '*'

/** What a device says it will keep, verified: a signed record with an end. */
export interface Offer {
  /** The device that signed; its PeerId follows from it. */
  readonly holder: Did
  /** Whose device it is, by a certificate inside the record. */
  readonly person: Did
  readonly pool: PoolId
  /** Bytes it gives in all; the weight of its share. */
  readonly spaceBytes: number
  /** Bytes of these that were free when it signed. */
  readonly freeBytes: number
  /** What fails together with it, as far as it says: a machine or a household. */
  readonly host: string
  /** What is cut off together with it: a network, `''` when it does not say. */
  readonly network: string
  readonly issuedAtMs: number
  readonly expiresAtMs: number
}

/** What a publisher wants kept, verified: signed by a device of theirs, so that holders can act on it without them. */
export interface Goal {
  readonly root: Root
  /** The device that signed. Its own copy never counts. */
  readonly owner: Did
  /** Whose device it is. */
  readonly person: Did
  /** Whose offers are asked. */
  readonly pools: readonly PoolId[]
  /** How many copies on other devices; 0 withdraws the goal. */
  readonly copies: number
  /** Bytes of the blocks. */
  readonly bytes: number
  /** True: anyone may be served it. */
  readonly isPublic: boolean
  /** Devices that may be served it although it is not public, beside those that hold it. */
  readonly readers: readonly Did[]
  /** Of two goals of a person for a root the later holds. */
  readonly issuedAtMs: number
}

/** A device's word that it holds roots until a time; a lease that ends when it begins says that it holds them no more. */
export interface Lease {
  /** The device that signed. */
  readonly holder: Did
  /** Names the list of roots: the base64url SHA-256 of them, sorted, joined by newlines. */
  readonly set: string
  /** How often each of them was asked for lately, all together. */
  readonly demand: number
  readonly issuedAtMs: number
  readonly expiresAtMs: number
}

/** How devices reach each other, one question and one answer at a time. Who asks is proven by the transport. */
export interface ReplicaNetwork {
  /**
   * Asks a device, dialling it where needed.
   *
   * @throws whatever kept an answer away, or the reason of `signal`
   */
  request(device: Did, message: Uint8Array, options: { readonly signal: AbortSignal }): Promise<Uint8Array>
  /** Answers others until disposed. A handler that throws gives no answer. */
  handle(handler: ReplicaHandler): Promise<AsyncDisposable>
  /** Makes this device findable to others of a pool; called again and again. */
  announce(pool: PoolId, options: { readonly signal: AbortSignal }): Promise<void>
  /** Devices that announced themselves for a pool; may yield this device and those long gone. */
  find(pool: PoolId, options: { readonly signal: AbortSignal }): AsyncIterable<Did>
}

/** Answers one question of a device. */
export type ReplicaHandler = (
  from: Did,
  message: Uint8Array,
  options: { readonly signal: AbortSignal }
) => Promise<Uint8Array>

/** Who may be served a root that is held. */
export interface ReplicaAccess {
  readonly isPublic: boolean
  readonly readers: readonly Did[]
}

/** The size of what lies under a root. */
export interface ReplicaSize {
  readonly bytes: number
  /** Different blocks. */
  readonly blocks: number
}

/** The store of content, as far as replicas need it. Roots that were added or pinned by the user are here too. */
export interface ReplicaContent {
  /**
   * Keeps everything under a root and serves it as `access` says, fetching what is missing; called again when the access
   * changes. It may ask `sources` first.
   *
   * @throws when more than `bytesMax` would have to be kept, when nobody has it, or the reason of `signal`
   */
  hold(
    root: Root,
    options: {
      readonly access: ReplicaAccess
      /**
       * The goal is of this device's person: what they pinned in private is opened to whom `access` names, never to
       * everybody. Else what the user pinned is left alone.
       */
      readonly isOwn: boolean
      /** It is kept on behalf of others; when false, what the user keeps no longer stays so. */
      readonly isCopy: boolean
      readonly sources: readonly Did[]
      readonly bytesMax: number
      readonly signal: AbortSignal
    }
  ): Promise<ReplicaSize>
  /** Keeps it no longer on behalf of others; what the user pinned stays. */
  forget(root: Root): Promise<void>
  /** Whether a root is kept here whole, by the user or on behalf of others. */
  has(root: Root): boolean
  /** The size of a root that is here whole; `undefined` when it is not. */
  size(root: Root, options: { readonly signal: AbortSignal }): Promise<ReplicaSize | undefined>
  /**
   * The bytes of some blocks of a root that is here, by their place in the order of a depth-first walk in which each block
   * counts once.
   *
   * @throws when one is not here
   */
  blocks(
    root: Root,
    places: readonly number[],
    options: { readonly signal: AbortSignal }
  ): Promise<readonly Uint8Array[]>
  /** How often peers began to fetch it from here since the last call. */
  takeDemand(root: Root): number
}

/** Where a keeper remembers what it agreed to; what was put is there after a crash once `put` resolved. */
export interface ReplicaStore {
  put(key: string, value: Uint8Array): Promise<void>
  delete(key: string): Promise<void>
  /** Every entry whose key begins with `prefix`. */
  entries(prefix: string): AsyncIterable<readonly [key: string, value: Uint8Array]>
}

/** What a keeper works with. */
export interface ReplicationComponents {
  readonly network: ReplicaNetwork
  readonly content: ReplicaContent
  readonly store: ReplicaStore
  /** The key of this device. */
  readonly signer: Signer
  /** By which a person says that this device is theirs. */
  readonly certificate: Uint8Array
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  /** Whether somebody (a did) or something (a CID) is on the deny list. */
  readonly isDenied: (name: string) => boolean
}
