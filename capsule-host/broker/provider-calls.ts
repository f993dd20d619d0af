import { orAborted } from '#contracts'
import { parseResource } from '#capability'
import { parseDid, type Did } from '#did'
import { findCommand, requestedAccess, type AnyCommand, type FoundCommand } from '#providers'
import type { AccessRequest, AccessVerdict } from '../authority/authority.ts'
import { deadline } from './deadline.ts'
import { PROVIDER_CALL_MS_MAX, STREAM_CREDIT } from './constants.ts'
import type { Provider, ProviderRequest } from './provider.ts'
import type { RequestContext } from './request-table.ts'
import { providerRefusal, refusal, type Refusal, verdictRefusal } from './refusal.ts'
import type { SessionState, TokenUse } from './session-state.ts'

/** A call as it comes from a capsule. */
export interface CapsuleCall {
  readonly command: string
  readonly params?: unknown
  readonly subject?: string
}

/** What was allowed, and who does it. */
interface AllowedCall {
  readonly found: FoundCommand
  readonly provider: Provider
  readonly request: Omit<ProviderRequest, 'signal'>
  readonly access: AccessRequest
  readonly verdict: AccessVerdict
}

/** `provider.call`. */
export async function callProvider(
  state: SessionState,
  call: CapsuleCall,
  signal: AbortSignal
): Promise<unknown> {
  using time = deadline(state.core.clock, {
    durationMs: PROVIDER_CALL_MS_MAX,
    why: refusal('ERR_PROVIDER_TIME_LIMIT'),
    signal
  })
  const { found, provider, request, verdict } = await allow(state, { call, kind: 'call' }, time.signal)
  using use = trackUse(state, verdict.tokens)
  const until = AbortSignal.any([time.signal, use.revoked])
  until.throwIfAborted()
  try {
    const result = await orAborted(provider.call({ ...request, signal: until }), until)
    return checkResult(found.command, result)
  } catch (thrown) {
    throw providerRefusal(thrown, found.contract.errors)
  }
}

/** `provider.open`: resolves when the stream is open; items then flow as far as the capsule allows. */
export async function openProvider(
  state: SessionState,
  call: CapsuleCall & { readonly credit?: number },
  { signal, afterAnswer }: RequestContext
): Promise<{ stream: number; credit: number }> {
  const allowed = await allow(state, { call, kind: 'stream' }, signal)
  const { found, provider, request } = allowed
  const takesInput = found.command.kind === 'stream' && found.command.input !== undefined
  const { number, stream } = state.streams.open('opened', {
    sendable: call.credit ?? 0,
    ...(takesInput ? { receivable: STREAM_CREDIT } : {})
  })
  const use = trackUse(state, allowed.verdict.tokens)
  stream.closed.addEventListener('abort', () => use[Symbol.dispose](), { once: true })
  use.revoked.addEventListener('abort', () => stream.abort(use.revoked.reason as Refusal), { once: true })
  const errors = found.contract.errors
  const input = checkedItems(stream.received(), (item) => checkInput(found.command, item))
  const items = provider.open({ ...request, signal: stream.closed }, input)
  // An item of a stream the capsule has not heard of would be lost on it.
  afterAnswer(() => {
    void stream.pump(
      checkedItems(items, (item) => checkItem(state, allowed, item)),
      (thrown) => providerRefusal(thrown, errors)
    )
  })
  return { stream: number, credit: takesInput ? STREAM_CREDIT : 0 }
}

async function allow(
  state: SessionState,
  { call, kind }: { call: CapsuleCall; kind: AnyCommand['kind'] },
  signal: AbortSignal
): Promise<AllowedCall> {
  const { core, session } = state
  const found = findRequired(state, call.command, kind)
  const { access, params } = accessOf(state, call)
  // A provider is not even looked for on behalf of one who may not call it; the refusal is recorded.
  const early = core.authority.peek(access).isAllowed ? undefined : await authorize(state, access, signal)
  const { provider, cid } = await orAborted(core.providers.find(found.reference, session, signal), signal)
  // Looked for meanwhile, so it may be revoked by now.
  if (early !== undefined) requireStillGood(state, access, early)
  const verdict =
    early ?? (await authorize(state, cid === undefined ? access : { ...access, providerCid: cid }, signal))
  return {
    ...{ found, provider, access, verdict },
    request: {
      caller: state.identity,
      sessionId: session.id,
      sessionSignal: state.ended,
      subject: verdict.subject,
      command: call.command,
      resource: access.resource,
      params
    }
  }
}

/** The command, if it is one a capsule may call and a contract the manifest requires. */
function findRequired({ session }: SessionState, name: string, kind: AnyCommand['kind']): FoundCommand {
  const found = findCommand(name)
  const isRequired = session.requires.some(({ contract }) => contract === found?.reference)
  if (
    found === undefined ||
    found.contract.isHostOnly === true ||
    found.command.kind !== kind ||
    !isRequired
  ) {
    throw refusal('ERR_PROVIDER_COMMAND')
  }
  return found
}

function accessOf({ session }: SessionState, call: CapsuleCall): { access: AccessRequest; params: unknown } {
  const wanted = requestedAccess(call.command, call.params ?? {})
  if (wanted === undefined) throw refusal('ERR_CHANNEL_PARAMS')
  let resource: string
  let subject: Did | undefined
  try {
    resource = parseResource(wanted.resource)
    subject = call.subject === undefined ? undefined : parseDid(call.subject)
  } catch (thrown) {
    throw refusal('ERR_CHANNEL_PARAMS', thrown)
  }
  const { lineage, id: sessionId, ceiling } = session
  const access = { lineage, sessionId, ceiling, command: wanted.command, resource }
  return { access: subject === undefined ? access : { ...access, subject }, params: wanted.params }
}

/** @throws Refusal with the verdict's code; the reason of `signal`, and then no use was taken */
async function authorize(
  state: SessionState,
  access: AccessRequest,
  signal: AbortSignal
): Promise<AccessVerdict> {
  signal.throwIfAborted()
  const verdict = await state.core.authority.authorize(access)
  if (!verdict.isAllowed) throw verdictRefusal(verdict.code)
  return verdict
}

/** @throws Refusal when the token by which it was allowed no longer allows it */
function requireStillGood({ core }: SessionState, access: AccessRequest, verdict: AccessVerdict): void {
  const tokenCid = verdict.tokens.at(-1)
  const now = core.authority.peek(access, tokenCid === undefined ? {} : { tokenCid })
  if (!now.isAllowed) throw verdictRefusal(now.code)
}

/** Notes that the tokens are in use, until it is disposed. */
function trackUse({ uses }: SessionState, tokens: readonly string[]): Disposable & { revoked: AbortSignal } {
  const controller = new AbortController()
  const use: TokenUse = { tokens, abort: (why) => controller.abort(why) }
  uses.add(use)
  return { revoked: controller.signal, [Symbol.dispose]: () => uses.delete(use) }
}

function checkResult(command: AnyCommand, result: unknown): unknown {
  const parsed = command.kind === 'call' ? command.result.safeParse(result) : undefined
  if (parsed?.success !== true) throw refusal('ERR_PROVIDER_ANSWER')
  return parsed.data
}

/** An item goes out as long as the token it was opened with would still allow it. */
function checkItem(state: SessionState, { found, access, verdict }: AllowedCall, item: unknown): unknown {
  requireStillGood(state, access, verdict)
  const parsed = found.command.kind === 'stream' ? found.command.item.safeParse(item) : undefined
  if (parsed?.success !== true) throw refusal('ERR_PROVIDER_ANSWER')
  return parsed.data
}

function checkInput(command: AnyCommand, item: unknown): unknown {
  const parsed = command.kind === 'stream' ? command.input?.safeParse(item) : undefined
  if (parsed?.success !== true) throw refusal('ERR_CHANNEL_PARAMS')
  return parsed.data
}

async function* checkedItems(
  items: AsyncIterable<unknown>,
  check: (item: unknown) => unknown
): AsyncGenerator<unknown, void, undefined> {
  for await (const item of items) yield check(item)
}
