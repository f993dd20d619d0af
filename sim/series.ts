/** How deep a simulation goes: whole nodes, our parts over a stub network, or a model of placement and lookup. */
export type Depth = 'full' | 'parts' | 'model'

/** A spread of measured values; all 0 when there were none. */
export interface Spread {
  readonly count: number
  readonly p50: number
  readonly p95: number
  readonly max: number
}

/** How the replicated objects stood at one moment. */
export interface ReplicaSample {
  readonly objects: number
  /** Copies on nodes that run. */
  readonly copies: Spread
  /** The smallest count of copies. */
  readonly copiesMin: number
  /** How many objects had fewer copies than their goal. */
  readonly belowGoal: number
  /** How many were on no disk any more, of nodes that run or may come back. */
  readonly lost: number
}

/** What was measured since the sample before, and how things stood at its end. */
export interface RunSample {
  /** Virtual milliseconds since the simulation began. */
  readonly atMs: number
  readonly nodesUp: number
  readonly replicas: ReplicaSample
  /** Searches that ended: how many sequential rounds they took, and how long, in virtual milliseconds. */
  readonly lookupRounds: Spread
  readonly lookupMs: Spread
  readonly lookupsFailed: number
  /** Bytes that travelled, by what they were for, such as `dht`, `replication`, `room`. */
  readonly bytesByKind: Readonly<Record<string, number>>
  /** Messages that travelled. */
  readonly messages: number
}

/** Something that was done to the network, for a mark on every picture. */
export interface RunMark {
  readonly atMs: number
  /** A few words, such as `a third is cut off`. */
  readonly what: string
}

/** Who had an object in the end. */
export interface ObjectHolders {
  readonly object: string
  readonly bytes: number
  readonly goal: number
  /** Indexes of nodes. */
  readonly holders: readonly number[]
}

/** A run as pictures show it. */
export interface RunSeries {
  readonly scenario: string
  readonly depth: Depth
  readonly seed: number
  readonly nodeCount: number
  readonly virtualMs: number
  readonly traceHash: string
  readonly samples: readonly RunSample[]
  readonly marks: readonly RunMark[]
  readonly holders: readonly ObjectHolders[]
  /** What did not hold, a sentence each. */
  readonly violations: readonly string[]
}

/** The spread of values in any order; the list is not changed. */
export function spreadOf(values: readonly number[]): Spread {
  const sorted = Float64Array.from(values).sort()
  const at = (share: number): number => sorted[Math.ceil(share * sorted.length) - 1] ?? 0
  return { count: sorted.length, p50: at(0.5), p95: at(0.95), max: sorted.at(-1) ?? 0 }
}
