/** How much of something is taken. */
export interface RateInit {
  /** Taken at once after a pause. */
  readonly burst: number
  /** Taken per second in the long run. */
  readonly perSecond: number
  /** Names whose rate is remembered; the one that asked longest ago is forgotten first. */
  readonly namesMax: number
}

/** Token buckets, one a name. */
export interface RateLimit {
  /** Whether `name` may have one more at `monotonicMs`; if so it is counted. */
  take(name: string, monotonicMs: number): boolean
}

interface Bucket {
  tokens: number
  atMs: number
}

/** A rate limit in which every name starts with a full bucket. */
export function createRateLimit({ burst, perSecond, namesMax }: RateInit): RateLimit {
  const buckets = new Map<string, Bucket>()
  return {
    take: (name, monotonicMs) => {
      const bucket = buckets.get(name) ?? { tokens: burst, atMs: monotonicMs }
      // Deleting and setting again keeps the map in order of use.
      buckets.delete(name)
      buckets.set(name, bucket)
      if (buckets.size > namesMax) for (const [oldest] of buckets.entries().take(1)) buckets.delete(oldest)
      bucket.tokens = Math.min(burst, bucket.tokens + ((monotonicMs - bucket.atMs) / 1_000) * perSecond)
      bucket.atMs = monotonicMs
      if (bucket.tokens < 1) return false
      bucket.tokens -= 1
      return true
    }
  }
}
