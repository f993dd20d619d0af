/** What one run of a capsule may use. */
export interface CapsuleLimits {
  /** Bytes of linear memory; a program that wants more gets none and usually traps. */
  readonly memoryBytesMax: number
  /** Seconds of processor time. */
  readonly cpuSecondsMax: number
  /** Milliseconds from start to end. */
  readonly wallMsMax: number
  /** Bytes of standard output, standard error and the runtime channel together. */
  readonly outputBytesMax: number
}

/** Limits of a capsule whose manifest asks for none. */
export const DEFAULT_CAPSULE_LIMITS: CapsuleLimits = {
  memoryBytesMax: 64 * 1024 * 1024,
  cpuSecondsMax: 60,
  wallMsMax: 24 * 60 * 60 * 1000,
  outputBytesMax: 256 * 1024 * 1024
}

/** The least a manifest may ask for. */
export const CAPSULE_LIMIT_FLOORS: CapsuleLimits = {
  memoryBytesMax: 65_536,
  cpuSecondsMax: 1,
  wallMsMax: 1000,
  outputBytesMax: 1024
}

/** The most a manifest may ask for. */
export const CAPSULE_LIMIT_CEILINGS: CapsuleLimits = {
  memoryBytesMax: 1024 * 1024 * 1024,
  cpuSecondsMax: 24 * 60 * 60,
  // A timer of Node holds 2^31 - 1 milliseconds, 24.8 days.
  wallMsMax: 24 * 24 * 60 * 60 * 1000,
  outputBytesMax: 64 * 1024 * 1024 * 1024
}

/** The names of all limits. */
export const CAPSULE_LIMIT_NAMES = ['memoryBytesMax', 'cpuSecondsMax', 'wallMsMax', 'outputBytesMax'] as const

/** The lower of what is asked for and what is allowed, limit by limit; `asked` may be partial. */
export function lowerLimits(
  asked: { readonly [K in keyof CapsuleLimits]?: number | undefined },
  allowed: CapsuleLimits
): CapsuleLimits {
  return {
    memoryBytesMax: Math.min(asked.memoryBytesMax ?? allowed.memoryBytesMax, allowed.memoryBytesMax),
    cpuSecondsMax: Math.min(asked.cpuSecondsMax ?? allowed.cpuSecondsMax, allowed.cpuSecondsMax),
    wallMsMax: Math.min(asked.wallMsMax ?? allowed.wallMsMax, allowed.wallMsMax),
    outputBytesMax: Math.min(asked.outputBytesMax ?? allowed.outputBytesMax, allowed.outputBytesMax)
  }
}
