import type { CallerIdentity, CapsuleMethods, ProvideMethods, ServingReference } from '#capsule-channel'
import type { CommandInput, CommandItem, CommandParams, CommandResult } from './commands.ts'
import type { Connection, ProvideAnswer, ProvideRequest } from './connection.ts'
import { CapsuleCallError } from './errors.ts'
import type { StreamTable } from './streams.ts'

/** What a handler knows of the request it serves. The host vouches for all of it. */
export interface ServedRequest {
  /** `localhost/read`. */
  readonly command: string
  /** What the caller was authorised for. */
  readonly resource: string
  readonly caller: CallerIdentity
  /** Whose data: the caller's own audience, or that of whoever delegated. */
  readonly subject: string
  /** Aborts when nobody wants the answer any more. */
  readonly signal: AbortSignal
  /** Uses a power of the host for this request. @throws CapsuleCallError */
  power(command: string, params?: unknown): Promise<unknown>
  /** Opens a stream at a power of the host for this request. @throws CapsuleCallError */
  powerStream(command: string, params?: unknown): Promise<AsyncIterable<unknown> & Disposable>
}

type Awaitable<T> = T | Promise<T>

type Handler<C> = C extends { readonly kind: 'call' }
  ? (params: CommandParams<C>, request: ServedRequest) => Awaitable<CommandResult<C>>
  : (
      params: CommandParams<C>,
      request: ServedRequest,
      input: AsyncIterable<CommandInput<C>>
    ) => AsyncIterable<CommandItem<C>>

/** A function for every command of a contract. */
export type Handlers<C> = { readonly [Verb in keyof C]: Handler<C[Verb]> }

type AnyHandler = (params: unknown, request: ServedRequest, input: AsyncIterable<unknown>) => unknown

/** Answers the host's requests with the handlers of the contracts that were added. */
export class Server {
  readonly #connection: Connection
  readonly #streams: StreamTable
  readonly #handlers = new Map<string, AnyHandler>()
  #isServing = false

  constructor(connection: Connection, streams: StreamTable) {
    this.#connection = connection
    this.#streams = streams
  }

  /** Serves the contract `name` from now on. */
  async add(name: string, handlers: Readonly<Record<string, unknown>>): Promise<void> {
    for (const [verb, handler] of Object.entries(handlers)) {
      this.#handlers.set(`${name}/${verb}`, handler as AnyHandler)
    }
    if (!this.#isServing) this.#connection.serve(async (request) => await this.#handle(request))
    this.#isServing = true
    await this.#connection.welcome()
  }

  async #handle(request: ProvideRequest): Promise<ProvideAnswer> {
    const handler = this.#handlers.get(request.params.command)
    if (handler === undefined) {
      throw new CapsuleCallError(
        'ERR_PROVIDER_COMMAND',
        `expected a command served here, got ${request.params.command}`
      )
    }
    if (request.method === 'provide.open')
      return await this.#open(request as ProvideRequest<'provide.open'>, handler)
    const serving = { call: String(request.id) }
    return { result: await handler(request.params.params, this.#served(request, serving), nothing()) }
  }

  async #open(request: ProvideRequest<'provide.open'>, handler: AnyHandler): Promise<ProvideAnswer> {
    const { params, signal } = request
    const { stream: number, credit } = params
    const isReceiving = handler.length > 2
    const stream = this.#streams.add(number, { sendable: credit, isReceiving })
    const served = this.#served(
      { ...request, signal: AbortSignal.any([signal, stream.closed]) },
      { stream: number }
    )
    const result: ProvideMethods['provide.open']['result'] = isReceiving
      ? { credit: this.#streams.window }
      : {}
    try {
      const source = handler(params.params, served, stream) as AsyncIterable<unknown>
      return { result, afterwards: () => void stream.pump(source) }
    } catch (thrown) {
      stream.takeClose()
      throw thrown
    }
  }

  #served(request: ProvideRequest, serving: ServingReference): ServedRequest {
    const { params, signal } = request
    return {
      command: params.command,
      resource: params.resource,
      caller: params.caller,
      subject: params.subject,
      signal,
      power: async (command, given) =>
        await this.#connection.request('power.call', powerParams(command, given, serving), { signal }),
      powerStream: async (command, given) =>
        await this.#streams.open('power.open', powerParams(command, given, serving), { signal })
    }
  }
}

/** Parameters of the use of a power. */
export function powerParams(
  command: string,
  params: unknown,
  serving?: ServingReference
): CapsuleMethods['power.call']['params'] {
  return {
    command,
    ...(params === undefined ? {} : { params }),
    ...(serving === undefined ? {} : { serving })
  }
}

async function* nothing(): AsyncGenerator<never> {
  // A call takes no items.
}
