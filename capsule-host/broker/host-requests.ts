import { CodedError, type CapsuleRequestId, type ProvideMethods } from '#contracts'
import type { ChannelWriter } from './channel-writer.ts'
import type { ChannelMessage } from './json-rpc.ts'
import { refusal } from './refusal.ts'

/** A provider capsule answered with an error; `code` is its own word. */
export class ProviderSaysNo extends CodedError {}

/** What the host asks a provider capsule. */
export interface HostRequests {
  /** An id for the next request. */
  nextId(): string
  /**
   * Asks and waits for the answer.
   *
   * @throws ProviderSaysNo; Refusal `ERR_CHANNEL_PARAMS` when it fits no line, `ERR_PROVIDER_GONE`; the reason of `signal`
   */
  ask<M extends keyof ProvideMethods>(
    request: { id: string; method: M; params: ProvideMethods[M]['params'] },
    signal: AbortSignal
  ): Promise<unknown>
  /** Takes an answer; one that was not asked for is dropped. */
  take(message: Extract<ChannelMessage, { kind: 'result' | 'failure' }>): void
  /** Requests whose caller is gone and that were never answered. */
  readonly lostCount: number
  /** The capsule is gone. */
  close(): void
}

interface Waiting {
  resolve(result: unknown): void
  reject(why: unknown): void
}

/** Requests to the capsule behind `writer`. How many are under way at a time is the caller's to bound. */
export function createHostRequests(writer: Pick<ChannelWriter, 'send'>): HostRequests {
  const waiting = new Map<CapsuleRequestId, Waiting>()
  /** Given up, but not answered; the capsule may still do so. */
  const lost = new Set<CapsuleRequestId>()
  let asked = 0
  let isOpen = true

  return {
    nextId: () => `h${++asked}`,
    ask: async ({ id, method, params }, signal) => {
      signal.throwIfAborted()
      if (!isOpen) throw refusal('ERR_PROVIDER_GONE')
      const answer = Promise.withResolvers<unknown>()
      const giveUp = (): void => {
        waiting.delete(id)
        lost.add(id)
        writer.send({ jsonrpc: '2.0', method: 'cancel', params: { id } })
        answer.reject(signal.reason)
      }
      waiting.set(id, answer)
      signal.addEventListener('abort', giveUp, { once: true })
      try {
        if (!writer.send({ jsonrpc: '2.0', id, method, params })) throw refusal('ERR_CHANNEL_PARAMS')
        return await answer.promise
      } finally {
        waiting.delete(id)
        signal.removeEventListener('abort', giveUp)
      }
    },
    take: (message) => {
      lost.delete(message.id)
      const request = waiting.get(message.id)
      if (request === undefined) return
      if (message.kind === 'result') request.resolve(message.result)
      else request.reject(new ProviderSaysNo(message.code ?? '', 'the provider answered with an error'))
    },
    get lostCount() {
      return lost.size
    },
    close: () => {
      isOpen = false
      for (const request of waiting.values()) request.reject(refusal('ERR_PROVIDER_GONE'))
      lost.clear()
    }
  }
}
