import {
  CAPSULE_CHANNEL_ERROR,
  CAPSULE_CHANNEL_LIMITS,
  CAPSULE_CHANNEL_VERSION,
  type CapsuleMethods,
  type CapsuleNotifications,
  type CapsuleRequestId,
  type HostNotifications,
  type ProvideMethods
} from '#capsule-channel'
import { CapsuleCallError, codeOf } from './errors.ts'
import { createLineReader } from './lines.ts'
import type { CapsuleSystem } from './system.ts'

/** The runtime channel's descriptor. */
const CHANNEL = 3
/** Bytes of a line the host takes. */
const LINE_BYTES_MAX = CAPSULE_CHANNEL_LIMITS.lineBytesMax

type Result<M extends keyof CapsuleMethods> = CapsuleMethods[M]['result']
type Welcome = Result<'initialize'>

/** A request of the host to a provider capsule. */
export interface ProvideRequest<M extends keyof ProvideMethods = keyof ProvideMethods> {
  readonly id: CapsuleRequestId
  readonly method: M
  readonly params: ProvideMethods[M]['params']
  /** Aborts when nobody wants the answer any more. */
  readonly signal: AbortSignal
}

/** What a capsule answers the host. */
export interface ProvideAnswer {
  readonly result: unknown
  /** Called when the answer was sent: what may not overtake it. */
  readonly afterwards?: () => void
}

/** Options of {@link Connection.request}. */
export interface RequestOptions<Result> {
  readonly signal?: AbortSignal | undefined
  /** Called with the answer before anything that came after it is looked at. */
  readonly onResult?: (result: Result) => void
}

interface Pending {
  resolve(result: unknown): void
  reject(thrown: unknown): void
}

type Message = Readonly<Record<string, unknown>>
type Listener = (params: never) => void

/** The runtime channel of this capsule: JSON-RPC 2.0 both ways. See docs/protocols/capsule-channel.md. */
export class Connection {
  readonly #system: () => CapsuleSystem
  readonly #pending = new Map<CapsuleRequestId, Pending>()
  readonly #waiting: (() => void)[] = []
  readonly #listeners = new Map<string, Set<Listener>>()
  readonly #served = new Map<CapsuleRequestId, AbortController>()
  readonly #lines = createLineReader(LINE_BYTES_MAX)
  readonly #text = new TextEncoder()
  #welcome: Promise<Welcome> | undefined
  #nextId = 1
  #underWay = 0
  #holds = 0
  #isListening = false
  readonly #closed = new AbortController()
  #serve: ((request: ProvideRequest) => Promise<ProvideAnswer>) | undefined

  constructor(system: () => CapsuleSystem) {
    this.#system = system
  }

  /** What the host said of this capsule when they met. The first call of anything does this. */
  async welcome(): Promise<Welcome> {
    this.#welcome ??= this.#ask('initialize', { versions: [CAPSULE_CHANNEL_VERSION] })
    return await this.#welcome
  }

  /**
   * Asks the host. Waits while as many requests are under way as may be.
   *
   * @throws CapsuleCallError with the host's code
   */
  async request<M extends keyof CapsuleMethods>(
    method: M,
    params: CapsuleMethods[M]['params'],
    options: RequestOptions<Result<M>> = {}
  ): Promise<Result<M>> {
    options.signal?.throwIfAborted()
    await this.welcome()
    while (this.#underWay >= CAPSULE_CHANNEL_LIMITS.requestsMax) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve))
    }
    options.signal?.throwIfAborted()
    return await this.#ask(method, params, options)
  }

  /** Tells the host; nobody answers. */
  tell<N extends keyof CapsuleNotifications>(method: N, params: CapsuleNotifications[N]): void {
    this.#send({ jsonrpc: '2.0', method, params })
  }

  /** Aborts when the host closed the channel: nothing comes any more. */
  get closed(): AbortSignal {
    return this.#closed.signal
  }

  /** Calls `listener` with each notification of that name. The returned function stops that. */
  on<N extends keyof HostNotifications>(
    method: N,
    listener: (params: HostNotifications[N]) => void
  ): () => void {
    const listeners = this.#listeners.get(method) ?? new Set<Listener>()
    this.#listeners.set(method, listeners.add(listener))
    this.#listen()
    return () => listeners.delete(listener)
  }

  /** Answers the host's requests from now on, and keeps the capsule running for them until the host wants it to stop. */
  serve(handle: (request: ProvideRequest) => Promise<ProvideAnswer>): void {
    this.#serve = handle
    this.on('stop', this.hold())
  }

  /** Keeps the capsule running until the returned function is called: something may still come. */
  hold(): () => void {
    this.#holds += 1
    this.#listen()
    let isHeld = true
    return () => {
      if (isHeld) this.#holds -= 1
      isHeld = false
    }
  }

  async #ask<M extends keyof CapsuleMethods>(
    method: M,
    params: CapsuleMethods[M]['params'],
    { signal, onResult }: RequestOptions<Result<M>> = {}
  ): Promise<Result<M>> {
    if (this.#closed.signal.aborted) throw ended()
    const id = this.#nextId++
    this.#underWay += 1
    const release = this.hold()
    const giveUp = (): void => {
      this.tell('cancel', { id })
      this.#pending.get(id)?.reject(signal?.reason)
    }
    try {
      return await new Promise<unknown>((resolve, reject) => {
        this.#pending.set(id, {
          resolve: (result) => {
            onResult?.(result)
            resolve(result)
          },
          reject
        })
        this.#send({ jsonrpc: '2.0', id, method, params })
        signal?.addEventListener('abort', giveUp, { once: true })
      })
    } finally {
      signal?.removeEventListener('abort', giveUp)
      this.#pending.delete(id)
      this.#underWay -= 1
      this.#waiting.shift()?.()
      release()
    }
  }

  #send(message: Message): void {
    const line = this.#text.encode(`${JSON.stringify(message)}\n`)
    if (line.byteLength - 1 > LINE_BYTES_MAX) {
      throw new CapsuleCallError(
        'ERR_CHANNEL_PARAMS',
        `expected a message of at most ${LINE_BYTES_MAX} bytes`
      )
    }
    if (!this.#closed.signal.aborted) this.#system().system.write(CHANNEL, line)
  }

  #listen(): void {
    if (this.#isListening || this.#closed.signal.aborted) return
    this.#isListening = true
    this.#system().loop.onReadable(CHANNEL, () => this.#read(), { keepsAlive: () => this.#holds > 0 })
  }

  #read(): void {
    this.#isListening = false
    const bytes = this.#system().system.read(CHANNEL)
    if (bytes?.byteLength === 0) {
      this.#closed.abort(ended())
      for (const { reject } of this.#pending.values()) reject(ended())
      for (const controller of this.#served.values()) controller.abort(ended())
      return
    }
    if (bytes !== undefined)
      for (const line of this.#lines.push(bytes)) this.#take(JSON.parse(line) as Message)
    this.#listen()
  }

  #take(message: Message): void {
    if (typeof message['method'] === 'string') {
      if (message['id'] === undefined) this.#notify(message['method'], message['params'])
      else void this.#answer(message as unknown as Omit<ProvideRequest, 'signal'>)
      return
    }
    const pending = this.#pending.get(message['id'] as CapsuleRequestId)
    const error = message['error'] as { message: string; data?: { code?: string } } | undefined
    if (error === undefined) pending?.resolve(message['result'])
    else pending?.reject(new CapsuleCallError(error.data?.code ?? 'ERR_INTERNAL', error.message))
  }

  #notify(method: string, params: unknown): void {
    if (method === 'cancel') {
      const { id } = params as HostNotifications['cancel']
      this.#served.get(id)?.abort(new CapsuleCallError('ERR_CANCELLED', 'nobody wants the answer any more'))
    }
    for (const listener of this.#listeners.get(method) ?? []) listener(params as never)
  }

  async #answer(request: Omit<ProvideRequest, 'signal'>): Promise<void> {
    const { id } = request
    const controller = new AbortController()
    this.#served.set(id, controller)
    try {
      if (this.#serve === undefined)
        throw new CapsuleCallError('ERR_CHANNEL_METHOD', 'nothing is served here')
      const { result, afterwards } = await this.#serve({ ...request, signal: controller.signal })
      this.#send({ jsonrpc: '2.0', id, result: result ?? {} })
      afterwards?.()
    } catch (thrown) {
      // The host passes on codes that the contract lists; the message stays here, in the log.
      const code = codeOf(thrown) ?? 'ERR_PROVIDER_FAILED'
      if (codeOf(thrown) === undefined) console.error(thrown)
      const error = { code: CAPSULE_CHANNEL_ERROR.failed, message: code, data: { code } }
      this.#send({ jsonrpc: '2.0', id, error })
    } finally {
      this.#served.delete(id)
    }
  }
}

function ended(): CapsuleCallError {
  return new CapsuleCallError('ERR_SESSION_ENDED', 'the runtime closed the channel')
}
