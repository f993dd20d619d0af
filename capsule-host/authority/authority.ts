import type { CapabilityErrorCode, CeilingEntry, CheckName } from '#capability'
import type { Did } from '#did'
import type { GrantErrorCode } from '../errors.ts'
import type { Audit } from './audit-types.ts'

/** How long a grant lasts: one use, until the session ends, 24 hours, or until it is revoked. */
export type GrantScope = 'once' | 'session' | 'day' | 'always'

/** Who decided: a person at the prompt, the development shell that grants everything, or a rule. */
export type Decider = 'person' | 'auto' | 'policy'

/** Why something was refused: a code of the token, or that nobody granted it. */
export type RefusalCode = CapabilityErrorCode | GrantErrorCode

/** What {@link Authority.grant} makes a token of. Command and resource may be patterns. */
export interface GrantRequest {
  /** `<publisher did>/<name>`, or `dev:<hash>/<name>`: whom state and grants belong to. */
  readonly lineage: string
  /** Whose data it is; the lineage's own when absent. */
  readonly subject?: Did
  readonly command: string
  readonly resource: string
  readonly scope: GrantScope
  /** The one session that may use it; needed for scope `session`. */
  readonly sessionId?: string
  /** How often it can be used; `once` is 1, whatever stands here. */
  readonly usesMax?: number
  readonly decidedBy: Decider
  /** What the capsule's author said it is for: a claim. */
  readonly reason?: string
}

/** A token that was granted, as the owner may see it. */
export interface Grant {
  /** CID of the token. */
  readonly cid: string
  readonly lineage: string
  readonly audience: Did
  readonly subject: Did
  readonly command: string
  readonly resource: string
  readonly scope: GrantScope
  readonly sessionId?: string
  readonly decidedBy: Decider
  readonly reason?: string
  readonly grantedAtMs: number
  /** `null` when it does not expire. */
  readonly expiresAtMs: number | null
  readonly epoch: number
  readonly usesMax?: number
  /** Uses taken so far; 0 for a token without a count. */
  readonly used: number
  /** The lineage that handed it on, and the CID of the token it was made from. */
  readonly delegatedBy?: string
  readonly proof?: string
  /** Why it can no longer be used. */
  readonly ended?: { readonly code: CapabilityErrorCode; readonly atMs: number }
}

/** What {@link Authority.delegate} hands on: part of a token that `from` holds. */
export interface Delegation {
  readonly from: string
  readonly tokenCid: string
  readonly to: string
  /** The one session of `to` that may use it. */
  readonly toSessionId?: string
  /** What is taken away; the same as the token where absent. */
  readonly narrower: {
    readonly command?: string
    readonly resource?: string
    readonly expiresAtMs?: number
    readonly usesMax?: number
  }
}

/** The answer no. Command and resource may be patterns. */
export interface DenialAnswer {
  readonly lineage: string
  /** Only in this session: it is recorded and no more, for whoever asks knows what was answered in a session. */
  readonly sessionId?: string
  readonly command: string
  readonly resource: string
  readonly isAllowed: false
  readonly decidedBy: Decider
}

/** A durable denial, as the owner may see it. */
export interface Denial {
  readonly lineage: string
  readonly command: string
  readonly resource: string
  readonly decidedBy: Decider
  readonly atMs: number
}

/** What a capsule is about to do. */
export interface AccessRequest {
  readonly lineage: string
  readonly sessionId: string
  /** What its signed manifest may ever be granted. */
  readonly ceiling: readonly CeilingEntry[]
  /** Whose data it is; the lineage's own when absent. */
  readonly subject?: Did
  readonly command: string
  readonly resource: string
  /** The provider that would do it, for the log. */
  readonly providerCid?: string
}

/** Options of {@link Authority.peek}. */
export interface PeekOptions {
  /**
   * Only this token counts, and its uses do not: for what was opened with a use already taken, such as a file, and must
   * close when the token is revoked or expires.
   */
  readonly tokenCid?: string
}

/** Whether it may be done, and by what. */
export interface AccessVerdict {
  readonly isAllowed: boolean
  /** Why not. */
  readonly code?: RefusalCode
  /** CIDs of the chain that was used, or that came nearest: the root first, the token held last. Empty when none is held. */
  readonly tokens: readonly string[]
  /** Whose data it is: the root of relative resources. */
  readonly subject: Did
  /** Number of the audit entry; absent for a verdict that was only looked at. */
  readonly entry?: number
}

/** Which capsule, and what it would do, for {@link Authority.why}. */
export interface WhyQuery {
  readonly lineage: string
  readonly command: string
  readonly resource: string
  readonly subject?: Did
  readonly sessionId?: string
  /** The manifest's; the one it last ran with when absent. */
  readonly ceiling?: readonly CeilingEntry[]
}

/** One check of an {@link Explanation}: those of the token, whether one is held, its uses, and a durable denial. */
export interface ExplainedCheck {
  readonly name: CheckName | 'held' | 'uses' | 'denial'
  readonly isOk: boolean
  /** A sentence for a person. */
  readonly detail: string
  readonly code?: RefusalCode
}

/** Why something is allowed or refused: every check, the token, who decided. */
export interface Explanation {
  readonly isAllowed: boolean
  readonly code?: RefusalCode
  /** One lower-case sentence for a person. */
  readonly sentence: string
  /** Every check of the token that came nearest, also after the first that failed. */
  readonly checks: readonly ExplainedCheck[]
  /** The chain, root first; the last one is what the capsule holds. */
  readonly chain: readonly Grant[]
  /** The durable denial that keeps the shell from being asked, when there is one. */
  readonly denial?: Denial
  /** False when the capsule never ran here, so that its ceiling is not known. */
  readonly isCeilingKnown: boolean
}

/** Which grants {@link Authority.list} names. */
export interface GrantFilter {
  readonly lineage?: string
  readonly sessionId?: string
  /** Also what was revoked, used up or expired, as long as it is remembered. */
  readonly hasEnded?: boolean
}

/** Told of every grant that ends by a decision: revoked, with what was made from it, or with everything. */
export type RevocationListener = (grant: Grant, code: CapabilityErrorCode) => void

/** The token store of this device: who was granted what, what was used, and why. Opened by {@link openAuthority}. */
export interface Authority extends AsyncDisposable {
  readonly deviceDid: Did
  /** Rises when everything is revoked; a token of an earlier one is worth nothing. */
  readonly epoch: number
  /** Set when the log was not as this device wrote it: everything is refused until {@link revokeAll} begins it anew. */
  readonly damage: string | undefined
  /** The did that tokens of a lineage are for: a key of this device alone, which never leaves it. */
  audienceOf(lineage: string): Did
  /**
   * Issues a token; resolves when it is on the disk.
   *
   * @throws CapabilityError for what is no command or resource; CapsuleError `ERR_GRANT_INVALID`, `ERR_GRANT_LIMIT`,
   * `ERR_AUTHORITY_STORE`, `ERR_AUTHORITY_DAMAGED`
   */
  grant(request: GrantRequest): Promise<Grant>
  /**
   * Hands part of a token on to another lineage; revoking the token ends what was made from it.
   *
   * @throws CapabilityError `ERR_TOKEN_WIDER`, `ERR_TOKEN_DEPTH`; CapsuleError `ERR_GRANT_UNKNOWN` when `from` does not hold
   * the token, `ERR_GRANT_LIMIT`, `ERR_AUTHORITY_STORE`
   */
  delegate(delegation: Delegation): Promise<Grant>
  /** Records a denial; without a session it is durable: the shell is not asked again, until a grant that covers it. */
  remember(answer: DenialAnswer): Promise<void>
  /** Takes denials of a lineage back; all of them, or those that the patterns cover. Returns how many. */
  forget(lineage: string, what?: { readonly command: string; readonly resource: string }): Promise<number>
  /** What is decided already: by a token that is held and still good, or by a denial. Patterns are allowed. */
  recall(question: {
    readonly lineage: string
    readonly command: string
    readonly resource: string
    readonly subject?: Did
    readonly sessionId?: string
  }): 'granted' | 'denied' | undefined
  /**
   * Finds a token, verifies its chain, takes a use from every link that has a count, and records the verdict. A use is on the
   * disk before this resolves. A refusal is a verdict, never an error.
   */
  authorize(request: AccessRequest): Promise<AccessVerdict>
  /** The same, taking nothing and recording nothing. */
  peek(request: AccessRequest, options?: PeekOptions): AccessVerdict
  /** Ends one token and what was made from it. Returns those. @throws CapsuleError `ERR_GRANT_UNKNOWN` */
  revoke(tokenCid: string): Promise<Grant[]>
  /** Ends every token of a lineage and what was made from them. */
  revokeLineage(lineage: string): Promise<Grant[]>
  /** Begins a new epoch: no token issued before is worth anything. */
  revokeAll(): Promise<Grant[]>
  /** Ends what was granted for a session only. */
  endSession(sessionId: string): Promise<void>
  /** Calls `listener` at once when a grant is revoked, before that is on the disk. */
  onRevoked(listener: RevocationListener): Disposable
  list(filter?: GrantFilter): Grant[]
  denials(lineage?: string): Denial[]
  /** Every lineage of which anything is remembered. */
  lineages(): string[]
  /** Why a capsule may or may not do something now. @throws CapabilityError for what is no command or resource */
  why(query: WhyQuery): Promise<Explanation>
  readonly audit: Audit
}
