import { verifySignature, type Did } from '#did'
import { commandCovers, isCommand } from './command.ts'
import { CHAIN_LINKS_MAX } from './constants.ts'
import { CapabilityError, type CapabilityErrorCode } from './errors.ts'
import { widerBound } from './issue-token.ts'
import { parseResource, resourceCovers } from './resource.ts'
import type { Token } from './token.ts'
import { signedParts } from './token-codec.ts'

/** One thing a manifest's author asked for: a pattern of commands on a pattern of resources, both parsed. */
export interface CeilingEntry {
  readonly command: string
  readonly resource: string
}

/** What somebody is about to do, and everything the verdict may depend on. */
export interface Access {
  /** The verifying device: the only root there is. */
  readonly root: Did
  /** Who acts. */
  readonly audience: Did
  /** Whose data it is about. */
  readonly subject: Did
  /** One command, not a pattern. */
  readonly command: string
  /** One resource in its normal form, not a pattern. */
  readonly resource: string
  readonly nowMs: number
  /** The verifying device's epoch. */
  readonly epoch: number
  /** The most the acting capsule may ever be granted. */
  readonly ceiling: readonly CeilingEntry[]
  isRevoked(cid: string): boolean
}

/** The names of the checks, in their order. */
export type CheckName =
  | 'version'
  | 'signature'
  | 'chain'
  | 'narrowing'
  | 'root'
  | 'audience'
  | 'subject'
  | 'command'
  | 'resource'
  | 'not before'
  | 'expiry'
  | 'epoch'
  | 'revocation'
  | 'ceiling'

/** One check and how it went. */
export interface Check {
  readonly name: CheckName
  readonly isOk: boolean
  /** A sentence for a person. */
  readonly detail: string
  /** Why not, when not. */
  readonly code?: CapabilityErrorCode
}

/** Whether an access is allowed; `code` is that of the first check that failed. */
export interface Verdict {
  readonly isAllowed: boolean
  readonly code?: CapabilityErrorCode
  /** Up to and including the first refusal, or with `all` every one. */
  readonly checks: readonly Check[]
}

/** Options of {@link verifyChain}. */
export interface VerifyOptions {
  /** Goes on after a refusal, to show everything that is wrong. */
  readonly all?: boolean
}

/** A refusal: its code and sentence; undefined where nothing is wrong. */
type Refusal = readonly [code: CapabilityErrorCode, detail: string] | undefined

/** A check: what it is called, what to say when it holds, how to find out. */
export interface CheckStep {
  readonly name: CheckName
  readonly ok: string
  refuse(chain: readonly Token[], access: Access): Refusal
}

/** What is true of a chain for ever, once it is: a verifier may remember it. */
export const CHAIN_STEPS: readonly CheckStep[] = [
  { name: 'version', ok: 'every link is a token this program knows', refuse: refuseVersion },
  { name: 'signature', ok: 'every link is signed by its issuer', refuse: refuseSignature },
  { name: 'chain', ok: 'every link was issued by whom the one before it names', refuse: refuseChain },
  { name: 'narrowing', ok: 'no link allows more than the one before it', refuse: refuseWider }
]

/** What depends on who asks for what, and when. */
export const ACCESS_STEPS: readonly CheckStep[] = [
  { name: 'root', ok: 'the first link is of this device', refuse: refuseRoot },
  { name: 'audience', ok: 'it was given to whom now acts', refuse: refuseAudience },
  { name: 'subject', ok: 'it is about these data', refuse: refuseSubject },
  { name: 'command', ok: 'every link allows the command', refuse: refuseCommand },
  { name: 'resource', ok: 'every link allows the resource', refuse: refuseResource },
  { name: 'not before', ok: 'every link is valid already', refuse: refuseNotBefore },
  { name: 'expiry', ok: 'every link is still valid', refuse: refuseExpired },
  { name: 'epoch', ok: 'nothing was revoked altogether since', refuse: refuseEpoch },
  { name: 'revocation', ok: 'no link was revoked', refuse: refuseRevoked },
  { name: 'ceiling', ok: 'the manifest asks for it', refuse: refuseCeiling }
]

const ALL_STEPS: readonly CheckStep[] = [...CHAIN_STEPS, ...ACCESS_STEPS]

/**
 * Whether a chain of tokens, root first and leaf last, allows an access: the list of checks above, in their order,
 * without side effects. Uses are not counted here.
 *
 * @see docs/protocols/capability-token.md
 */
export function verifyChain(chain: readonly Token[], access: Access, options: VerifyOptions = {}): Verdict {
  return runChecks(ALL_STEPS, { chain, access }, options)
}

/** Runs the given checks. Whatever throws is a refusal too. */
export function runChecks(
  steps: readonly CheckStep[],
  { chain, access }: { readonly chain: readonly Token[]; readonly access: Access },
  { all = false }: VerifyOptions
): Verdict {
  const checks: Check[] = []
  let code: CapabilityErrorCode | undefined
  for (const step of steps) {
    const refusal = step.refuse(chain, access)
    checks.push(checkOf(step, refusal))
    code ??= refusal?.[0]
    if (refusal !== undefined && !all) break
  }
  return code === undefined ? { isAllowed: true, checks } : { isAllowed: false, code, checks }
}

function checkOf({ name, ok }: CheckStep, refusal: Refusal): Check {
  if (refusal === undefined) return { name, isOk: true, detail: ok }
  return { name, isOk: false, detail: refusal[1], code: refusal[0] }
}

function refuseVersion(chain: readonly Token[]): Refusal {
  const isKnown = chain.every((token) => signedParts(token) !== undefined)
  return isKnown
    ? undefined
    : ['ERR_TOKEN_MALFORMED', 'a link was neither issued nor decoded by this program']
}

function refuseSignature(chain: readonly Token[]): Refusal {
  for (const token of chain) {
    const parts = signedParts(token)
    if (parts !== undefined && verifySignature(parts.publicKey, parts.message, parts.signature)) continue
    return ['ERR_TOKEN_SIGNATURE', `${token.cid} is not signed by ${token.issuer}`]
  }
  return undefined
}

function refuseChain(chain: readonly Token[]): Refusal {
  if (chain.length > CHAIN_LINKS_MAX) {
    return ['ERR_TOKEN_DEPTH', `expected at most ${CHAIN_LINKS_MAX} links, got ${chain.length}`]
  }
  for (const [index, token] of chain.entries()) {
    const parent = chain[index - 1]
    if (token.proof !== parent?.cid)
      return ['ERR_TOKEN_CHAIN', `${token.cid} is not derived from the link before it`]
    if (parent !== undefined && token.issuer !== parent.audience) {
      return ['ERR_TOKEN_CHAIN', `${token.issuer} derived a token that ${parent.audience} held`]
    }
  }
  return chain.length > 0 ? undefined : ['ERR_TOKEN_CHAIN', 'no token is held for this']
}

function refuseWider(chain: readonly Token[]): Refusal {
  for (const [index, token] of chain.entries()) {
    const parent = chain[index - 1]
    const wider = parent === undefined ? undefined : widerBound(parent, token)
    if (wider !== undefined)
      return ['ERR_TOKEN_WIDER', `${token.cid} has a wider ${wider} than the link before it`]
  }
  return undefined
}

function refuseRoot([root]: readonly Token[], access: Access): Refusal {
  return root?.issuer === access.root
    ? undefined
    : ['ERR_TOKEN_ROOT', `the first link is not of ${access.root}`]
}

function refuseAudience(chain: readonly Token[], access: Access): Refusal {
  const leaf = chain.at(-1)
  if (leaf?.audience === access.audience) return undefined
  return ['ERR_TOKEN_AUDIENCE', `it was given to ${leaf?.audience ?? 'nobody'}, not to ${access.audience}`]
}

function refuseSubject(chain: readonly Token[], access: Access): Refusal {
  const other = chain.find((token) => token.subject !== access.subject)
  return other && ['ERR_TOKEN_SUBJECT', `it is about data of ${other.subject}, not of ${access.subject}`]
}

function refuseCommand(chain: readonly Token[], { command }: Access): Refusal {
  if (!isCommand(command)) return ['ERR_COMMAND_INVALID', 'expected one command such as localhost/read']
  const other = chain.find((token) => !commandCovers(token.command, command))
  return other && ['ERR_TOKEN_COMMAND', `it allows ${other.command}, not ${command}`]
}

function refuseResource(chain: readonly Token[], { resource }: Access): Refusal {
  if (!isResource(resource)) return ['ERR_RESOURCE_INVALID', 'expected one resource in its normal form']
  const other = chain.find((token) => !resourceCovers(token.resource, resource))
  return other && ['ERR_TOKEN_RESOURCE', `it allows ${other.resource}, not ${resource}`]
}

// The comparisons are written so that NaN is refused.
function refuseNotBefore(chain: readonly Token[], { nowMs }: Access): Refusal {
  const early = chain.find(({ notBeforeMs = 0 }) => !(nowMs >= notBeforeMs))
  return early && ['ERR_TOKEN_NOT_YET', `it is valid from ${early.notBeforeMs ?? 0}`]
}

function refuseExpired(chain: readonly Token[], { nowMs }: Access): Refusal {
  const late = chain.find(({ expiresAtMs }) => !(nowMs < (expiresAtMs ?? Infinity)))
  return late && ['ERR_TOKEN_EXPIRED', `it expired at ${late.expiresAtMs ?? 'no time'}`]
}

function refuseEpoch(chain: readonly Token[], { epoch }: Access): Refusal {
  const other = chain.find((token) => token.epoch !== epoch)
  return other && ['ERR_TOKEN_EPOCH', `it is of epoch ${other.epoch}, and this is ${epoch}`]
}

function refuseRevoked(chain: readonly Token[], access: Access): Refusal {
  const revoked = chain.find(({ cid }) => access.isRevoked(cid))
  return revoked && ['ERR_TOKEN_REVOKED', `${revoked.cid} was revoked`]
}

function refuseCeiling(_chain: readonly Token[], { ceiling, command, resource }: Access): Refusal {
  const isAsked = ceiling.some(
    (entry) => commandCovers(entry.command, command) && resourceCovers(entry.resource, resource)
  )
  return isAsked
    ? undefined
    : ['ERR_TOKEN_CEILING', `the manifest does not ask for ${command} on ${resource}`]
}

function isResource(text: string): boolean {
  try {
    return parseResource(text) === text
  } catch (thrown) {
    if (thrown instanceof CapabilityError) return false
    throw thrown
  }
}
