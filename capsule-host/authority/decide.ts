import {
  commandCovers,
  parseCommand,
  parseResource,
  resourceCovers,
  type CeilingEntry,
  type Check,
  type Verifier
} from '#capability'
import { errorCode } from '#contracts'
import type { Did } from '#did'
import type { RefusalCode } from './authority.ts'
import { chainOf, type AuthorityState, type HeldGrant } from './state.ts'

/** What a decision depends on, besides the state. */
export interface Question {
  readonly lineage: string
  /** Any session's tokens count when absent. */
  readonly sessionId?: string | undefined
  /** The lineage's own did. */
  readonly audience: Did
  readonly subject: Did
  readonly command: string
  readonly resource: string
  readonly ceiling: readonly CeilingEntry[]
  readonly nowMs: number
}

/** Uses of a link taken before. */
export interface LinkCount {
  readonly cid: string
  readonly used: number
}

/** What follows from the state. */
export interface Decision {
  readonly isAllowed: boolean
  readonly code?: RefusalCode
  /** The chain that allows it, or that came nearest; root first. Empty when nothing is held for it. */
  readonly chain: readonly HeldGrant[]
  /** Of each link that has a count: the uses taken before. */
  readonly counts: readonly LinkCount[]
  /** How many checks it passed. */
  readonly passed: number
}

/** What a decision is made with. */
export interface DecisionParts {
  readonly state: AuthorityState
  readonly verifier: Verifier
}

/**
 * Whether an access is allowed. Depends on its arguments only, so that a replay of the log comes to the same; takes no use. Among
 * tokens that would do, one without a count is preferred, and then the oldest.
 */
export function decide(parts: DecisionParts, question: Question): Decision {
  const { command, resource } = question
  const malformed = formError(command, resource)
  if (malformed !== undefined) return refusal(malformed)
  let nearest: Decision | undefined
  for (const grant of candidatesOf(parts.state, question)) {
    const decision = tryGrant(parts, grant, question)
    if (decision.isAllowed) return decision
    if (nearest === undefined || decision.passed > nearest.passed) nearest = decision
  }
  const isDenied = denialOf(parts.state, question) !== undefined
  if (isDenied) return { ...(nearest ?? refusal('ERR_CAPABILITY_DENIED')), code: 'ERR_CAPABILITY_DENIED' }
  return nearest ?? refusal('ERR_CAPABILITY_MISSING')
}

/** Whether one grant allows it. */
export function tryGrant(
  { state, verifier }: DecisionParts,
  grant: HeldGrant,
  question: Question & { readonly isUseTaken?: boolean }
): Decision {
  const chain = chainOf(state, grant)
  // A link is only forgotten when it could not be used any more.
  if (chain === undefined) return { ...refusal('ERR_TOKEN_REVOKED'), chain: [grant] }
  const { checks, code } = verifier.verify(
    chain.map(({ token }) => token),
    accessOf(state, question)
  )
  const counts = countsOf(chain)
  const passed = checks.filter(({ isOk }) => isOk).length
  if (code === 'ERR_TOKEN_REVOKED') return { isAllowed: false, code: endCodeOf(chain), chain, counts, passed }
  if (code !== undefined) return { isAllowed: false, code, chain, counts, passed }
  if (question.isUseTaken !== true && usedUp(chain) !== undefined) {
    return { isAllowed: false, code: 'ERR_TOKEN_USED_UP', chain, counts, passed }
  }
  return { isAllowed: true, chain, counts, passed }
}

/** Why the first link that ended did: its session may be over rather than somebody having revoked it. */
function endCodeOf(chain: readonly HeldGrant[]): RefusalCode {
  return chain.find(({ ended }) => ended !== undefined)?.ended?.code ?? 'ERR_TOKEN_REVOKED'
}

/** Every check of a chain, also after the first that fails. */
export function explainChain(
  { state, verifier }: DecisionParts,
  chain: readonly HeldGrant[],
  question: Question
): readonly Check[] {
  const tokens = chain.map(({ token }) => token)
  return verifier.verify(tokens, accessOf(state, question), { all: true }).checks
}

/** The durable denial that covers it. */
export function denialOf(
  state: AuthorityState,
  { lineage, command, resource }: Pick<Question, 'lineage' | 'command' | 'resource'>
): { readonly command: string; readonly resource: string } | undefined {
  const denials = state.lineages.get(lineage)?.denials ?? []
  return denials.find(
    (denial) => commandCovers(denial.command, command) && resourceCovers(denial.resource, resource)
  )
}

/** The link whose last use was taken. */
export function usedUp(chain: readonly HeldGrant[]): HeldGrant | undefined {
  return chain.find(({ token, used }) => used >= (token.usesMax ?? Infinity))
}

/** The tokens of a lineage for a command and a resource, in the order in which they are tried. */
function candidatesOf(state: AuthorityState, question: Question): HeldGrant[] {
  const { lineage, sessionId, command, resource } = question
  const held = state.lineages.get(lineage)?.grants.values() ?? []
  const free: HeldGrant[] = []
  const counted: HeldGrant[] = []
  for (const grant of held) {
    const { token } = grant
    if (!commandCovers(token.command, command) || !resourceCovers(token.resource, resource)) continue
    if (grant.sessionId !== undefined && sessionId !== undefined && grant.sessionId !== sessionId) continue
    const list = token.usesMax === undefined ? free : counted
    list.push(grant)
  }
  return [...free, ...counted]
}

function accessOf(state: AuthorityState, question: Question): Parameters<Verifier['verify']>[1] {
  const { audience, subject, command, resource, ceiling, nowMs } = question
  return {
    ...{ audience, subject, command, resource, ceiling, nowMs },
    root: state.device,
    epoch: state.epoch,
    isRevoked: (cid) => state.grants.get(cid)?.ended !== undefined
  }
}

function countsOf(chain: readonly HeldGrant[]): LinkCount[] {
  return chain.flatMap(({ token, used }) => (token.usesMax === undefined ? [] : [{ cid: token.cid, used }]))
}

function refusal(code: RefusalCode): Decision {
  return { isAllowed: false, code, chain: [], counts: [], passed: -1 }
}

function formError(command: string, resource: string): RefusalCode | undefined {
  try {
    parseCommand(command)
    return parseResource(resource) === resource ? undefined : 'ERR_RESOURCE_INVALID'
  } catch (thrown) {
    const code = errorCode(thrown)
    return code === 'ERR_COMMAND_INVALID' ? code : 'ERR_RESOURCE_INVALID'
  }
}
