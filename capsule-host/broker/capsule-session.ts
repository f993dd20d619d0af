import type { CeilingEntry } from '#capability'
import type { TerminalStatus } from '#contracts'
import type { ProviderRequirement } from './provider.ts'

/** A terminal of a running capsule's user. */
export interface TerminalPower {
  status(): TerminalStatus
  setRaw(isRaw: boolean): void
}

/** One run of a capsule, as the broker must know it. All of it comes from what was verified, none of it from the capsule. */
export interface CapsuleSession {
  /** Unique among all sessions of this device. */
  readonly id: string
  /** `<publisher did>/<name>`, or `dev:<hash>/<name>`. */
  readonly lineage: string
  readonly name: string
  readonly version: string
  readonly publisher?: string
  /** The most it may ever be granted, with its author's reasons. */
  readonly ceiling: readonly (CeilingEntry & { readonly reason?: string })[]
  readonly requires: readonly ProviderRequirement[]
  /** Contracts it serves. */
  readonly provides: readonly string[]
  /** Powers it was given; a manifest alone gives none. */
  readonly powers: readonly string[]
  /** True for the user's own, unsigned. */
  readonly isOwn: boolean
  readonly terminal?: TerminalPower
  /** Takes a line of the capsule's log, made harmless. */
  readonly log?: (level: 'debug' | 'info' | 'warn' | 'error', line: string) => void
}
