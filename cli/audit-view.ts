import type { AuditEntryStatus } from '#contracts'
import { capsuleName, shortToken } from './grant-view.ts'

/** An entry of the audit log as one line. */
export function describeEntry(entry: AuditEntryStatus): string {
  const time = new Date(entry.timeMs).toISOString()
  return `${time} ${String(entry.number).padStart(6)} ${entry.kind.padEnd(11)} ${detailsOf(entry)}`.trimEnd()
}

function detailsOf(entry: AuditEntryStatus): string {
  switch (entry.kind) {
    case 'begin':
      return `of ${text(entry, 'device')}${has(entry, 'after') ? `, anew, because ${text(entry, 'after')}` : ''}`
    case 'verdict':
      return verdictDetails(entry)
    case 'grant': {
      const by = has(entry, 'delegatedBy')
        ? `handed on by ${text(entry, 'delegatedBy')}`
        : text(entry, 'decidedBy')
      const reason = has(entry, 'reason') ? ` “${text(entry, 'reason')}”` : ''
      return `${capsuleOf(entry)} ${shortToken(text(entry, 'cid'))} ${text(entry, 'scope')} by ${by}${reason}`
    }
    case 'denial':
      return `${capsuleOf(entry)} ${has(entry, 'sessionId') ? 'not now' : 'never'} ${text(entry, 'command')} of ${text(entry, 'resource')} by ${text(entry, 'decidedBy')}`
    case 'revoke':
      return has(entry, 'cid') ? shortToken(text(entry, 'cid')) : `everything of ${capsuleOf(entry)}`
    case 'revoke-all':
      return `everything; epoch ${entry.epoch}`
    case 'summary':
      return `${capsuleOf(entry)} ${text(entry, 'allowed')} more allowed and ${text(entry, 'refused')} more refused, too fast to list`
    case 'session-end':
      return text(entry, 'sessionId')
    case 'ceiling':
      return `${capsuleOf(entry)} may ask for ${countOf(entry, 'ceiling')} things`
    case 'forget':
      return `what was denied to ${capsuleOf(entry)}`
    default:
      return ''
  }
}

function verdictDetails(entry: AuditEntryStatus): string {
  const isAllowed = entry['isAllowed'] === true
  const verdict = isAllowed ? '✓' : `✗ ${text(entry, 'code')}`
  const tokens = entry['tokens']
  const token: unknown = Array.isArray(tokens) ? tokens.at(-1) : undefined
  const by = typeof token === 'string' ? ` by ${shortToken(token)}` : ''
  return `${verdict} ${capsuleOf(entry)} ${text(entry, 'command')} of ${text(entry, 'resource')}${by}`
}

function capsuleOf(entry: AuditEntryStatus): string {
  return capsuleName({ lineage: text(entry, 'lineage') })
}

function has(entry: AuditEntryStatus, name: string): boolean {
  return entry[name] !== undefined
}

function text(entry: AuditEntryStatus, name: string): string {
  const value = entry[name]
  return typeof value === 'string' || typeof value === 'number' ? String(value) : ''
}

function countOf(entry: AuditEntryStatus, name: string): number {
  const value = entry[name]
  return Array.isArray(value) ? value.length : 0
}
