import {
  CapabilityError,
  commandCovers,
  parseCommandPattern,
  parseResourcePattern,
  resourceCovers
} from '#capability'
import { errorCode, type CapsuleMethods, type HeldCapability } from '#contracts'
import { findCommand, isHostOnlyCommand, type GrantAnswer } from '#providers'
import type { Grant } from '../authority/authority.ts'
import { printable } from '../text.ts'
import { LISTED_BYTES_MAX } from './constants.ts'
import { refusal } from './refusal.ts'
import type { SessionState } from './session-state.ts'

type Asked = CapsuleMethods['capability.request']['params']
type Denied = Extract<GrantAnswer, { isAllowed: false }>

/** `capability.request`: what was decided before is not asked again; what is asked stays under the ceiling. */
export async function requestCapability(
  state: SessionState,
  params: Asked,
  signal: AbortSignal
): Promise<HeldCapability> {
  const asked = { ...params, ...parsePatterns(params) }
  const entry = ceilingEntry(state, asked)
  if (entry === undefined || isHostOnlyCommand(asked.command)) throw refusal('ERR_CAPABILITY_CEILING')
  const known = recall(state, asked)
  if (known !== undefined) return known
  const { identity, session, core } = state
  const summary = findCommand(asked.command)?.command.summary
  const settle = async (answer: GrantAnswer): Promise<HeldCapability> => {
    signal.throwIfAborted()
    return answer.isAllowed ? await grant(state, asked, answer) : await deny(state, asked, answer)
  }
  return await core.questions.ask(
    {
      capsule: { ...identity, isOwn: session.isOwn },
      command: asked.command,
      resource: asked.resource,
      ...(summary === undefined ? {} : { summary }),
      ...(asked.pick === undefined ? {} : { pick: asked.pick }),
      ...(asked.reason === undefined ? {} : { reason: printable(asked.reason, asked.reason.length) }),
      ...(entry.reason === undefined ? {} : { manifestReason: printable(entry.reason, entry.reason.length) })
    },
    settle,
    signal
  )
}

/** `capability.list`: what this run of the capsule may use. */
export function listCapabilities(state: SessionState): CapsuleMethods['capability.list']['result'] {
  const capabilities: HeldCapability[] = []
  let bytes = 0
  for (const held of heldGrants(state)) {
    const capability = heldCapability(held)
    bytes += Buffer.byteLength(JSON.stringify(capability)) + 1
    // The oldest give way: an answer is one line.
    if (bytes > LISTED_BYTES_MAX) break
    capabilities.push(capability)
  }
  return { capabilities }
}

/** `capability.drop`. */
export async function dropCapability(state: SessionState, { token }: { token: string }): Promise<void> {
  requireHeld(state, token)
  await state.core.authority.revoke(token)
}

/** `capability.delegate`: never wider than the token, and never more than the other's own ceiling when it is used. */
export async function delegateCapability(
  state: SessionState,
  { token, to, ...narrower }: CapsuleMethods['capability.delegate']['params']
): Promise<{ token: string }> {
  requireHeld(state, token)
  const patterns = {
    ...(narrower.command === undefined ? {} : { command: parseOr(parseCommandPattern, narrower.command) }),
    ...(narrower.resource === undefined ? {} : { resource: parseOr(parseResourcePattern, narrower.resource) })
  }
  try {
    const { cid } = await state.core.authority.delegate({
      from: state.session.lineage,
      tokenCid: token,
      to,
      narrower: { ...narrower, ...patterns }
    })
    return { token: cid }
  } catch (thrown) {
    const code = errorCode(thrown)
    if (code === 'ERR_GRANT_UNKNOWN') throw refusal('ERR_CAPABILITY_UNKNOWN', thrown)
    if (code === 'ERR_GRANT_LIMIT') throw refusal('ERR_CHANNEL_BUSY', thrown)
    if (code === 'ERR_GRANT_INVALID') throw refusal('ERR_CHANNEL_PARAMS', thrown)
    if (thrown instanceof CapabilityError) throw refusal('ERR_CAPABILITY_WIDER', thrown)
    throw thrown
  }
}

/** What the capsule may know of a grant. */
export function heldCapability(held: Grant): HeldCapability {
  const { cid, command, resource, expiresAtMs, usesMax } = held
  return { token: cid, command, resource, expiresAtMs, ...(usesMax === undefined ? {} : { usesMax }) }
}

/** Newest first. */
function heldGrants({ core, session }: SessionState): Grant[] {
  return core.authority
    .list({ lineage: session.lineage })
    .filter(({ sessionId }) => sessionId === undefined || sessionId === session.id)
    .sort((one, other) => other.grantedAtMs - one.grantedAtMs)
}

function requireHeld(state: SessionState, token: string): void {
  if (!heldGrants(state).some(({ cid }) => cid === token)) throw refusal('ERR_CAPABILITY_UNKNOWN')
}

function parsePatterns({ command, resource, pick }: Asked): { command: string; resource: string } {
  if (pick !== undefined && !resource.endsWith('/*')) throw refusal('ERR_CHANNEL_PARAMS')
  return {
    command: parseOr(parseCommandPattern, command),
    resource: parseOr(parseResourcePattern, resource)
  }
}

function parseOr(parse: (text: string) => string, text: string): string {
  try {
    return parse(text)
  } catch (thrown) {
    throw refusal('ERR_CHANNEL_PARAMS', thrown)
  }
}

function ceilingEntry({ session }: SessionState, asked: Asked): { readonly reason?: string } | undefined {
  return session.ceiling.find(
    ({ command, resource }) =>
      commandCovers(command, asked.command) && resourceCovers(resource, asked.resource)
  )
}

/** What was decided before: a capability that is held, or a refusal. */
function recall(state: SessionState, { command, resource, pick }: Asked): HeldCapability | undefined {
  const { core, session, denied } = state
  if (denied.has(command, resource)) throw refusal('ERR_CAPABILITY_DENIED')
  const { lineage, id: sessionId } = session
  const known = core.authority.recall({ lineage, command, resource, sessionId })
  if (known === 'denied') throw refusal('ERR_CAPABILITY_DENIED')
  if (known !== 'granted' || pick !== undefined) return undefined
  const held = heldGrants(state).find(
    (one) =>
      one.subject === state.audience &&
      commandCovers(one.command, command) &&
      resourceCovers(one.resource, resource) &&
      (one.expiresAtMs === null || one.expiresAtMs > core.clock.nowMs()) &&
      (one.usesMax === undefined || one.used < one.usesMax)
  )
  return held === undefined ? undefined : heldCapability(held)
}

async function deny(state: SessionState, { command, resource }: Asked, answer: Denied): Promise<never> {
  const { core, session, denied } = state
  denied.add(command, resource)
  if (answer.isAll === true) denied.denyAll()
  const { isDurable, decidedBy } = answer
  await core.authority.remember({
    ...{ lineage: session.lineage, command, resource, isAllowed: false, decidedBy },
    ...(isDurable ? {} : { sessionId: session.id })
  })
  throw refusal('ERR_CAPABILITY_DENIED')
}

async function grant(
  { core, session }: SessionState,
  asked: Asked,
  answer: Extract<GrantAnswer, { isAllowed: true }>
): Promise<HeldCapability> {
  const { command = asked.command, resource = asked.resource, scope, usesMax, decidedBy } = answer
  try {
    const granted = await core.authority.grant({
      lineage: session.lineage,
      command,
      resource,
      scope,
      decidedBy,
      // What outlives the session belongs to every run of the capsule.
      ...(scope === 'once' || scope === 'session' ? { sessionId: session.id } : {}),
      ...(usesMax === undefined ? {} : { usesMax }),
      ...(asked.reason === undefined ? {} : { reason: printable(asked.reason, asked.reason.length) })
    })
    return heldCapability(granted)
  } catch (thrown) {
    if (errorCode(thrown) === 'ERR_GRANT_LIMIT') throw refusal('ERR_CHANNEL_BUSY', thrown)
    throw thrown
  }
}
