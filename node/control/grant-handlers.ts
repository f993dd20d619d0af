import { CapsuleError, type Authority, type Denial, type Grant, type RecordedEntry } from '#capsule-host'
import type { AuditEntryStatus, DenialStatus, GrantStatus, WhyStatus } from '#contracts'
import type { CapsuleRuntime } from '../capsule-runtime.ts'
import type { Capsules } from '../capsules.ts'
import { NodeError } from '../errors.ts'
import type { InstalledCapsules } from '../installed-capsules.ts'
import type { Handler, HandlersOf } from './handlers.ts'

type GrantMethod =
  | 'grant.list'
  | 'grant.revoke'
  | 'grant.revoke-all'
  | 'grant.forget'
  | 'grant.why'
  | 'audit.entries'
  | 'audit.verify'
  | 'audit.replay'

/** What the handlers act on. */
export interface GrantHandlerParts {
  readonly runtime: Pick<CapsuleRuntime, 'authority'>
  readonly capsules: Pick<Capsules, 'verify'>
  readonly installed: { readonly lifecycle: Pick<InstalledCapsules['lifecycle'], 'find' | 'lookup' | 'list'> }
  /** A lineage for `PETNAME/NAME`; other text as it is. */
  readonly toLineage: (target: string) => string
}

/** Grants, or denials, that ride in one answer. */
const ROWS_MAX = 500
/** Entries of the audit log that ride in one answer or event. */
const ENTRIES_MAX = 200
/** The end of a token's CID that names it, at least. */
const TOKEN_CHARS_MIN = 6

/** What capsules were granted, and what was decided, for commands. */
export function createGrantHandlers(parts: GrantHandlerParts): HandlersOf<GrantMethod> {
  const { runtime } = parts
  return {
    'grant.list': async ({ capsule, all = false }) => {
      const authority = await runtime.authority()
      const lineage = capsule === undefined ? undefined : findLineage(parts, authority, capsule)
      const grants = authority.list({ hasEnded: all, ...(lineage === undefined ? {} : { lineage }) })
      const denials = authority.denials(lineage)
      const { epoch, damage } = authority
      return {
        epoch,
        grants: grants.slice(-ROWS_MAX).map((grant) => describeGrant(parts, grant)),
        denials: denials.slice(-ROWS_MAX).map((denial) => describeDenial(parts, denial)),
        isCut: grants.length > ROWS_MAX || denials.length > ROWS_MAX,
        ...(damage === undefined ? {} : { damage })
      }
    },
    'grant.revoke': async ({ what }) => {
      const authority = await runtime.authority()
      const token = findToken(authority, what)
      const revoked =
        token === undefined
          ? await authority.revokeLineage(findLineage(parts, authority, what))
          : await authority.revoke(token)
      return { revoked: revoked.map((grant) => describeGrant(parts, grant)) }
    },
    'grant.revoke-all': async () => {
      const authority = await runtime.authority()
      const wasDamaged = authority.damage !== undefined
      const { length } = await authority.revokeAll()
      return { epoch: authority.epoch, revoked: length, wasDamaged }
    },
    'grant.forget': async ({ capsule }) => {
      const authority = await runtime.authority()
      const lineage = findLineage(parts, authority, capsule)
      return { lineage, forgotten: await authority.forget(lineage) }
    },
    'grant.why': createWhyHandler(parts),
    'audit.entries': createEntriesHandler(parts),
    'audit.verify': async (_params, { signal }) => await (await runtime.authority()).audit.verify({ signal }),
    'audit.replay': async (_params, { signal }) => {
      const report = await (await runtime.authority()).audit.replay({ signal })
      return { ...report, differences: [...report.differences] }
    }
  }
}

function createWhyHandler(parts: GrantHandlerParts): Handler<'grant.why'> {
  return async ({ capsule, command, resource }, { signal }): Promise<WhyStatus> => {
    const authority = await parts.runtime.authority()
    const lineage = findLineage(parts, authority, capsule)
    const installed = parts.installed.lifecycle.lookup(lineage)
    // What is installed is asked itself what it may ever ask for; anything else by what it last ran with.
    const ceiling =
      installed === undefined
        ? undefined
        : (await parts.capsules.verify(installed.current, { signal })).opened.manifest.capabilities
    const { chain, denial, checks, ...why } = await authority.why({
      ...{ lineage, command, resource },
      ...(ceiling === undefined ? {} : { ceiling })
    })
    return {
      ...{ lineage, command, resource, ...why },
      checks: [...checks],
      chain: chain.map((grant) => describeGrant(parts, grant)),
      ...(denial === undefined ? {} : { denial: describeDenial(parts, denial) })
    }
  }
}

function createEntriesHandler({ runtime }: GrantHandlerParts): Handler<'audit.entries'> {
  return async ({ from, limit = ENTRIES_MAX, follow = false }, { signal, emit }) => {
    const { audit } = await runtime.authority()
    // Listened to before it is read, so that no entry falls between.
    const following = follow ? audit.follow(signal)[Symbol.asyncIterator]() : undefined
    const coming = following?.next()
    const read = await audit.entries({ limit, ...(from === undefined ? {} : { from }) })
    if (following === undefined || coming === undefined) return { entries: read.map(describeEntry) }
    await emit({ kind: 'audit', entries: read.map(describeEntry) })
    const last = read.at(-1)?.number ?? -1
    for (let next = await coming; next.done !== true; next = await following.next()) {
      if (next.value.number > last) await emit({ kind: 'audit', entries: [describeEntry(next.value)] })
    }
    return { entries: [] }
  }
}

/** The token that a CID, or at least six characters at its end, names. @throws CapsuleError when several end so */
function findToken(authority: Authority, text: string): string | undefined {
  if (text.length < TOKEN_CHARS_MIN) return undefined
  const matching = authority.list({ hasEnded: true }).filter(({ cid }) => cid.endsWith(text))
  if (matching.length > 1) {
    throw new CapsuleError('ERR_GRANT_UNKNOWN', 'expected more of the token: several end so')
  }
  return matching[0]?.cid
}

/**
 * The lineage that an alias, a lineage, `PETNAME/NAME` or the name of a capsule that ran here means.
 *
 * @throws NodeError `ERR_TARGET_INVALID` when several capsules have that name; CapsuleError `ERR_CAPSULE_NOT_INSTALLED`
 */
function findLineage(
  { installed, toLineage }: GrantHandlerParts,
  authority: Authority,
  text: string
): string {
  const wanted = toLineage(text)
  const known = authority.lineages()
  const found = installed.lifecycle.lookup(wanted)?.lineage ?? known.find((lineage) => lineage === wanted)
  if (found !== undefined) return found
  const named = known.filter((lineage) => lineage.endsWith(`/${wanted}`))
  const [only] = named
  if (named.length > 1) {
    throw new NodeError(
      'ERR_TARGET_INVALID',
      `expected one capsule, several are called so: ${named.join(', ')}`
    )
  }
  return only ?? installed.lifecycle.find(wanted).lineage
}

function describeGrant({ installed }: GrantHandlerParts, grant: Grant): GrantStatus {
  const alias = installed.lifecycle.lookup(grant.lineage)?.alias
  return { ...grant, ...(alias === undefined ? {} : { alias }) }
}

function describeDenial({ installed }: GrantHandlerParts, denial: Denial): DenialStatus {
  const alias = installed.lifecycle.lookup(denial.lineage)?.alias
  return { ...denial, ...(alias === undefined ? {} : { alias }) }
}

/** An entry without the bytes of a token: its CID names it, and the token itself stays here. */
function describeEntry(entry: RecordedEntry): AuditEntryStatus {
  if (entry.kind !== 'grant') return { ...entry }
  const { token: _token, ...rest } = entry
  return { ...rest }
}
