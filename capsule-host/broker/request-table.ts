import { CAPSULE_CHANNEL_LIMITS, type CapsuleRequestId } from '#contracts'
import type { ChannelWriter } from './channel-writer.ts'
import { failureOf, refusal } from './refusal.ts'

/** What a request is answered with. */
export interface RequestContext {
  /** Aborts when nobody wants the answer any more. */
  readonly signal: AbortSignal
  /** Calls `task` when the answer was sent: for what follows it on the channel. Not called after a refusal. */
  afterAnswer(task: () => void): void
}

/** Does what a request asks for. */
export type RequestTask = (context: RequestContext) => Promise<unknown>

/** The requests of one capsule that are under way. */
export interface RequestTable {
  /** Answers the request with what `task` resolves to, or with its refusal. */
  answer(id: CapsuleRequestId, task: RequestTask): void
  /** The capsule no longer wants the answer. */
  cancel(id: CapsuleRequestId): void
  /** Nobody is there any more. */
  close(why: unknown): void
}

/** Options of {@link createRequestTable}. */
export interface RequestTableInit {
  readonly writer: Pick<ChannelWriter, 'send'>
  /** Told of errors that are no refusals: faults of the host. */
  readonly onFault: (thrown: unknown) => void
}

/** A table that takes `requestsMax` requests at a time; an answer that fits no line is a refusal. */
export function createRequestTable({ writer, onFault }: RequestTableInit): RequestTable {
  const underWay = new Map<CapsuleRequestId, AbortController>()

  const refuse = (id: CapsuleRequestId, thrown: unknown): void => {
    const failure = failureOf(id, thrown)
    if (failure.error.data.code === 'ERR_INTERNAL') onFault(thrown)
    writer.send(failure)
  }
  const run = async (
    { id, abort }: { id: CapsuleRequestId; abort: AbortController },
    task: RequestTask
  ): Promise<void> => {
    const sequels: (() => void)[] = []
    try {
      const context = { signal: abort.signal, afterAnswer: (sequel: () => void) => void sequels.push(sequel) }
      const result = (await task(context)) ?? {}
      if (!writer.send({ jsonrpc: '2.0', id, result })) refuse(id, refusal('ERR_PROVIDER_ANSWER'))
      for (const sequel of sequels) sequel()
    } catch (thrown) {
      // What a cancelled task throws is its own affair; the capsule is told what it asked for.
      refuse(id, abort.signal.aborted ? abort.signal.reason : thrown)
    } finally {
      underWay.delete(id)
    }
  }
  return {
    answer: (id, task) => {
      if (underWay.has(id)) refuse(id, refusal('ERR_CHANNEL_REQUEST'))
      else if (underWay.size >= CAPSULE_CHANNEL_LIMITS.requestsMax) refuse(id, refusal('ERR_CHANNEL_BUSY'))
      else {
        const abort = new AbortController()
        underWay.set(id, abort)
        void run({ id, abort }, task)
      }
    },
    cancel: (id) => underWay.get(id)?.abort(refusal('ERR_CANCELLED')),
    close: (why) => {
      for (const abort of underWay.values()) abort.abort(why)
    }
  }
}
