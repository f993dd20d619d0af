import type { Did } from '#did'
import type { ChallengeResult, ReplicationLimits } from './core.ts'
import type { Group } from './groups.ts'
import type { OfferChoice } from './state.ts'
import type { Goal, PoolId, Root } from './types.ts'

/** How a keeper is started. */
export interface ReplicationInit {
  /** Paces other than the usual ones, for a simulator and for tests. */
  readonly limits?: Partial<ReplicationLimits>
  /** Whether there is something to keep that has no goal yet: then offers are looked for. False when absent. */
  readonly isPublishing?: () => boolean
}

/** What is given to others; what is not said stays as it was. */
export interface OfferInit {
  /** Bytes in all; 0 ends it: what is held is handed off first. */
  readonly spaceBytes?: number
  /** Most of it for one publisher; half of the space when it was never said. */
  readonly publisherBytesMax?: number
  /** Keeps for whoever asks, not only for those followed and for groups. */
  readonly isVolunteer?: boolean
  /** What fails together with this device, such as a machine or a household: copies are spread over these. */
  readonly host?: string
  /** What is cut off together with it. */
  readonly network?: string
}

/** What is wanted for a root; what is not said stays as it was. */
export interface GoalInit {
  /** Copies on other devices; 0 withdraws the goal. Five of what is published when it was never said. */
  readonly copies?: number
  readonly isPublic?: boolean
  /** Devices that may have what is not public. */
  readonly readers?: readonly Did[]
  readonly signal?: AbortSignal
}

/** A copy of a root. */
export interface ReplicaCopy {
  readonly holder: Did
  readonly isThis: boolean
  /** By its offer, where one is known. */
  readonly person: Did | undefined
  readonly host: string | undefined
  readonly network: string | undefined
  /** How long its lease still lasts; `undefined` for the copy of this device. */
  readonly leaseMs: number | undefined
  /** The last challenge from here. */
  readonly challenge: ChallengeResult | undefined
  /** Challenges that were prepared for it and are left. */
  readonly prepared: number
}

/** How a root is kept. */
export interface ReplicaStatus {
  readonly root: Root
  readonly goal: Goal
  /** Copies there should be now: those of the goal, and more while many ask for it. */
  readonly wanted: number
  readonly copies: readonly ReplicaCopy[]
  /** Devices that are fetching it. */
  readonly taking: readonly Did[]
  /** Offers that could take it. */
  readonly candidates: number
}

/** How much of what is given is used. */
export interface QuotaStatus extends OfferChoice {
  readonly usedBytes: number
  readonly held: number
  /** Roots being fetched or waiting for it. */
  readonly fetching: number
  readonly publishers: readonly { readonly person: Did; readonly bytes: number; readonly roots: number }[]
}

/** What one round of repair found. */
export interface RepairReport {
  /** Roots with fewer copies than wanted. */
  readonly missing: number
  /** Devices asked to keep one. */
  readonly asked: number
}

/** A group and whether this device made it. */
export interface GroupStatus extends Group {
  readonly isOwn: boolean
}

/** What keeps content on other devices, and theirs on this one. */
export interface Replication extends AsyncDisposable {
  /**
   * Keeps what a person publishes, within what is given to others.
   *
   * @throws ReplicationError `ERR_REPLICA_LIMIT`
   */
  follow(person: Did): Promise<void>
  /** Ends it; what is held of them is handed off. */
  unfollow(person: Did): Promise<void>
  followed(): readonly Did[]
  /**
   * Makes a group of people who keep for each other, or replaces its members; this device's person is always one.
   *
   * @throws ReplicationError `ERR_GROUP_INVALID`, `ERR_REPLICA_LIMIT`
   */
  createGroup(name: string, members: readonly Did[]): Promise<Group>
  /**
   * Agrees to keep what members of a group publish, and has them keep what this person publishes.
   *
   * @throws ReplicationError `ERR_GROUP_INVALID`, `ERR_GROUP_UNKNOWN`, `ERR_GROUP_NOT_MEMBER`, `ERR_REPLICA_LIMIT`
   */
  joinGroup(id: PoolId): Promise<Group>
  /** @throws ReplicationError `ERR_GROUP_UNKNOWN` */
  leaveGroup(id: PoolId): Promise<void>
  groups(): readonly GroupStatus[]
  /**
   * Says what is given to others. A smaller space hands off what it has no room for.
   *
   * @throws ReplicationError `ERR_REPLICA_OFFER_INVALID`
   */
  offer(init: OfferInit): Promise<QuotaStatus>
  quota(): QuotaStatus
  /**
   * Says how many copies of a root others shall keep. It must be here whole.
   *
   * @throws ReplicationError `ERR_REPLICA_GOAL_INVALID`, `ERR_REPLICA_NOT_HERE`, `ERR_REPLICA_LIMIT`
   */
  setGoal(root: Root, init?: GoalInit): Promise<Goal>
  /** The goals of this device's person, and those it holds for. */
  list(): readonly ReplicaStatus[]
  /** @throws ReplicationError `ERR_REPLICA_UNKNOWN` */
  status(root: Root): ReplicaStatus
  /**
   * Challenges every other holder of a root that is here, or of which answers were prepared.
   *
   * @throws ReplicationError `ERR_REPLICA_UNKNOWN`
   */
  challenge(root: Root): Promise<ReplicaStatus>
  /**
   * Makes challenges with their answers for the holders of an own root that is still here, to be used once each: whoever keeps
   * it no longer itself can have them show that they do. Gives for how many holders it did.
   */
  prepare(root: Root): Promise<number>
  /** Looks after all goals at once, without waiting for its turn. */
  repair(): Promise<RepairReport>
  /** Hands off everything that is held, and resolves when others have it, or after five minutes. */
  leave(): Promise<void>
  /** Whether others offer to keep what this device's person publishes. */
  isOffered(): boolean
  /** Devices of a person, as far as they offer space to somebody this device keeps with. */
  devicesOf(person: Did): readonly Did[]
  /** Whether this device's person set a goal for a root, or withdrew one. */
  hasGoal(root: Root): boolean
  /** Whether this device holds a root on behalf of others. */
  holds(root: Root): boolean
  /** The user keeps a root no longer: a copy that was agreed to is kept on behalf of others from here on. */
  recheck(root: Root): void
}
