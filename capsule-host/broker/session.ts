import {
  CAPSULE_CHANNEL_LIMITS,
  CAPSULE_CHANNEL_VERSION,
  type CallerIdentity,
  type CapsuleMethods,
  type TerminalSize,
  type TerminalStatus
} from '#contracts'
import type { CapabilityErrorCode, CeilingEntry } from '#capability'
import type { Did } from '#did'
import type { Grant } from '../authority/authority.ts'
import { CapsuleError } from '../errors.ts'
import { printable } from '../text.ts'
import type { BrokerCore } from './broker-core.ts'
import { createCapsuleProvider, PROVIDER_GATE } from './capsule-provider.ts'
import type { CapsuleSession } from './capsule-session.ts'
import type { CapsuleChannel, ChannelFactory, ChannelPort } from '../process/channel.ts'
import { createChannelWriter, type ChannelWriter } from './channel-writer.ts'
import { PROVIDER_CALLS_PER_CALLER_MAX, PROVIDER_LOST_MAX } from './constants.ts'
import { createFairGate } from './fair-gate.ts'
import { delegateCapability, dropCapability, listCapabilities, requestCapability } from './grants.ts'
import { createHostRequests, type HostRequests } from './host-requests.ts'
import { createChannelReader, type ChannelMessage } from './json-rpc.ts'
import { isCapsuleMethod, isCapsuleNotification, METHOD_PARAMS, NOTIFICATION_PARAMS } from './messages.ts'
import { callPower, openPower } from './power-calls.ts'
import { callProvider, openProvider } from './provider-calls.ts'
import type { Provider } from './provider.ts'
import { failureOf, refusal, Refusal } from './refusal.ts'
import { createRequestTable, type RequestContext, type RequestTable } from './request-table.ts'
import { SessionDenials } from './session-denials.ts'
import type { SessionState } from './session-state.ts'
import { createStreamTable } from './stream-table.ts'

type Methods = {
  readonly [M in keyof CapsuleMethods]: (
    params: CapsuleMethods[M]['params'],
    context: RequestContext
  ) => Promise<unknown>
}

/** One run of a capsule behind its channel. */
export interface RunningSession {
  readonly state: SessionState
  /** For the capsule's process. */
  readonly channel: CapsuleChannel
  /** The capsule as a provider. */
  readonly provider: Provider
  /** Asks the capsule to end. */
  stop(graceMs: number): void
  resize(size: TerminalSize): void
  /** Asks for what its manifest lists, on behalf of a program that does not know the channel. */
  ask(entry: CeilingEntry): Promise<boolean>
  /** A grant of its lineage ended. */
  revoked(grant: Grant, code: CapabilityErrorCode): void
}

/** What {@link runSession} works with. */
export interface SessionComponents {
  readonly core: BrokerCore
  readonly session: CapsuleSession
  readonly port: ChannelPort
  readonly onClosed: () => void
}

/** Puts a session behind the channel of a process. */
export function runSession({ core, session, port, onClosed }: SessionComponents): RunningSession {
  const writer = createChannelWriter(port)
  const ended = new AbortController()
  const audience = core.authority.audienceOf(session.lineage)
  const state: SessionState = {
    ...{ core, session, audience },
    identity: identityOf(session, audience),
    ended: ended.signal,
    introduced: Promise.withResolvers<void>(),
    streams: createStreamTable(writer),
    uses: new Set(),
    serving: new Map(),
    denied: new SessionDenials()
  }
  const requests = createHostRequests({
    writer,
    clock: core.clock,
    onLost: (count) => {
      if (count <= PROVIDER_LOST_MAX) return
      writer.fail(new CapsuleError('ERR_CAPSULE_CHANNEL', 'the provider left too many requests unanswered'))
    }
  })
  const gate = createFairGate({ ...PROVIDER_GATE, perGroupMax: PROVIDER_CALLS_PER_CALLER_MAX })
  const dispatcher = new Dispatcher({ state, writer, requests })
  const close = (): void => {
    if (ended.signal.aborted) return
    const why = refusal('ERR_SESSION_ENDED')
    writer.close()
    ended.abort(why)
    dispatcher.close(why)
    requests.close()
    state.streams.close(refusal('ERR_PROVIDER_GONE'))
    // A terminal that was left raw would show its user nothing.
    if (session.terminal?.status().isRaw === true) session.terminal.setRaw(false)
    onClosed()
  }
  return {
    state,
    channel: { push: (bytes) => (ended.signal.aborted ? 0 : dispatcher.push(bytes)), close },
    provider: createCapsuleProvider({ state, requests, gate, clock: core.clock }),
    stop: (graceMs) => void writer.send({ jsonrpc: '2.0', method: 'stop', params: { graceMs } }),
    resize: (size) => dispatcher.tell('terminal.resize', size),
    ask: async ({ command, resource }) => {
      try {
        await requestCapability(state, { command, resource }, ended.signal)
        return true
      } catch (thrown) {
        if (thrown instanceof Refusal) return false
        throw thrown
      }
    },
    revoked: ({ cid }, code) => {
      for (const use of [...state.uses]) {
        if (use.tokens.includes(cid)) use.abort(new Refusal(code, 'the token was revoked'))
      }
      dispatcher.tell('capability.revoked', { token: cid, code })
    }
  }
}

class Dispatcher {
  readonly #state: SessionState
  readonly #writer: ChannelWriter
  readonly #requests: HostRequests
  readonly #reader = createChannelReader()
  readonly #table: RequestTable
  readonly #methods: Methods
  #isInitialized = false

  constructor(parts: { state: SessionState; writer: ChannelWriter; requests: HostRequests }) {
    this.#state = parts.state
    this.#writer = parts.writer
    this.#requests = parts.requests
    const { core, session } = parts.state
    this.#table = createRequestTable({
      writer: parts.writer,
      onFault: (thrown) =>
        core.logger.error('capsule request failed', { capsule: session.name, error: String(thrown) })
    })
    this.#methods = createMethods(parts.state, (params) => this.#initialize(params))
  }

  push(bytes: Uint8Array): number {
    try {
      const { messages, cost } = this.#reader.push(bytes)
      for (const message of messages) this.#take(message)
      return cost
    } catch (thrown) {
      if (!(thrown instanceof CapsuleError)) throw thrown
      this.#writer.fail(thrown)
      return 0
    }
  }

  /** Tells a capsule that listens; one that never introduced itself does not. */
  tell(method: string, params: object): void {
    if (this.#isInitialized) this.#writer.send({ jsonrpc: '2.0', method, params })
  }

  close(why: Refusal): void {
    this.#table.close(why)
  }

  #take(message: ChannelMessage): void {
    switch (message.kind) {
      case 'request':
        this.#takeRequest(message)
        break
      case 'notification':
        if (this.#isInitialized) this.#takeNotification(message)
        break
      case 'result':
      case 'failure':
        this.#requests.take(message)
        break
      case 'invalid':
        this.#writer.send(failureOf(null, refusal('ERR_CHANNEL_REQUEST')))
        break
      case 'void':
        break
    }
  }

  #takeRequest({ id, method, params }: Extract<ChannelMessage, { kind: 'request' }>): void {
    this.#table.answer(id, async (context) => {
      if (!isCapsuleMethod(method)) throw refusal('ERR_CHANNEL_METHOD')
      if ((method === 'initialize') === this.#isInitialized) throw refusal('ERR_CHANNEL_STATE')
      const parsed = METHOD_PARAMS[method].safeParse(params ?? {})
      if (!parsed.success) throw refusal('ERR_CHANNEL_PARAMS')
      // The schema of a method gives the parameters of that method, which the compiler cannot follow through a union.
      return await (this.#methods[method] as (params: unknown, context: RequestContext) => Promise<unknown>)(
        parsed.data,
        context
      )
    })
  }

  #takeNotification({ method, params }: Extract<ChannelMessage, { kind: 'notification' }>): void {
    if (!isCapsuleNotification(method)) return
    const { streams, session } = this.#state
    const read = <T>(schema: { safeParse(value: unknown): { success: boolean; data?: T } }): T | undefined =>
      schema.safeParse(params).data
    if (method === 'log') {
      const line = read(NOTIFICATION_PARAMS.log)
      if (line !== undefined) session.log?.(line.level, printable(line.message, line.message.length))
    } else if (method === 'cancel') {
      const cancelled = read(NOTIFICATION_PARAMS.cancel)
      if (cancelled !== undefined) this.#table.cancel(cancelled.id)
    } else if (method === 'stream.next') {
      const next = read(NOTIFICATION_PARAMS['stream.next'])
      if (next !== undefined) streams.get(next.stream)?.take(next.item)
    } else if (method === 'stream.credit') {
      const credit = read(NOTIFICATION_PARAMS['stream.credit'])
      if (credit !== undefined) streams.get(credit.stream)?.allow(credit.credit)
    } else if (method === 'stream.end') {
      const end = read(NOTIFICATION_PARAMS['stream.end'])
      if (end !== undefined) streams.get(end.stream)?.takeEnd(end.code)
    } else {
      const close = read(NOTIFICATION_PARAMS['stream.close'])
      if (close !== undefined) streams.get(close.stream)?.takeClose()
    }
  }

  #initialize({ versions }: CapsuleMethods['initialize']['params']): CapsuleMethods['initialize']['result'] {
    if (!versions.includes(CAPSULE_CHANNEL_VERSION)) throw refusal('ERR_CHANNEL_VERSION')
    this.#isInitialized = true
    this.#state.introduced.resolve()
    const terminal = this.#state.session.terminal?.status()
    return {
      version: CAPSULE_CHANNEL_VERSION,
      capsule: this.#state.identity,
      limits: CAPSULE_CHANNEL_LIMITS,
      ...(terminal === undefined ? {} : { terminal })
    }
  }
}

function createMethods(
  state: SessionState,
  initialize: (params: CapsuleMethods['initialize']['params']) => CapsuleMethods['initialize']['result']
): Methods {
  const terminal = (): TerminalStatus => {
    if (state.session.terminal === undefined) throw refusal('ERR_TERMINAL_NONE')
    return state.session.terminal.status()
  }
  return {
    initialize: async (params) => initialize(params),
    'capability.request': async (params, { signal }) => await requestCapability(state, params, signal),
    'capability.list': async () => listCapabilities(state),
    'capability.drop': async (params) => await dropCapability(state, params),
    'capability.delegate': async (params) => await delegateCapability(state, params),
    'provider.call': async (params, { signal }) => await callProvider(state, params, signal),
    'provider.open': async (params, context) => await openProvider(state, params, context),
    'power.call': async (params, { signal }) => await callPower(state, params, signal),
    'power.open': async (params, context) => await openPower(state, params, context),
    'terminal.get': async () => terminal(),
    'terminal.raw': async ({ isRaw }) => {
      state.session.terminal?.setRaw(isRaw)
      return terminal()
    }
  }
}

function identityOf({ lineage, name, version, publisher }: CapsuleSession, audience: Did): CallerIdentity {
  return { lineage, name, version, audience, ...(publisher === undefined ? {} : { publisher }) }
}

/** A factory that can be used once: a session is one run. */
export function onceOnly(attach: ChannelFactory): ChannelFactory {
  let isUsed = false
  return (port) => {
    if (isUsed) throw new Error('expected one process for one session, got a second one')
    isUsed = true
    return attach(port)
  }
}
