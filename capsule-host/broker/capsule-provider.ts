import { CAPSULE_CHANNEL_LIMITS, type Clock, type ProvideMethods, type ProvideParams } from '#contracts'
import { findCommand } from '#providers'
import { CapsuleError } from '../errors.ts'
import { abortable } from './abortable.ts'
import type { ChannelStream } from './channel-stream.ts'
import type { ChannelWriter } from './channel-writer.ts'
import { PROVIDER_LOST_MAX, PROVIDER_OPEN_MS_MAX, PROVIDER_QUEUE_MAX, STREAM_CREDIT } from './constants.ts'
import type { FairGate } from './fair-gate.ts'
import type { HostRequests } from './host-requests.ts'
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
  readonly writer: Pick<ChannelWriter, 'fail'>
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
  const { gate, requests } = components
  await introduced(components, request.signal)
  using _turn = await gate.enter(request.caller.lineage, request.signal)
  const id = requests.nextId()
  using _serving = serve(components, { key: servingKey({ call: id }), request })
  return await ask(components, { id, method: 'provide.call', params: provideParams(request) }, request.signal)
}

async function* open(
  components: CapsuleProviderComponents,
  { request, input }: { request: ProviderRequest; input: AsyncIterable<unknown> }
): AsyncGenerator<unknown, void, undefined> {
  const { state } = components
  await introduced(components, request.signal)
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
    const opened = await askToOpen(components, { params, request })
    startInput(stream, { opened, input: givesInput ? input : undefined })
    yield* stream.received()
  } finally {
    request.signal.removeEventListener('abort', letGo)
    stream.stopReceiving()
  }
}

/** A capsule that is still being loaded or compiled does not read its channel: what it is asked waits here. */
async function introduced({ state }: CapsuleProviderComponents, signal: AbortSignal): Promise<void> {
  await abortable(state.introduced.promise, AbortSignal.any([signal, state.ended]))
}

async function askToOpen(
  components: CapsuleProviderComponents,
  { params, request }: { params: ProvideMethods['provide.open']['params']; request: ProviderRequest }
): Promise<unknown> {
  const { gate, requests, clock } = components
  const deadline = new AbortController()
  using _timer = clock.after(PROVIDER_OPEN_MS_MAX, () => deadline.abort(refusal('ERR_PROVIDER_TIME_LIMIT')))
  const either = AbortSignal.any([request.signal, deadline.signal])
  using _turn = await gate.enter(request.caller.lineage, either)
  return await ask(components, { id: requests.nextId(), method: 'provide.open', params }, either)
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

async function ask(
  { requests, writer }: CapsuleProviderComponents,
  request: Parameters<HostRequests['ask']>[0],
  signal: AbortSignal
): Promise<unknown> {
  try {
    return await requests.ask(request, signal)
  } finally {
    if (requests.lostCount > PROVIDER_LOST_MAX) {
      writer.fail(new CapsuleError('ERR_CAPSULE_CHANNEL', 'the provider left too many requests unanswered'))
    }
  }
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
