import { parseCommand, parseResource, type CeilingEntry } from '#capability'
import { parseDid } from '#did'
import type { AccessRequest, AccessVerdict, PeekOptions, RefusalCode } from './authority.ts'
import {
  CEILING_BYTES_MAX,
  CEILING_ENTRIES_MAX,
  LINEAGE_CHARS_MAX,
  REASON_CHARS_MAX,
  REFUSED_NAME_CHARS_MAX,
  SESSION_ID_CHARS_MAX
} from './constants.ts'
import type { AuthorityCore } from './core.ts'
import { decide, tryGrant, type Decision, type Question } from './decide.ts'
import { ceilingHash } from './entry-codec.ts'
import type { NewEntry } from './journal.ts'
import { VerdictBudget } from './verdict-budget.ts'

/** How often a verdict is derived again because its token was revoked while the use was being written. */
const ATTEMPTS_MAX = 3

/** Verdicts: derived from the state, written to the log, and only then told. */
export class AccessDesk implements Disposable {
  readonly #core: AuthorityCore
  readonly #budget: VerdictBudget

  constructor(core: AuthorityCore) {
    this.#core = core
    this.#budget = new VerdictBudget(core.components.clock, (summary) => {
      if (core.failure === undefined) core.record({ kind: 'summary', ...summary })
    })
  }

  async authorize(request: AccessRequest, attempt = 1): Promise<AccessVerdict> {
    const core = this.#core
    const { failure } = core
    const question = this.#questionOf(request)
    if (failure !== undefined) return refused(question, failure.code as RefusalCode)
    if (!isBounded(request) || !this.#noteCeiling(request.lineage, request.ceiling)) {
      return refused(question, 'ERR_GRANT_INVALID')
    }
    const decision = decide(core, question)
    const takesUse = decision.isAllowed && decision.counts.length > 0
    const entry = this.#record(request, question, decision)
    const verdict = { ...verdictOf(question, decision), ...(entry === undefined ? {} : { entry }) }
    try {
      if (entry !== undefined && (takesUse || core.journal.isFull)) await core.journal.durable(entry)
      await core.settled()
    } catch {
      return refused(question, 'ERR_AUTHORITY_STORE')
    }
    if (!decision.isAllowed || this.#isStillGood(decision)) return verdict
    // Revoked while it waited for the disk: the use is burnt, and whoever revoked it was heard.
    if (attempt < ATTEMPTS_MAX) return await this.authorize(request, attempt + 1)
    return refused(question, 'ERR_TOKEN_REVOKED')
  }

  peek(request: AccessRequest, { tokenCid }: PeekOptions = {}): AccessVerdict {
    const core = this.#core
    const question = this.#questionOf(request)
    const { failure } = core
    if (failure !== undefined) return refused(question, failure.code as RefusalCode)
    if (tokenCid === undefined) {
      const decision = decide(core, question)
      const isDurable = decision.chain.every(({ entry }) => entry <= core.journal.durableNumber)
      return isDurable ? verdictOf(question, decision) : refused(question, 'ERR_CAPABILITY_MISSING')
    }
    const grant = core.state.grants.get(tokenCid)
    const isOurs =
      grant?.lineage === request.lineage && (grant.sessionId ?? request.sessionId) === request.sessionId
    if (grant === undefined || !isOurs) return refused(question, 'ERR_CAPABILITY_MISSING')
    return verdictOf(question, tryGrant(core, grant, { ...question, isUseTaken: true }))
  }

  /** Writes what is summed up of a session that is over. */
  endSession(sessionId: string): void {
    this.#budget.end(sessionId)
  }

  /** Writes everything that is summed up. */
  writeSummaries(): void {
    this.#budget.writeAll()
  }

  [Symbol.dispose](): void {
    this.#budget[Symbol.dispose]()
  }

  #questionOf(request: AccessRequest): Question {
    const audience = this.#core.keyOf(request.lineage).did
    return {
      ...{ lineage: request.lineage, sessionId: request.sessionId, audience, ceiling: request.ceiling },
      subject: request.subject ?? audience,
      ...namesOf(request),
      nowMs: Math.max(0, Math.trunc(this.#core.nowMs()))
    }
  }

  /** The ceiling is in the log once, before the first verdict that depends on it. False for one that cannot be. */
  #noteCeiling(lineage: string, ceiling: readonly CeilingEntry[]): boolean {
    const known = this.#core.state.lineages.get(lineage)?.ceiling
    if (known?.hash === ceilingHash(ceiling)) return true
    const entries = ceiling.map(({ command, resource }) => ({ command, resource }))
    if (!isCeiling(entries)) return false
    this.#core.record({ kind: 'ceiling', lineage, ceiling: entries })
    return true
  }

  /** The number of the verdict's entry; undefined when it was summed up. */
  #record(request: AccessRequest, question: Question, decision: Decision): number | undefined {
    const { lineage, sessionId, providerCid } = request
    const takesUse = decision.isAllowed && decision.counts.length > 0
    if (!takesUse && !this.#budget.take(lineage, sessionId, decision.isAllowed)) return undefined
    const { subject, command, resource } = question
    const decidedBy = decision.chain.at(-1)?.decidedBy
    const entry: NewEntry = {
      kind: 'verdict',
      ...{ lineage, sessionId, subject, command, resource },
      ...(providerCid === undefined ? {} : { provider: providerCid }),
      ceiling: ceilingHash(request.ceiling),
      revocations: this.#core.state.revocations,
      tokens: decision.chain.map(({ token }) => token.cid),
      counts: decision.counts,
      isAllowed: decision.isAllowed,
      ...(decision.code === undefined ? {} : { code: decision.code }),
      ...(decidedBy === undefined ? {} : { decidedBy })
    }
    return this.#core.record(entry).number
  }

  #isStillGood({ chain }: Decision): boolean {
    const { epoch } = this.#core.state
    return chain.every(({ token, ended }) => ended === undefined && token.epoch === epoch)
  }
}

/** Command and resource in their normal form; what has none stays as it came, within bounds, for the log. */
export function namesOf({ command, resource }: { readonly command: string; readonly resource: string }): {
  command: string
  resource: string
} {
  try {
    return { command: parseCommand(command), resource: parseResource(resource) }
  } catch {
    return { command: kept(command), resource: kept(resource) }
  }
}

/** Text that a log can hold: a lone surrogate has no encoding, and quoted it is no name either. */
function kept(text: string): string {
  return (text.isWellFormed() ? text : JSON.stringify(text)).slice(0, REFUSED_NAME_CHARS_MAX).toWellFormed()
}

/** Everything of a request that the log repeats, besides its names. */
function isBounded({ lineage, sessionId, ceiling, subject, providerCid = '' }: AccessRequest): boolean {
  return (
    isLogText(lineage, LINEAGE_CHARS_MAX) &&
    lineage !== '' &&
    isLogText(sessionId, SESSION_ID_CHARS_MAX) &&
    isLogText(providerCid, REASON_CHARS_MAX) &&
    ceiling.length <= CEILING_ENTRIES_MAX &&
    (subject === undefined || isDid(subject))
  )
}

function isCeiling(entries: readonly CeilingEntry[]): boolean {
  const texts = entries.flatMap(({ command, resource }) => [command, resource])
  const bytes = texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0)
  return bytes <= CEILING_BYTES_MAX && texts.every((text) => isLogText(text, REFUSED_NAME_CHARS_MAX))
}

function isLogText(text: string, charsMax: number): boolean {
  return text.length <= charsMax && text.isWellFormed()
}

function isDid(text: string): boolean {
  try {
    return parseDid(text) === text
  } catch {
    return false
  }
}

function verdictOf({ subject }: Question, { isAllowed, code, chain }: Decision): AccessVerdict {
  const tokens = chain.map(({ token }) => token.cid)
  return { isAllowed, ...(code === undefined ? {} : { code }), tokens, subject }
}

function refused({ subject }: Question, code: RefusalCode): AccessVerdict {
  return { isAllowed: false, code, tokens: [], subject }
}
