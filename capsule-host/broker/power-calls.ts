import { parseResource } from '#capability'
import { orAborted, type ServingReference } from '#contracts'
import { requestedAccess, findCommand, type AnyCommand } from '#providers'
import { STREAM_CREDIT } from './constants.ts'
import type { HostPower } from './host-power.ts'
import type { ProviderRequest } from './provider.ts'
import type { RequestContext } from './request-table.ts'
import { providerRefusal, refusal } from './refusal.ts'
import type { SessionState } from './session-state.ts'

/** A use of a power as it comes from a provider capsule. */
export interface PowerCall {
  /** `disk/read`. */
  readonly command: string
  readonly params?: unknown
  readonly serving?: ServingReference
}

interface AllowedPower {
  readonly power: HostPower
  readonly command: AnyCommand
  readonly errors: readonly string[]
  readonly request: ProviderRequest
}

/** `power.call`: what the capsule serves now is done with it, and nothing else. */
export async function callPower(state: SessionState, call: PowerCall, signal: AbortSignal): Promise<unknown> {
  const { power, command, errors, request } = allow(state, { call, kind: 'call' })
  const until = AbortSignal.any([signal, request.signal])
  try {
    const result = await orAborted(power.provider.call({ ...request, signal: until }), until)
    const parsed = command.kind === 'call' ? command.result.safeParse(result) : undefined
    if (parsed?.success !== true) throw refusal('ERR_PROVIDER_ANSWER')
    return parsed.data
  } catch (thrown) {
    throw providerRefusal(thrown, errors)
  }
}

/** `power.open`. The stream ends with what it serves. */
export async function openPower(
  state: SessionState,
  call: PowerCall & { readonly credit?: number },
  { afterAnswer }: Pick<RequestContext, 'afterAnswer'>
): Promise<{ stream: number; credit: number }> {
  const { power, command, errors, request } = allow(state, { call, kind: 'stream' })
  const takesInput = command.kind === 'stream' && command.input !== undefined
  const { number, stream } = state.streams.open('opened', {
    sendable: call.credit ?? 0,
    ...(takesInput ? { receivable: STREAM_CREDIT } : {})
  })
  const end = (): void => stream.abort(refusal('ERR_CANCELLED'))
  request.signal.addEventListener('abort', end, { once: true })
  stream.closed.addEventListener('abort', () => request.signal.removeEventListener('abort', end), {
    once: true
  })
  const items = power.provider.open({ ...request, signal: stream.closed }, stream.received())
  afterAnswer(() => void stream.pump(items, (thrown) => providerRefusal(thrown, errors)))
  return await Promise.resolve({ stream: number, credit: takesInput ? STREAM_CREDIT : 0 })
}

function allow(
  { core, session, serving }: SessionState,
  { call, kind }: { call: PowerCall; kind: AnyCommand['kind'] }
): AllowedPower {
  const [name = '', verb = ''] = call.command.split('/')
  const power = session.powers.includes(name) ? core.powers.get(name) : undefined
  const served = call.serving === undefined ? undefined : serving.get(servingKey(call.serving))
  const servedCommand = served === undefined ? undefined : findCommand(served.command)
  // What was cancelled or revoked is over, though the provider may not have heard of it.
  const isOver = served?.signal.aborted === true
  if (power === undefined || served === undefined || isOver || servedCommand?.reference !== power.contract) {
    throw refusal('ERR_POWER_NONE')
  }
  const isHelp = power.helps[servedCommand.verb]?.includes(verb) === true
  if (verb !== servedCommand.verb && !isHelp) throw refusal('ERR_POWER_NONE')
  const command = servedCommand.contract.commands[verb]
  if (command === undefined || command.kind !== kind) throw refusal('ERR_POWER_NONE')
  const wanted = requestedAccess(`${servedCommand.contract.name}/${verb}`, call.params ?? {})
  if (wanted === undefined) throw refusal('ERR_CHANNEL_PARAMS')
  if (normal(wanted.resource) !== served.resource) throw refusal('ERR_POWER_NONE')
  return {
    ...{ power, command, errors: servedCommand.contract.errors },
    request: { ...served, command: wanted.command, params: wanted.params }
  }
}

/** How {@link SessionState.serving} names it. */
export function servingKey(reference: ServingReference): string {
  return 'call' in reference ? `call:${reference.call}` : `stream:${reference.stream}`
}

function normal(resource: string): string {
  try {
    return parseResource(resource)
  } catch (thrown) {
    throw refusal('ERR_CHANNEL_PARAMS', thrown)
  }
}
