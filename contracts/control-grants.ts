/** The part of the control protocol about what capsules were granted, and what was decided. See docs/protocols/control.md. */

/** A token that a capsule holds, or held. */
export interface GrantStatus {
  /** CID of the token. */
  readonly cid: string
  readonly lineage: string
  /** What the owner calls the capsule, when it is installed. */
  readonly alias?: string
  readonly audience: string
  readonly subject: string
  readonly command: string
  readonly resource: string
  readonly scope: 'once' | 'session' | 'day' | 'always'
  readonly sessionId?: string
  readonly decidedBy: 'person' | 'auto' | 'policy'
  /** What its author said it is for: a claim. */
  readonly reason?: string
  readonly grantedAtMs: number
  /** `null` when it does not expire. */
  readonly expiresAtMs: number | null
  readonly epoch: number
  readonly usesMax?: number
  readonly used: number
  readonly delegatedBy?: string
  readonly proof?: string
  /** Why it can no longer be used. */
  readonly ended?: { readonly code: string; readonly atMs: number }
}

/** A durable no. */
export interface DenialStatus {
  readonly lineage: string
  readonly alias?: string
  readonly command: string
  readonly resource: string
  readonly decidedBy: 'person' | 'auto' | 'policy'
  readonly atMs: number
}

/** Why a capsule may or may not do something. */
export interface WhyStatus {
  readonly lineage: string
  readonly command: string
  readonly resource: string
  readonly isAllowed: boolean
  readonly code?: string
  readonly sentence: string
  readonly checks: readonly {
    readonly name: string
    readonly isOk: boolean
    readonly detail: string
    readonly code?: string
  }[]
  /** The tokens that were looked at: the root first, what the capsule holds last. */
  readonly chain: readonly GrantStatus[]
  readonly denial?: DenialStatus
  /** False when the capsule is not installed and never ran, so that what its manifest asks for is not known. */
  readonly isCeilingKnown: boolean
}

/** An entry of the audit log; what else it has depends on its kind. See docs/protocols/audit-log.md. */
export interface AuditEntryStatus extends Readonly<Record<string, unknown>> {
  readonly number: number
  readonly kind: string
  readonly timeMs: number
  readonly epoch: number
  readonly previous: string
  readonly hash: string
}

/** What is wrong with the audit log. */
export interface AuditProblemStatus {
  readonly code: string
  readonly number: number
  readonly sentence: string
}

/** Whether the audit log is as this device wrote it. */
export interface AuditReportStatus {
  readonly isWhole: boolean
  readonly entries: number
  readonly first: number
  readonly last: number
  /** Hash of the newest entry. */
  readonly head: string
  readonly problem?: AuditProblemStatus
}

/** Whether every verdict follows from the log. */
export interface ReplayReportStatus {
  readonly agrees: boolean
  readonly entries: number
  readonly verdicts: number
  readonly differing: number
  readonly differences: readonly {
    readonly number: number
    readonly recorded: string
    readonly derived: string
  }[]
  readonly problem?: AuditProblemStatus
}

/** Entries of the audit log that were just written. */
export interface AuditEvent {
  readonly kind: 'audit'
  readonly entries: readonly AuditEntryStatus[]
}

/** Methods about grants and the audit log. A capsule is an alias, a lineage, `PETNAME/NAME` or the name of one that ran. */
export interface GrantControlMethods {
  'grant.list': {
    params: { capsule?: string; all?: boolean }
    result: {
      epoch: number
      grants: GrantStatus[]
      denials: DenialStatus[]
      isCut: boolean
      /** Set when nothing is allowed until everything is revoked. */
      damage?: string
    }
  }
  /** Ends a token, by its CID or the end of it, or everything of a capsule. */
  'grant.revoke': { params: { what: string }; result: { revoked: GrantStatus[] } }
  'grant.revoke-all': {
    params: Record<string, never>
    result: { epoch: number; revoked: number; wasDamaged: boolean }
  }
  /** Takes durable denials of a capsule back. */
  'grant.forget': { params: { capsule: string }; result: { lineage: string; forgotten: number } }
  'grant.why': { params: { capsule: string; command: string; resource: string }; result: WhyStatus }
  /** The newest entries, or those from a number on; `follow` then sends what comes. */
  'audit.entries': {
    params: { from?: number; limit?: number; follow?: boolean }
    result: { entries: AuditEntryStatus[] }
  }
  'audit.verify': { params: Record<string, never>; result: AuditReportStatus }
  'audit.replay': { params: Record<string, never>; result: ReplayReportStatus }
}
