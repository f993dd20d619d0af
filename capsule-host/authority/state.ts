import {
  commandCovers,
  decodeToken,
  resourceCovers,
  type CapabilityErrorCode,
  type CeilingEntry,
  type Token
} from '#capability'
import type { Did } from '#did'
import type { AuditEntry, GrantEntry, RevokeEntry } from './audit-types.ts'
import type { Decider, Denial, GrantScope } from './authority.ts'
import {
  CEILINGS_MAX,
  DENIALS_MAX,
  DENIALS_PER_LINEAGE_MAX,
  GRANTS_MAX,
  GRANTS_PER_LINEAGE_MAX,
  LINEAGES_MAX
} from './constants.ts'
import { ceilingHash, hashOf, NO_HASH } from './entry-codec.ts'

/** A token and what became of it. */
export interface HeldGrant {
  readonly token: Token
  readonly lineage: string
  readonly scope: GrantScope
  readonly decidedBy: Decider
  readonly sessionId?: string
  readonly reason?: string
  readonly delegatedBy?: string
  readonly grantedAtMs: number
  /** The entry that granted it. */
  readonly entry: number
  used: number
  ended?: { readonly code: CapabilityErrorCode; readonly atMs: number }
}

/** The ceiling a lineage last ran with. */
export interface KnownCeiling {
  readonly hash: string
  readonly entries: readonly CeilingEntry[]
}

/** What is known of a lineage. */
export interface LineageState {
  /** By CID, the oldest first. */
  readonly grants: Map<string, HeldGrant>
  denials: readonly Denial[]
  ceiling?: KnownCeiling
}

/** Everything the log amounts to. Only {@link applyEntry} changes it. */
export interface AuthorityState {
  device: Did
  epoch: number
  /** Hash over every revocation so far, in its order. */
  revocations: string
  readonly lineages: Map<string, LineageState>
  /** Every token of every lineage. */
  readonly grants: Map<string, HeldGrant>
}

/** The state before the first entry. */
export function createState(device: Did): AuthorityState {
  return { device, epoch: 0, revocations: NO_HASH, lineages: new Map(), grants: new Map() }
}

/**
 * Makes an entry true, and returns the grants that it ended. Depends on nothing but the state and the entry, so that a replay comes
 * to the same.
 */
export function applyEntry(state: AuthorityState, entry: AuditEntry): HeldGrant[] {
  switch (entry.kind) {
    case 'begin':
      state.device = entry.device
      state.epoch = entry.epoch
      return []
    case 'open':
      return end(state, entry, ({ sessionId }) => sessionId !== undefined)
    case 'ceiling':
      setCeiling(state, entry.lineage, entry.ceiling)
      return []
    case 'grant':
      addGrant(state, entry)
      return []
    case 'denial': {
      // What was denied for a session is known to whoever asked in it.
      if (entry.sessionId !== undefined) return []
      const { lineage, command, resource, decidedBy, timeMs } = entry
      const kept = withoutDenials(lineageOf(state, lineage), { command, resource })
      const denials = [...kept, { lineage, command, resource, decidedBy, atMs: timeMs }]
      lineageOf(state, lineage).denials = denials.slice(-DENIALS_PER_LINEAGE_MAX)
      boundDenials(state)
      return []
    }
    case 'forget': {
      const known = lineageOf(state, entry.lineage)
      const { command, resource } = entry
      const isAll = command === undefined || resource === undefined
      known.denials = isAll ? [] : withoutDenials(known, { command, resource })
      return []
    }
    case 'revoke':
      return end(state, entry, (grant) => isRevokedBy(grant, entry))
    case 'revoke-all':
      state.epoch = entry.epoch
      return end(state, entry, () => true)
    case 'session-end':
      return end(state, entry, ({ sessionId }) => sessionId === entry.sessionId)
    case 'verdict':
      if (entry.isAllowed) takeUses(state, entry.counts)
      return []
    case 'summary':
    case 'snapshot':
      return []
  }
}

/** Whether a lineage could be given one more token, after what ended is forgotten. */
export function hasRoom(state: AuthorityState, lineage: string, nowMs: number): boolean {
  const live = [...state.grants.values()].filter((grant) => !isDead(state, grant, nowMs))
  const own = live.filter((grant) => grant.lineage === lineage)
  return live.length < GRANTS_MAX && own.length < GRANTS_PER_LINEAGE_MAX
}

/** Why a grant can no longer be used, whatever ended it. */
export function endOf(state: AuthorityState, grant: HeldGrant, nowMs: number): HeldGrant['ended'] {
  const { token, ended } = grant
  if (ended !== undefined) return ended
  if (token.epoch !== state.epoch) return { code: 'ERR_TOKEN_EPOCH', atMs: nowMs }
  if (token.expiresAtMs !== null && nowMs >= token.expiresAtMs) {
    return { code: 'ERR_TOKEN_EXPIRED', atMs: token.expiresAtMs }
  }
  if (grant.used >= (token.usesMax ?? Infinity)) return { code: 'ERR_TOKEN_USED_UP', atMs: nowMs }
  return undefined
}

/** The grants from the root to this one; undefined when one of them is not remembered. */
export function chainOf(state: AuthorityState, grant: HeldGrant): HeldGrant[] | undefined {
  const chain = [grant]
  for (let { proof } = grant.token; proof !== undefined;) {
    const parent = state.grants.get(proof)
    // A chain names each link by its hash: it cannot be a ring.
    if (parent === undefined) return undefined
    chain.unshift(parent)
    proof = parent.token.proof
  }
  return chain
}

/** What is known of a lineage, made when nothing is. */
export function lineageOf(state: AuthorityState, lineage: string): LineageState {
  const known = state.lineages.get(lineage)
  if (known !== undefined) return known
  const fresh: LineageState = { grants: new Map(), denials: [] }
  if (state.lineages.size >= LINEAGES_MAX) {
    // Grants and denials have bounds of their own; a lineage with neither is only a name.
    const idle = state.lineages
      .entries()
      .find(([, { grants, denials }]) => grants.size + denials.length === 0)
    if (idle !== undefined) state.lineages.delete(idle[0])
  }
  state.lineages.set(lineage, fresh)
  return fresh
}

/** Puts a grant among those that are held. */
export function holdGrant(state: AuthorityState, grant: HeldGrant): void {
  lineageOf(state, grant.lineage).grants.set(grant.token.cid, grant)
  state.grants.set(grant.token.cid, grant)
}

function isDead(state: AuthorityState, grant: HeldGrant, nowMs: number): boolean {
  return endOf(state, grant, nowMs) !== undefined
}

function setCeiling(state: AuthorityState, lineage: string, entries: readonly CeilingEntry[]): void {
  const known = lineageOf(state, lineage)
  delete known.ceiling
  const others = [...state.lineages.values()].filter(({ ceiling }) => ceiling !== undefined)
  const oldest = others[0]
  if (others.length >= CEILINGS_MAX && oldest !== undefined) delete oldest.ceiling
  known.ceiling = { hash: ceilingHash(entries), entries }
}

function addGrant(state: AuthorityState, entry: GrantEntry): void {
  const { lineage, scope, decidedBy, sessionId, reason, delegatedBy } = entry
  makeRoom(state, lineage, entry.timeMs)
  const token = decodeToken(entry.token)
  holdGrant(state, {
    ...{ token, lineage, scope, decidedBy, used: 0, entry: entry.number, grantedAtMs: entry.timeMs },
    ...(sessionId === undefined ? {} : { sessionId }),
    ...(reason === undefined ? {} : { reason }),
    ...(delegatedBy === undefined ? {} : { delegatedBy })
  })
  const known = lineageOf(state, lineage)
  known.denials = withoutDenials(known, token)
}

/** Forgets what can no longer be used, the oldest first, until one more fits. */
function makeRoom(state: AuthorityState, lineage: string, nowMs: number): void {
  const { grants } = lineageOf(state, lineage)
  for (const grant of grants.size >= GRANTS_PER_LINEAGE_MAX ? [...grants.values()] : []) {
    if (grants.size < GRANTS_PER_LINEAGE_MAX) break
    if (isDead(state, grant, nowMs)) drop(state, grant)
  }
  for (const grant of state.grants.size >= GRANTS_MAX ? [...state.grants.values()] : []) {
    if (state.grants.size < GRANTS_MAX) break
    if (isDead(state, grant, nowMs)) drop(state, grant)
  }
}

function drop(state: AuthorityState, { token, lineage }: HeldGrant): void {
  state.grants.delete(token.cid)
  state.lineages.get(lineage)?.grants.delete(token.cid)
}

function withoutDenials(
  { denials }: LineageState,
  { command, resource }: { readonly command: string; readonly resource: string }
): Denial[] {
  return denials.filter(
    (denial) => !commandCovers(command, denial.command) || !resourceCovers(resource, denial.resource)
  )
}

/** However many lineages there are, their denials together stay within bounds. */
function boundDenials(state: AuthorityState): void {
  const all = [...state.lineages.values()]
  const count = all.reduce((sum, { denials }) => sum + denials.length, 0)
  if (count <= DENIALS_MAX) return
  const most = all.reduce((one, other) => (other.denials.length > one.denials.length ? other : one))
  most.denials = most.denials.slice(1)
}

function isRevokedBy({ token, lineage }: HeldGrant, entry: RevokeEntry): boolean {
  return token.cid === entry.cid || lineage === entry.lineage
}

/** Why what an entry ended can no longer be used; a session that is over was not revoked. */
const END_CODES: Partial<Record<AuditEntry['kind'], CapabilityErrorCode>> = {
  'revoke-all': 'ERR_TOKEN_EPOCH',
  'session-end': 'ERR_TOKEN_EXPIRED',
  open: 'ERR_TOKEN_EXPIRED'
}

/** Ends what `isMeant` names and everything made from it. */
function end(state: AuthorityState, entry: AuditEntry, isMeant: (grant: HeldGrant) => boolean): HeldGrant[] {
  const code = END_CODES[entry.kind] ?? 'ERR_TOKEN_REVOKED'
  const meant = new Set<string>()
  const ended: HeldGrant[] = []
  // A token is held before what is made from it, so that one pass finds every descendant.
  for (const grant of state.grants.values()) {
    const { cid, proof } = grant.token
    if (!isMeant(grant) && (proof === undefined || !meant.has(proof))) continue
    meant.add(cid)
    if (grant.ended !== undefined) continue
    grant.ended = { code, atMs: entry.timeMs }
    state.revocations = hashOf(Buffer.from(state.revocations, 'hex'), cid)
    ended.push(grant)
  }
  return ended
}

function takeUses(state: AuthorityState, counts: readonly { cid: string; used: number }[]): void {
  for (const { cid, used } of counts) {
    const grant = state.grants.get(cid)
    if (grant !== undefined) grant.used = used + 1
  }
}
