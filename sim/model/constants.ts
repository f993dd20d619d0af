/** How our DHT looks up and keeps its tables, as far as the model follows it. */
export interface LookupRules {
  /** How many peers are looked for, and how many an answer names (k of Kademlia). */
  readonly closestPeers: number
  /** How many peers are asked at once, and how many when each of the nearest has to answer. */
  readonly parallel: number
  readonly parallelThorough: number
  readonly messagesMax: number
  readonly dialsMax: number
  /** Among how many of the nearest that were not asked yet one that is connected is preferred. */
  readonly connectedWindow: number
  /** An early end: so many answers, of which the last ones named nobody nearer, and the nearest have answered. */
  readonly answersMin: number
  readonly stableAnswersMin: number
  readonly nearestAnsweredMin: number
  readonly slowAnswerMs: number
  readonly slowCheckIntervalMs: number
  /** Above this share of failures of late nothing ends early. */
  readonly failureShareMax: number
  readonly failureShareWeight: number
  readonly firstRefreshDelayMs: number
  readonly refreshIntervalMs: number
  /** In how many rounds each bucket is looked into once; the first looks into all. */
  readonly refreshTurns: number
  readonly refreshBucketsMax: number
}

/**
 * The rules of `dht/query` and `dht/table-refresh.ts`; a test holds them to the constants there. What the model leaves out: peers
 * that lie and how they are found out, the bound on the time of a search, and the lookups that stock kad-dht makes by itself,
 * which would only fill the tables more. Peers in the own table count as connected.
 */
export const LOOKUP_RULES: LookupRules = {
  closestPeers: 20,
  parallel: 5,
  parallelThorough: 10,
  messagesMax: 128,
  dialsMax: 48,
  connectedWindow: 8,
  answersMin: 6,
  stableAnswersMin: 3,
  nearestAnsweredMin: 4,
  slowAnswerMs: 1_000,
  slowCheckIntervalMs: 250,
  failureShareMax: 0.02,
  failureShareWeight: 0.2,
  firstRefreshDelayMs: 3_000,
  refreshIntervalMs: 600_000,
  refreshTurns: 3,
  refreshBucketsMax: 14
}

/** How a routing table is divided into buckets of `closestPeers`. */
export interface TableRules {
  /** So many leading bits divide the whole space. */
  readonly everywhereBits: number
  /** How many more levels the part that our own id lies in is divided into, a bit each; 0: it is one bucket. */
  readonly ownPathLevels: number
}

/** The tables of `dht/table-shape.ts`; of levels there are as many as 100,000 nodes fill. */
export const TABLE_RULES: TableRules = { everywhereBits: 4, ownPathLevels: 13 }

/** The tables of stock kad-dht: 64 buckets, and none divides further. */
export const STOCK_TABLE_RULES: TableRules = { everywhereBits: 6, ownPathLevels: 0 }

/**
 * How many candidates a search keeps in mind, of the 256 of the engine. Whoever is asked in the first round must not be pushed out
 * before its answer comes: with 40 every hundredth message differed from the engine's, with 64 one in 2,000.
 */
export const CANDIDATES_KEPT = 64

/** How many peers that did not answer a search remembers. */
export const GONE_KEPT = 32

/** How many nodes a model has at most: what a handle has bits for. */
export const MODEL_NODES_MAX: number = 2 ** 17

/** How long a scenario of the model may last: what its wheel of events reaches. */
export const MODEL_DURATION_MS_MAX: number = 10 * 24 * 60 * 60 * 1_000

/** How many lookups of a scenario are measured. */
export const MODEL_LOOKUPS_MAX = 100_000

/** How many searches may go on at once. */
export const SEARCHES_MAX: number = 2 ** 20

/** How many nodes never leave; every node that joins knows them. */
export const SEEDS = 8

/** How long after a node died those connected to it have noticed: the check of idle connections. */
export const DEATH_NOTICED_MS = 30_000

/** How many connections a node keeps. */
export const CONNECTIONS_KEPT = 300

/** Half of the nodes that join leave within this time (RFM2 of ProbeLab). */
export const HALF_LIFE_MS: number = 2 * 60 * 60 * 1_000
