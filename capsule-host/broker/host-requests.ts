import { CodedError, type CapsuleRequestId, type Clock, type ProvideMethods } from '#contracts'
import type { ChannelWriter } from './channel-writer.ts'
import { PROVIDER_ANSWER_MS_MAX } from './constants.ts'
import type { ChannelMessage } from './json-rpc.ts'
import { refusal } from './refusal.ts'

/** A provider capsule answered with an error; `code` is its own word. */
export class ProviderSaysNo extends CodedError {}

/** One request of the host. */
export interface HostRequest<M extends keyof ProvideMethods = keyof ProvideMethods> {
  readonly id: string
  readonly method: M
  readonly params: ProvideMethods[M]['params']
  /**
   * Called once, when the capsule has nothing more to do for it: it answered, also after the request was cancelled, or had
   * all the time it may have.
   */
  readonly onSettled: () => void
}

/** What the host asks a provider capsule. */
export interface HostRequests {
  /** An id for the next request. */
  nextId(): string
  /**
   * Asks and waits for the answer.
   *
   * @throws ProviderSaysNo; Refusal `ERR_CHANNEL_PARAMS` when it fits no line, `ERR_PROVIDER_GONE`; the reason of `signal`
   */
  ask(request: HostRequest, signal: AbortSignal): Promise<unknown>
  /** Takes an answer; one that was not asked for is dropped. */
  take(message: Extract<ChannelMessage, { kind: 'result' | 'failure' }>): void
  /** The capsule is gone. */
  close(): void
}

/** What {@link createHostRequests} works with. */
export interface HostRequestsComponents {
  readonly writer: Pick<ChannelWriter, 'send'>
  readonly clock: Pick<Clock, 'after'>
  /** Told how many requests the capsule let pass its time without an answer, whenever there is one more. */
  readonly onLost: (count: number) => void
}

/** Requests to the capsule behind `writer`. How many are under way at a time is the caller's to bound. */
export function createHostRequests(components: HostRequestsComponents): HostRequests {
  return new Requests(components)
}

interface Open {
  readonly answer: PromiseWithResolvers<unknown>
  readonly request: HostRequest
  readonly timer: Disposable
}

class Requests implements HostRequests {
  readonly #components: HostRequestsComponents
  /** Not answered, whether anybody still waits for it or not. */
  readonly #open = new Map<CapsuleRequestId, Open>()
  #asked = 0
  #lost = 0
  #isClosed = false

  constructor(components: HostRequestsComponents) {
    this.#components = components
  }

  nextId(): string {
    return `h${++this.#asked}`
  }

  async ask(request: HostRequest, signal: AbortSignal): Promise<unknown> {
    const { writer, clock } = this.#components
    const { id, method, params, onSettled } = request
    const mayAsk = !signal.aborted && !this.#isClosed
    if (!mayAsk || !writer.send({ jsonrpc: '2.0', id, method, params })) {
      onSettled()
      signal.throwIfAborted()
      throw refusal(this.#isClosed ? 'ERR_PROVIDER_GONE' : 'ERR_CHANNEL_PARAMS')
    }
    const answer = Promise.withResolvers<unknown>()
    const timer = clock.after(PROVIDER_ANSWER_MS_MAX, () => this.#lose(id))
    this.#open.set(id, { answer, request, timer })
    const giveUp = (): void => {
      writer.send({ jsonrpc: '2.0', method: 'cancel', params: { id } })
      answer.reject(signal.reason)
    }
    signal.addEventListener('abort', giveUp, { once: true })
    try {
      return await answer.promise
    } finally {
      signal.removeEventListener('abort', giveUp)
    }
  }

  take(message: Extract<ChannelMessage, { kind: 'result' | 'failure' }>): void {
    const open = this.#settle(message.id)
    if (message.kind === 'result') open?.answer.resolve(message.result)
    else open?.answer.reject(new ProviderSaysNo(message.code ?? '', 'the provider answered with an error'))
  }

  close(): void {
    this.#isClosed = true
    for (const id of [...this.#open.keys()]) this.#settle(id)?.answer.reject(refusal('ERR_PROVIDER_GONE'))
  }

  #lose(id: CapsuleRequestId): void {
    this.#settle(id)?.answer.reject(refusal('ERR_PROVIDER_TIME_LIMIT'))
    this.#components.onLost(++this.#lost)
  }

  #settle(id: CapsuleRequestId): Open | undefined {
    const open = this.#open.get(id)
    if (open === undefined) return undefined
    this.#open.delete(id)
    open.timer[Symbol.dispose]()
    // Nobody may wait for it any more.
    open.answer.promise.catch(() => undefined)
    open.request.onSettled()
    return open
  }
}
