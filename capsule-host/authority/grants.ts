import {
  CapabilityError,
  CHAIN_LINKS_MAX,
  commandCovers,
  issueToken,
  parseCommandPattern,
  parseResourcePattern,
  resourceCovers,
  type Token
} from '#capability'
import { CapsuleError } from '../errors.ts'
import { printable } from '../text.ts'
import type {
  Authority,
  Delegation,
  Denial,
  DenialAnswer,
  Grant,
  GrantFilter,
  GrantRequest,
  GrantScope
} from './authority.ts'
import {
  DAY_GRANT_MS,
  GRANTS_PER_LINEAGE_MAX,
  LINEAGE_CHARS_MAX,
  ONCE_GRANT_MS,
  REASON_CHARS_MAX,
  SESSION_GRANT_MS,
  SESSION_ID_CHARS_MAX
} from './constants.ts'
import type { AuthorityCore } from './core.ts'
import { chainOf, endOf, hasRoom, type HeldGrant } from './state.ts'

/** Issues a token and holds it. */
export async function grantToken(core: AuthorityCore, request: GrantRequest): Promise<Grant> {
  core.assertUsable()
  const { lineage, scope, sessionId, decidedBy, subject } = request
  assertNames(lineage, sessionId)
  if (scope === 'session' && sessionId === undefined) throw invalid('a grant for a session names the session')
  const usesMax = scope === 'once' ? 1 : request.usesMax
  const token = issueToken(
    core.components.device,
    {
      ...{ audience: core.keyOf(lineage).did, command: request.command, resource: request.resource },
      ...(subject === undefined ? {} : { subject }),
      ...(usesMax === undefined ? {} : { usesMax }),
      ...{ expiresAtMs: expiryOf(scope, core.nowMs()), epoch: core.state.epoch }
    },
    core.components.random
  )
  const reason = request.reason === undefined ? undefined : printable(request.reason, REASON_CHARS_MAX)
  const details = { lineage, scope, decidedBy, sessionId, reason }
  return await hold(core, token, sameAs(core, token, details) ?? details)
}

/** Hands part of a token on. */
export async function delegateToken(core: AuthorityCore, delegation: Delegation): Promise<Grant> {
  core.assertUsable()
  const { from, tokenCid, to, toSessionId, narrower } = delegation
  assertNames(to, toSessionId)
  const held = core.state.grants.get(tokenCid)
  if (held?.lineage !== from) throw unknown(tokenCid)
  const chain = chainOf(core.state, held)
  const ended = chain?.map((link) => endOf(core.state, link, core.nowMs())).find((end) => end !== undefined)
  if (chain === undefined || ended !== undefined) {
    throw new CapabilityError(ended?.code ?? 'ERR_TOKEN_REVOKED', `${tokenCid} can no longer be handed on`)
  }
  if (chain.length >= CHAIN_LINKS_MAX) {
    throw new CapabilityError(
      'ERR_TOKEN_DEPTH',
      `expected at most ${CHAIN_LINKS_MAX} links, ${tokenCid} has them`
    )
  }
  const { token } = held
  const child = issueToken(
    core.keyOf(from),
    {
      audience: core.keyOf(to).did,
      command: narrower.command ?? token.command,
      resource: narrower.resource ?? token.resource,
      expiresAtMs: narrower.expiresAtMs ?? token.expiresAtMs,
      ...(narrower.usesMax === undefined ? {} : { usesMax: narrower.usesMax }),
      ...{ epoch: token.epoch, parent: token }
    },
    core.components.random
  )
  const { scope, decidedBy } = held
  return await hold(core, child, { lineage: to, scope, decidedBy, sessionId: toSessionId, delegatedBy: from })
}

/** Remembers a denial. */
export async function rememberDenial(core: AuthorityCore, answer: DenialAnswer): Promise<void> {
  core.assertUsable()
  const { lineage, sessionId, decidedBy } = answer
  assertNames(lineage, sessionId)
  const command = parseCommandPattern(answer.command)
  const resource = parseResourcePattern(answer.resource)
  const session = sessionId === undefined ? {} : { sessionId }
  core.record({ kind: 'denial', lineage, command, resource, decidedBy, ...session })
  await core.settled()
}

/** Takes denials back. */
export async function forgetDenials(
  core: AuthorityCore,
  lineage: string,
  what?: { readonly command: string; readonly resource: string }
): Promise<number> {
  core.assertUsable()
  const before = core.state.lineages.get(lineage)?.denials.length ?? 0
  if (before === 0) return 0
  const patterns =
    what === undefined
      ? {}
      : { command: parseCommandPattern(what.command), resource: parseResourcePattern(what.resource) }
  core.record({ kind: 'forget', lineage, ...patterns })
  await core.settled()
  return before - (core.state.lineages.get(lineage)?.denials.length ?? 0)
}

/** What is decided already. */
export function recallAnswer(
  core: AuthorityCore,
  question: Parameters<Authority['recall']>[0]
): ReturnType<Authority['recall']> {
  const known = core.state.lineages.get(question.lineage)
  if (known === undefined || core.failure !== undefined) return undefined
  const command = parseCommandPattern(question.command)
  const resource = parseResourcePattern(question.resource)
  const subject = question.subject ?? core.keyOf(question.lineage).did
  const covers = (pattern: { readonly command: string; readonly resource: string }): boolean =>
    commandCovers(pattern.command, command) && resourceCovers(pattern.resource, resource)
  for (const grant of known.grants.values()) {
    const { sessionId, token } = grant
    if (!covers(token) || token.subject !== subject) continue
    if (sessionId !== undefined && sessionId !== question.sessionId) continue
    if (core.describe(grant).ended === undefined) return 'granted'
  }
  return known.denials.some(covers) ? 'denied' : undefined
}

/** Ends one token and what was made from it. */
export async function revokeToken(core: AuthorityCore, cid: string): Promise<Grant[]> {
  core.assertUsable()
  const held = core.state.grants.get(cid)
  if (held === undefined) throw unknown(cid)
  // What ended already needs no entry, but whoever asks may rely on its being on the disk.
  if (held.ended === undefined) return await endWith(core, () => core.record({ kind: 'revoke', cid }))
  await core.settled()
  return []
}

/** Ends every token of a lineage. */
export async function revokeLineage(core: AuthorityCore, lineage: string): Promise<Grant[]> {
  core.assertUsable()
  if (core.state.lineages.get(lineage) === undefined) return []
  return await endWith(core, () => core.record({ kind: 'revoke', lineage }))
}

/** Ends what a change of the log ends, and names it. */
export async function endWith(core: AuthorityCore, change: () => unknown): Promise<Grant[]> {
  const live = liveGrants(core)
  change()
  const ended = live.filter(({ ended: end }) => end !== undefined).map((grant) => core.describe(grant))
  await core.settled()
  return ended
}

/** Grants, the oldest first. */
export function listGrants(core: AuthorityCore, filter: GrantFilter = {}): Grant[] {
  return [...core.state.grants.values()]
    .filter(({ lineage }) => filter.lineage === undefined || lineage === filter.lineage)
    .filter(({ sessionId }) => filter.sessionId === undefined || sessionId === filter.sessionId)
    .map((grant) => core.describe(grant))
    .filter(({ ended }) => filter.hasEnded === true || ended === undefined)
}

/** Durable denials, of one lineage or of all. */
export function listDenials(core: AuthorityCore, lineage?: string): Denial[] {
  return [...core.state.lineages].flatMap(([name, { denials }]) =>
    lineage === undefined || lineage === name ? denials : []
  )
}

interface HoldDetails {
  readonly lineage: string
  readonly scope: GrantScope
  readonly decidedBy: GrantRequest['decidedBy']
  readonly sessionId?: string | undefined
  readonly reason?: string | undefined
  readonly delegatedBy?: string
}

async function hold(core: AuthorityCore, token: Token, details: HoldDetails | HeldGrant): Promise<Grant> {
  if ('token' in details) {
    await core.settled()
    return core.describe(details)
  }
  const { lineage, scope, decidedBy, sessionId, reason, delegatedBy } = details
  if (!hasRoom(core.state, lineage, core.nowMs())) {
    throw new CapsuleError(
      'ERR_GRANT_LIMIT',
      `expected at most ${GRANTS_PER_LINEAGE_MAX} tokens of ${lineage}; revoke some with 'elastos grant revoke'`
    )
  }
  const { cid, bytes } = token
  core.record({
    kind: 'grant',
    ...{ lineage, cid, token: Uint8Array.from(bytes), scope, decidedBy },
    ...(sessionId === undefined ? {} : { sessionId }),
    ...(reason === undefined ? {} : { reason }),
    ...(delegatedBy === undefined ? {} : { delegatedBy })
  })
  await core.settled()
  const held = core.state.grants.get(cid)
  if (held === undefined) throw unknown(cid)
  return core.describe(held)
}

/** A token without a count that says the same already, so that asking again fills no store. */
function sameAs(core: AuthorityCore, token: Token, details: HoldDetails): HeldGrant | undefined {
  if (token.usesMax !== undefined || details.scope === 'day') return undefined
  const held = core.state.lineages.get(details.lineage)?.grants.values() ?? []
  for (const grant of held) {
    const other = grant.token
    const isSame =
      other.command === token.command && other.resource === token.resource && other.subject === token.subject
    const isAsLong = grant.scope === details.scope && grant.sessionId === details.sessionId
    if (!isSame || !isAsLong || other.usesMax !== undefined || other.proof !== undefined) continue
    if (endOf(core.state, grant, core.nowMs()) === undefined) return grant
  }
  return undefined
}

function liveGrants(core: AuthorityCore): HeldGrant[] {
  return [...core.state.grants.values()].filter(({ ended }) => ended === undefined)
}

function expiryOf(scope: GrantScope, nowMs: number): number | null {
  switch (scope) {
    case 'once':
      return Math.trunc(nowMs) + ONCE_GRANT_MS
    case 'session':
      return Math.trunc(nowMs) + SESSION_GRANT_MS
    case 'day':
      return Math.trunc(nowMs) + DAY_GRANT_MS
    case 'always':
      return null
  }
}

function assertNames(lineage: string, sessionId = ''): void {
  if (lineage === '' || lineage.length > LINEAGE_CHARS_MAX || !lineage.isWellFormed()) {
    throw invalid(`expected a lineage of at most ${LINEAGE_CHARS_MAX} characters`)
  }
  if (sessionId.length > SESSION_ID_CHARS_MAX || !sessionId.isWellFormed()) {
    throw invalid(`expected a session of at most ${SESSION_ID_CHARS_MAX} characters`)
  }
}

function invalid(message: string): CapsuleError {
  return new CapsuleError('ERR_GRANT_INVALID', message)
}

function unknown(cid: string): CapsuleError {
  return new CapsuleError('ERR_GRANT_UNKNOWN', `expected a token that is held, got ${printable(cid, 80)}`)
}
