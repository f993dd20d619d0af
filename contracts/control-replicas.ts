/** The part of the control protocol about replicas. See docs/protocols/control.md. */

/** What became of a challenge: it shows access in time, not a disk of its own. */
export interface ReplicaChallengeStatus {
  readonly atMs: number
  readonly isPassed: boolean
  readonly tookMs: number
}

/** A copy of a root on a device. */
export interface ReplicaCopyStatus {
  readonly holder: string
  readonly isThis: boolean
  readonly person?: string
  readonly host?: string
  readonly network?: string
  /** How long its lease still lasts. */
  readonly leaseMs?: number
  readonly challenge?: ReplicaChallengeStatus
  /** Challenges prepared for it that are left, where its owner has no copy any more to make new ones of. */
  readonly prepared?: number
}

/** How a root is kept. */
export interface ReplicaRootStatus {
  readonly cid: string
  /** Whose goal it is. */
  readonly person: string
  readonly isOwn: boolean
  readonly bytes: number
  readonly isPublic: boolean
  /** Copies the goal asks for, and those there should be now: more while many ask for it. */
  readonly copiesGoal: number
  readonly copiesWanted: number
  readonly copies: readonly ReplicaCopyStatus[]
  /** Devices that are fetching it. */
  readonly taking: readonly string[]
  /** Offers that could take it. */
  readonly candidates: number
}

/** What is given to others and how much of it is used. */
export interface ReplicaQuotaStatus {
  readonly spaceBytes: number
  readonly publisherBytesMax: number
  readonly isVolunteer: boolean
  readonly host: string
  readonly network: string
  readonly usedBytes: number
  readonly held: number
  readonly fetching: number
  readonly publishers: readonly { readonly person: string; readonly bytes: number; readonly roots: number }[]
}

/** People who keep for each other. */
export interface ReplicaGroupStatus {
  readonly id: string
  readonly name: string
  readonly person: string
  readonly members: readonly string[]
  readonly isOwn: boolean
}

/** Methods about replicas; a person is a did or a petname. */
export interface ReplicaControlMethods {
  'replica.follow': { params: { person: string }; result: { person: string; quota: ReplicaQuotaStatus } }
  'replica.unfollow': { params: { person: string }; result: { person: string } }
  'replica.group-create': { params: { name: string; members: string[] }; result: ReplicaGroupStatus }
  'replica.group-join': { params: { id: string }; result: ReplicaGroupStatus }
  'replica.group-leave': { params: { id: string }; result: { id: string } }
  'replica.agreements': {
    params: Record<string, never>
    result: { followed: string[]; groups: ReplicaGroupStatus[] }
  }
  'replica.offer': {
    params: {
      spaceBytes?: number
      publisherBytesMax?: number
      volunteer?: boolean
      host?: string
      network?: string
    }
    result: ReplicaQuotaStatus
  }
  'replica.quota': { params: Record<string, never>; result: ReplicaQuotaStatus }
  'replica.goal': { params: { cid: string; copies: number; readers?: string[] }; result: ReplicaRootStatus }
  'replica.status': {
    params: { cid?: string; challenge?: boolean }
    result: { roots: ReplicaRootStatus[]; isCut: boolean }
  }
  'replica.repair': { params: Record<string, never>; result: { missing: number; asked: number } }
  /** Hands off what is held for others; ends when they have it, or after five minutes. */
  'replica.leave': { params: Record<string, never>; result: ReplicaQuotaStatus }
}
