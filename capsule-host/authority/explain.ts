import { parseCommand, parseResource, type Check } from '#capability'
import type { Denial, Explanation, ExplainedCheck, RefusalCode, WhyQuery } from './authority.ts'
import type { AuthorityCore } from './core.ts'
import { decide, denialOf, explainChain, tryGrant, usedUp, type Question } from './decide.ts'
import { chainOf, type HeldGrant } from './state.ts'

/** Why a lineage may or may not do something now. */
export function explain(core: AuthorityCore, query: WhyQuery): Explanation {
  const known = core.state.lineages.get(query.lineage)
  const ceiling = query.ceiling ?? known?.ceiling?.entries
  const audience = core.keyOf(query.lineage).did
  const question: Question = {
    ...{ lineage: query.lineage, sessionId: query.sessionId, audience, ceiling: ceiling ?? [] },
    subject: query.subject ?? audience,
    command: parseCommand(query.command),
    resource: parseResource(query.resource),
    nowMs: core.nowMs()
  }
  const decision = decide(core, question)
  const chain = decision.chain.length > 0 ? decision.chain : nearestChain(core, question)
  const denial = denialOf(core.state, question) as Denial | undefined
  const { failure } = core
  const code = (failure?.code as RefusalCode | undefined) ?? decision.code
  return {
    isAllowed: code === undefined,
    ...(code === undefined ? {} : { code }),
    sentence: failure?.message ?? sentenceOf(question, code),
    checks: checksOf(core, { chain, question, denial }),
    chain: chain.map((grant) => core.describe(grant)),
    ...(denial === undefined ? {} : { denial }),
    isCeilingKnown: ceiling !== undefined
  }
}

/** The chain of the lineage's token that passes most checks, when none is for this command and resource. */
function nearestChain(core: AuthorityCore, question: Question): readonly HeldGrant[] {
  const held = core.state.lineages.get(question.lineage)?.grants.values() ?? []
  let nearest: { readonly chain: readonly HeldGrant[]; readonly passed: number } | undefined
  for (const grant of held) {
    const chain = chainOf(core.state, grant)
    if (chain === undefined) continue
    const passed = explainChain(core, chain, question).filter(({ isOk }) => isOk).length
    // Among equals the newest: what was asked last is what one wonders about.
    if (nearest === undefined || passed >= nearest.passed) nearest = { chain, passed }
  }
  return nearest?.chain ?? []
}

function checksOf(
  core: AuthorityCore,
  { chain, question, denial }: { chain: readonly HeldGrant[]; question: Question; denial: Denial | undefined }
): ExplainedCheck[] {
  const leaf = chain.at(-1)
  const held: ExplainedCheck =
    leaf === undefined
      ? { name: 'held', isOk: false, detail: 'no token is held', code: 'ERR_CAPABILITY_MISSING' }
      : { name: 'held', isOk: true, detail: `a token is held: ${leaf.token.cid}` }
  const checks: readonly Check[] = leaf === undefined ? [] : explainChain(core, chain, question)
  const links = checks.map((check) => (check.name === 'revocation' ? revocationCheck(chain, check) : check))
  const uses = leaf === undefined ? [] : [usesCheck(chain)]
  // A denial keeps the shell from being asked; a token that is held stays good.
  const isOverruled = leaf !== undefined && tryGrant(core, leaf, question).isAllowed
  return [held, ...links, ...uses, ...(denial === undefined ? [] : [denialCheck(denial, isOverruled)])]
}

/** To the verifier everything that ended is revoked; a person wants to know what of it was. */
function revocationCheck(chain: readonly HeldGrant[], check: Check): ExplainedCheck {
  const over = chain.find(({ ended }) => ended !== undefined)
  if (check.isOk || over?.ended?.code !== 'ERR_TOKEN_EXPIRED') return check
  return { ...check, detail: `${over.token.cid} was for a session that is over`, code: 'ERR_TOKEN_EXPIRED' }
}

function usesCheck(chain: readonly HeldGrant[]): ExplainedCheck {
  const spent = usedUp(chain)
  if (spent !== undefined) {
    const { cid, usesMax = 0 } = spent.token
    return {
      name: 'uses',
      isOk: false,
      detail: `all ${usesMax} uses of ${cid} were taken`,
      code: 'ERR_TOKEN_USED_UP'
    }
  }
  const counted = chain.filter(({ token }) => token.usesMax !== undefined)
  const left = counted.map(({ token, used }) => (token.usesMax ?? 0) - used)
  const detail = left.length === 0 ? 'its uses are not counted' : `${Math.min(...left)} uses are left`
  return { name: 'uses', isOk: true, detail }
}

function denialCheck({ command, resource, decidedBy }: Denial, isOverruled: boolean): ExplainedCheck {
  return {
    name: 'denial',
    isOk: isOverruled,
    detail: `${decidedBy} denied ${command} on ${resource} for good`,
    ...(isOverruled ? {} : { code: 'ERR_CAPABILITY_DENIED' as const })
  }
}

/** One sentence for a person; the checks have the details. */
function sentenceOf({ command, resource }: Question, code: RefusalCode | undefined): string {
  const what = `${command} on ${resource}`
  switch (code) {
    case undefined:
      return `${what} is allowed`
    case 'ERR_CAPABILITY_MISSING':
      return `${what} is refused: nobody granted it`
    case 'ERR_CAPABILITY_DENIED':
      return `${what} is refused: it was denied for good ('elastos grant forget' takes that back)`
    case 'ERR_TOKEN_REVOKED':
      return `${what} is refused: it was granted, and then revoked`
    case 'ERR_TOKEN_EPOCH':
      return `${what} is refused: it was granted, and then everything was revoked`
    case 'ERR_TOKEN_EXPIRED':
      return `${what} is refused: it was granted, and that has expired`
    case 'ERR_TOKEN_USED_UP':
      return `${what} is refused: it was granted, and every use was taken`
    case 'ERR_TOKEN_CEILING':
      return `${what} is refused: the manifest never asked for it`
    default:
      return `${what} is refused: ${code}`
  }
}
