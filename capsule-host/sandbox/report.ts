import type { ProcessLayout, SandboxLayout } from './layout.ts'

/**
 * How strongly this machine can hold a capsule: `namespaces+seccomp` by the operating system; `process` only by
 * Node's permission model, which is a seat belt and not a wall, good for what one wrote oneself.
 */
export type SandboxLevel = 'namespaces+seccomp' | 'process'

/** One thing that was looked at. */
export interface SandboxCheck {
  /** Such as `bubblewrap`. */
  readonly name: string
  readonly isOk: boolean
  /** What was found, one line. */
  readonly found: string
  /** The commands that mend it, a line each; empty when all is well or nothing can be done. */
  readonly mend: readonly string[]
}

/** What {@link probeSandbox} found. */
export interface SandboxReport {
  readonly level: SandboxLevel
  readonly checks: readonly SandboxCheck[]
  /** Present at the level `namespaces+seccomp`. */
  readonly layout?: SandboxLayout
  /** How a capsule of one's own runs without the operating system's help. */
  readonly process: ProcessLayout
}

/** The commands that would raise a report's level, each once. */
export function mendingCommands(report: SandboxReport): string[] {
  return [...new Set(report.checks.filter((check) => !check.isOk).flatMap((check) => check.mend))]
}
