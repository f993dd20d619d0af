/** How replicas are watched over and made anew, as far as the model follows `replication/`; times in milliseconds. */
export interface ReplicaRules {
  readonly leaseMs: number
  readonly renewEveryMs: number
  readonly lookEveryMs: number
  readonly repairJitterMs: number
  readonly dutyStepMs: number
  readonly takingMs: number
  readonly trimAfterMs: number
  readonly requestTimeoutMs: number
  readonly offerMs: number
  readonly offerEveryMs: number
  /** Copies that are made while most others are silent: it may be us who are cut off. */
  readonly cutOffCopies: number
  readonly beyondCutMin: number
  readonly fetchesMax: number
  readonly repairBytesPerSecond: number
}

/**
 * The rules of `replication/constants.ts`; a test holds them to those there. What the model leaves out: challenges, demand,
 * quotas, hand-off, owners (none of them is there, so that a copy lost is lost), and that offers and leases travel: who
 * comes is known to all after {@link OFFER_KNOWN_MS}, and a lease is known to all who can be reached.
 */
export const REPLICA_RULES: ReplicaRules = {
  leaseMs: 150_000,
  renewEveryMs: 50_000,
  lookEveryMs: 10_000,
  repairJitterMs: 10_000,
  dutyStepMs: 20_000,
  takingMs: 60_000,
  trimAfterMs: 300_000,
  requestTimeoutMs: 8_000,
  offerMs: 3_600_000,
  offerEveryMs: 1_200_000,
  cutOffCopies: 2,
  beyondCutMin: 2,
  fetchesMax: 2,
  repairBytesPerSecond: 8 * 1_024 * 1_024
}

/** How long after a node came others know its offer. */
export const OFFER_KNOWN_MS = 120_000
