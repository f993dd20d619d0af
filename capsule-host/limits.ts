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
  /** Bytes of those and of calls on files that are taken in a second; what comes faster waits. */
  readonly bytesPerSecondMax: number
  /** Files and folders it may have open at once. */
  readonly openFilesMax: number
  /** Calls on the runtime channel that are taken in a second; what comes faster waits. */
  readonly callsPerSecondMax: number
  /** Bytes its lineage may keep on this device. */
  readonly storageBytesMax: number
}

/** Limits of a capsule whose manifest asks for none. */
export const DEFAULT_CAPSULE_LIMITS: CapsuleLimits = {
  memoryBytesMax: 64 * 1024 * 1024,
  cpuSecondsMax: 60,
  wallMsMax: 24 * 60 * 60 * 1000,
  outputBytesMax: 256 * 1024 * 1024,
  bytesPerSecondMax: 64 * 1024 * 1024,
  openFilesMax: 64,
  callsPerSecondMax: 1000,
  storageBytesMax: 64 * 1024 * 1024
}

/** The least a manifest may ask for. */
export const CAPSULE_LIMIT_FLOORS: CapsuleLimits = {
  memoryBytesMax: 65_536,
  cpuSecondsMax: 1,
  wallMsMax: 1000,
  outputBytesMax: 1024,
  bytesPerSecondMax: 1024,
  openFilesMax: 0,
  callsPerSecondMax: 1,
  storageBytesMax: 0
}

/** The most a manifest may ask for. */
export const CAPSULE_LIMIT_CEILINGS: CapsuleLimits = {
  memoryBytesMax: 1024 * 1024 * 1024,
  cpuSecondsMax: 24 * 60 * 60,
  // A timer of Node holds 2^31 - 1 milliseconds, 24.8 days.
  wallMsMax: 24 * 24 * 60 * 60 * 1000,
  outputBytesMax: 64 * 1024 * 1024 * 1024,
  bytesPerSecondMax: 256 * 1024 * 1024,
  openFilesMax: 1024,
  callsPerSecondMax: 10_000,
  storageBytesMax: 64 * 1024 * 1024 * 1024
}

/** Some limits, as a manifest or a caller asks for them. */
export type PartialLimits = { readonly [K in keyof CapsuleLimits]?: number | undefined }

/** The name of each limit. */
export const CAPSULE_LIMIT_NAMES: readonly (keyof CapsuleLimits)[] = Object.keys(
  DEFAULT_CAPSULE_LIMITS
) as (keyof CapsuleLimits)[]

/** The lower of what is asked for and what is allowed, limit by limit. */
export function lowerLimits(asked: PartialLimits, allowed: CapsuleLimits): CapsuleLimits {
  return eachLimit((name) => Math.min(asked[name] ?? allowed[name], allowed[name]))
}

/** What a capsule may use: what its manifest asks for, defaults for the rest, lowered to what its user allows. */
export function capsuleLimits(
  manifest: { readonly limits: PartialLimits },
  allowed: CapsuleLimits = CAPSULE_LIMIT_CEILINGS
): CapsuleLimits {
  const asked = eachLimit((name) => manifest.limits[name] ?? DEFAULT_CAPSULE_LIMITS[name])
  return lowerLimits(lowerLimits(asked, CAPSULE_LIMIT_CEILINGS), allowed)
}

function eachLimit(valueOf: (name: keyof CapsuleLimits) => number): CapsuleLimits {
  return Object.fromEntries(
    CAPSULE_LIMIT_NAMES.map((name) => [name, valueOf(name)])
  ) as unknown as CapsuleLimits
}
