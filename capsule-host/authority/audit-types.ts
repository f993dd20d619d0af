import type { CeilingEntry } from '#capability'
import type { Did } from '#did'
import type { Decider, GrantScope, RefusalCode } from './authority.ts'

/** What every entry of the audit log has. Hashes are SHA-256 in hexadecimal. */
export interface AuditEntryHead {
  /** Counts up by one, from 0. */
  readonly number: number
  /** Hash of the entry before; 64 zeros for the first. */
  readonly previous: string
  /** Milliseconds since the Unix epoch, by this device's clock. */
  readonly timeMs: number
  /** The epoch it was written in. */
  readonly epoch: number
}

/** The log begins, or begins anew after damage, which `after` tells. */
export interface BeginEntry extends AuditEntryHead {
  readonly kind: 'begin'
  readonly device: Did
  readonly after?: string
}

/** The store was opened: no session of before goes on. */
export interface OpenEntry extends AuditEntryHead {
  readonly kind: 'open'
}

/** A lineage runs with this ceiling from here on. */
export interface CeilingChangeEntry extends AuditEntryHead {
  readonly kind: 'ceiling'
  readonly lineage: string
  readonly ceiling: readonly CeilingEntry[]
}

/** A token was issued, or handed on by another lineage. */
export interface GrantEntry extends AuditEntryHead {
  readonly kind: 'grant'
  readonly lineage: string
  readonly cid: string
  readonly token: Uint8Array
  readonly scope: GrantScope
  readonly decidedBy: Decider
  readonly sessionId?: string
  readonly reason?: string
  readonly delegatedBy?: string
}

/** A denial: durable, or with a session for that one only. */
export interface DenialEntry extends AuditEntryHead {
  readonly kind: 'denial'
  readonly sessionId?: string
  readonly lineage: string
  readonly command: string
  readonly resource: string
  readonly decidedBy: Decider
}

/** Durable denials were taken back. */
export interface ForgetEntry extends AuditEntryHead {
  readonly kind: 'forget'
  readonly lineage: string
  readonly command?: string
  readonly resource?: string
}

/** Tokens were revoked. */
export interface RevokeEntry extends AuditEntryHead {
  readonly kind: 'revoke'
  /** One token, or all of a lineage. */
  readonly cid?: string
  readonly lineage?: string
}

/** Everything was revoked; `epoch` is the new one. */
export interface RevokeAllEntry extends AuditEntryHead {
  readonly kind: 'revoke-all'
}

/** A session ended, and with it what was granted for it only. */
export interface SessionEndEntry extends AuditEntryHead {
  readonly kind: 'session-end'
  readonly sessionId: string
}

/** A capsule asked to do something, and was allowed or refused. */
export interface VerdictEntry extends AuditEntryHead {
  readonly kind: 'verdict'
  readonly lineage: string
  readonly sessionId: string
  readonly subject: Did
  readonly command: string
  readonly resource: string
  readonly provider?: string
  /** Hash of the ceiling it ran with. */
  readonly ceiling: string
  /** Hash over every revocation so far. */
  readonly revocations: string
  /** The chain that was used or came nearest, root first. */
  readonly tokens: readonly string[]
  /** Of each of these that has a count: the uses taken before. */
  readonly counts: readonly { readonly cid: string; readonly used: number }[]
  readonly isAllowed: boolean
  readonly code?: RefusalCode
  readonly decidedBy?: Decider
}

/** More verdicts of a lineage than are written one by one; none of them took a use. */
export interface SummaryEntry extends AuditEntryHead {
  readonly kind: 'summary'
  readonly lineage: string
  readonly sessionId: string
  readonly sinceMs: number
  readonly allowed: number
  readonly refused: number
}

/** Everything the log amounts to so far is kept beside it; what is older may be let go. */
export interface SnapshotEntry extends AuditEntryHead {
  readonly kind: 'snapshot'
  /** Hash of that state. */
  readonly state: string
}

/** One entry of the audit log. See docs/protocols/audit-log.md. */
export type AuditEntry =
  | BeginEntry
  | OpenEntry
  | CeilingChangeEntry
  | GrantEntry
  | DenialEntry
  | ForgetEntry
  | RevokeEntry
  | RevokeAllEntry
  | SessionEndEntry
  | VerdictEntry
  | SummaryEntry
  | SnapshotEntry

/** An entry as it is read: with its own hash. */
export type RecordedEntry = AuditEntry & { readonly hash: string }

/** What is wrong with a log. */
export interface AuditProblem {
  readonly code: 'ERR_AUDIT_TAMPERED' | 'ERR_AUDIT_CUT'
  /** The entry it shows at. */
  readonly number: number
  readonly sentence: string
}

/** What {@link Audit.verify} found. */
export interface AuditReport {
  readonly isWhole: boolean
  /** Entries that were read. */
  readonly entries: number
  /** Number of the oldest entry kept, and of the newest. */
  readonly first: number
  readonly last: number
  /** Hash of the newest entry: who writes it down can later show that nothing before it changed. */
  readonly head: string
  readonly problem?: AuditProblem
}

/** A verdict that does not follow from the log. */
export interface ReplayDifference {
  readonly number: number
  readonly recorded: string
  readonly derived: string
}

/** What {@link Audit.replay} found. */
export interface ReplayReport {
  /** Whether every verdict follows from the entries before it. */
  readonly agrees: boolean
  readonly entries: number
  readonly verdicts: number
  /** The first of them, at most 100. */
  readonly differences: readonly ReplayDifference[]
  readonly differing: number
  readonly problem?: AuditProblem
}

/** The audit log. */
export interface Audit {
  /** Entries from a number on, oldest first; the newest `limit` ones when `from` is absent. */
  entries(options?: { readonly from?: number; readonly limit?: number }): Promise<RecordedEntry[]>
  /** Every entry from now on, until the signal aborts. One who reads too slowly is told by a gap in the numbers. */
  follow(signal: AbortSignal): AsyncIterable<RecordedEntry>
  /** Derives every verdict anew from the entries and the tokens in them. */
  replay(options?: { readonly signal?: AbortSignal }): Promise<ReplayReport>
  /** Checks every hash and the signed heads: finds a changed entry and a cut tail. */
  verify(options?: { readonly signal?: AbortSignal }): Promise<AuditReport>
}
