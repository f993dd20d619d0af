import { CAPSULE_CHANNEL_LIMITS, orAborted, type Clock, type ProvideParams } from '#contracts'
import { findCommand } from '#providers'
import { deadline } from './deadline.ts'
import type { ChannelStream } from './channel-stream.ts'
import { PROVIDER_OPEN_MS_MAX, PROVIDER_QUEUE_MAX, STREAM_CREDIT } from './constants.ts'
import type { FairGate } from './fair-gate.ts'
import type { HostRequest, HostRequests } from './host-requests.ts'
import { OPENED } from './messages.ts'
import { servingKey } from './power-calls.ts'
import type { Provider, ProviderRequest } from './provider.ts'
import { refusal } from './refusal.ts'
import type { SessionState } from './session-state.ts'

/** What a capsule that provides something is reached through. */
export interface CapsuleProviderComponents {
  readonly state: Pick<SessionState, 'ended' | 'introduced' | 'serving' | 'streams'>
  readonly requests: HostRequests
  readonly gate: FairGate
  readonly clock: Clock
}

/** A capsule as a provider: each call goes to it over its channel, no more at a time than it should have to hold. */
export function createCapsuleProvider(components: CapsuleProviderComponents): Provider {
  return {
    call: async (request) => await call(components, request),
    open: (request, input) => open(components, { request, input })
  }
}

async function call(components: CapsuleProviderComponents, request: ProviderRequest): Promise<unknown> {
  const { requests } = components
  await introduced(components, request.signal)
  const id = requests.nextId()
  using _serving = serve(components, { key: servingKey({ call: id }), request })
  const ask = { id, method: 'provide.call' as const, params: provideParams(request) }
  return await askInTurn(components, { ask, group: request.caller.lineage }, request.signal)
}

async function* open(
  components: CapsuleProviderComponents,
  { request, input }: { request: ProviderRequest; input: AsyncIterable<unknown> }
): AsyncGenerator<unknown, void, undefined> {
  const { state, clock } = components
  using opening = deadline(clock, {
    durationMs: PROVIDER_OPEN_MS_MAX,
    why: refusal('ERR_PROVIDER_TIME_LIMIT'),
    signal: request.signal
  })
  await introduced(components, opening.signal)
  const command = findCommand(request.command)?.command
  const givesInput = command?.kind === 'stream' && command.input !== undefined
  const { number, stream } = state.streams.open('served', {
    receivable: STREAM_CREDIT,
    ...(givesInput ? { sendable: 0 } : {})
  })
  const letGo = (): void => stream.stopReceiving()
  request.signal.addEventListener('abort', letGo, { once: true })
  try {
    using _serving = serve(components, {
      key: servingKey({ stream: number }),
      request: { ...request, signal: AbortSignal.any([request.signal, stream.closed]) }
    })
    const params = { ...provideParams(request), stream: number, credit: STREAM_CREDIT }
    const ask = { id: components.requests.nextId(), method: 'provide.open' as const, params }
    const opened = await askInTurn(components, { ask, group: request.caller.lineage }, opening.signal)
    opening[Symbol.dispose]()
    startInput(stream, { opened, input: givesInput ? input : undefined })
    yield* stream.received()
  } finally {
    request.signal.removeEventListener('abort', letGo)
    stream.stopReceiving()
  }
}

/** A capsule that is still being loaded or compiled does not read its channel: what it is asked waits here. */
async function introduced({ state }: CapsuleProviderComponents, signal: AbortSignal): Promise<void> {
  await orAborted(state.introduced.promise, AbortSignal.any([signal, state.ended]))
}

/** A turn lasts until the capsule has answered, though its caller may be gone: who cancels what it asks gets no more of it. */
async function askInTurn(
  { gate, requests }: CapsuleProviderComponents,
  { ask, group }: { ask: Omit<HostRequest, 'onSettled'>; group: string },
  signal: AbortSignal
): Promise<unknown> {
  const turn = await gate.enter(group, signal)
  return await requests.ask({ ...ask, onSettled: () => turn[Symbol.dispose]() }, signal)
}

function startInput(
  stream: ChannelStream,
  { opened, input }: { opened: unknown; input: AsyncIterable<unknown> | undefined }
): void {
  const answer = OPENED.safeParse(opened)
  if (!answer.success) throw refusal('ERR_PROVIDER_ANSWER')
  if (input === undefined) return
  stream.allow(answer.data.credit ?? 0)
  void stream.pump(input, () => refusal('ERR_CANCELLED'))
}

function serve(
  { state }: CapsuleProviderComponents,
  { key, request }: { key: string; request: ProviderRequest }
): Disposable {
  state.serving.set(key, request)
  return { [Symbol.dispose]: () => state.serving.delete(key) }
}

/** Only these: nothing else of the request crosses to the provider. */
function provideParams({ command, resource, params, caller, subject }: ProviderRequest): ProvideParams {
  return { command, resource, params, caller, subject }
}

/** How many wait for a capsule that provides, and how many it works on at a time. */
export const PROVIDER_GATE: { readonly insideMax: number; readonly waitingMax: number } = {
  insideMax: CAPSULE_CHANNEL_LIMITS.provideRequestsMax,
  waitingMax: PROVIDER_QUEUE_MAX
}
