import type { DenialStatus, GrantStatus } from '#contracts'

/** Characters of a token's CID that are shown: its end, for the beginning is the same in all. */
const TOKEN_CHARS = 12

/** How a token is called on the command line. */
export function shortToken(cid: string): string {
  return cid.slice(-TOKEN_CHARS)
}

/** What a person calls a capsule. */
export function capsuleName({
  alias,
  lineage
}: {
  readonly alias?: string
  readonly lineage: string
}): string {
  if (alias !== undefined) return alias
  const [publisher = '', ...name] = lineage.split('/')
  return publisher.length > 24 ? `${publisher.slice(0, 16)}…/${name.join('/')}` : lineage
}

/** A moment, to the minute. */
export function formatTime(timeMs: number): string {
  return `${new Date(timeMs).toISOString().slice(0, 16).replace('T', ' ')}Z`
}

/** How long a grant lasts, and what is left of it. */
export function describeDuration(grant: GrantStatus): string {
  const { scope, expiresAtMs, usesMax, used, ended } = grant
  if (scope === 'session' && ended?.code === 'ERR_TOKEN_EXPIRED') return 'its session is over'
  if (ended !== undefined) return ENDS[ended.code] ?? ended.code
  const uses = usesMax === undefined ? '' : `, ${usesMax - used} of ${usesMax} uses left`
  switch (scope) {
    case 'once':
      return `once, until ${formatTime(expiresAtMs ?? 0)}`
    case 'session':
      return `this session${uses}`
    case 'day':
      return `until ${formatTime(expiresAtMs ?? 0)}${uses}`
    case 'always':
      return `always${uses}`
  }
}

const ENDS: Readonly<Record<string, string>> = {
  ERR_TOKEN_REVOKED: 'revoked',
  ERR_TOKEN_EPOCH: 'revoked with everything',
  ERR_TOKEN_EXPIRED: 'expired',
  ERR_TOKEN_USED_UP: 'used up'
}

/** Who decided. */
export function describeDecider(decidedBy: GrantStatus['decidedBy']): string {
  if (decidedBy === 'person') return 'you'
  return decidedBy === 'auto' ? 'nobody: the shell allows all' : 'a rule'
}

/** A row of the table of grants. */
export function grantRow(grant: GrantStatus): string[] {
  const { cid, command, resource, decidedBy, delegatedBy, grantedAtMs } = grant
  const by = delegatedBy === undefined ? describeDecider(decidedBy) : `handed on by ${delegatedBy}`
  return [
    shortToken(cid),
    capsuleName(grant),
    command,
    resource,
    describeDuration(grant),
    by,
    formatTime(grantedAtMs)
  ]
}

/** A row of the table of denials. */
export function denialRow(denial: DenialStatus): string[] {
  const { command, resource, decidedBy, atMs } = denial
  return [capsuleName(denial), command, resource, describeDecider(decidedBy), formatTime(atMs)]
}
