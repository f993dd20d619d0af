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

/** Some limits, as a manifest or a caller asks for them. */
export type PartialLimits = { readonly [K in keyof CapsuleLimits]?: number | undefined }

/** The lower of what is asked for and what is allowed, limit by limit. */
export function lowerLimits(asked: PartialLimits, allowed: CapsuleLimits): CapsuleLimits {
  return {
    memoryBytesMax: Math.min(asked.memoryBytesMax ?? allowed.memoryBytesMax, allowed.memoryBytesMax),
    cpuSecondsMax: Math.min(asked.cpuSecondsMax ?? allowed.cpuSecondsMax, allowed.cpuSecondsMax),
    wallMsMax: Math.min(asked.wallMsMax ?? allowed.wallMsMax, allowed.wallMsMax),
    outputBytesMax: Math.min(asked.outputBytesMax ?? allowed.outputBytesMax, allowed.outputBytesMax)
  }
}

/** What a capsule may use: what its manifest asks for, defaults for the rest, lowered to what its user allows. */
export function capsuleLimits(
  manifest: { readonly limits: PartialLimits },
  allowed: CapsuleLimits = CAPSULE_LIMIT_CEILINGS
): CapsuleLimits {
  return lowerLimits(lowerLimits(withDefaults(manifest.limits), CAPSULE_LIMIT_CEILINGS), allowed)
}

function withDefaults(limits: PartialLimits): CapsuleLimits {
  return {
    memoryBytesMax: limits.memoryBytesMax ?? DEFAULT_CAPSULE_LIMITS.memoryBytesMax,
    cpuSecondsMax: limits.cpuSecondsMax ?? DEFAULT_CAPSULE_LIMITS.cpuSecondsMax,
    wallMsMax: limits.wallMsMax ?? DEFAULT_CAPSULE_LIMITS.wallMsMax,
    outputBytesMax: limits.outputBytesMax ?? DEFAULT_CAPSULE_LIMITS.outputBytesMax
  }
}
