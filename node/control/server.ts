import {
  CONTROL_LIMITS,
  createJsonLinesDecoder,
  encodeJsonLine,
  errorCode,
  errorDetail,
  errorMessage,
  type ControlEvent,
  type ControlInput,
  type ControlMethod,
  type Logger
} from '#contracts'
import { NodeError } from '../errors.ts'
import { parseInput, parseRequest, readRequestId } from './schemas.ts'

/** One connection of a command, as the powers accept it. */
export interface ControlConnection {
  /** Resolves when the bytes were taken, which is what slows a fast capsule down to its reader. */
  write(text: string): Promise<void>
  readonly incoming: AsyncIterable<Uint8Array>
  close(): void
}

/** What a method is given beside its parameters. */
export interface CallContext {
  /** Aborts when the caller cancels, goes away, or the node stops. */
  readonly signal: AbortSignal
  /** Sends an event to the caller; resolves when it was taken. */
  emit(event: ControlEvent): Promise<void>
  /** The next input of the caller; `undefined` when there will be none. */
  nextInput(): Promise<ControlInput | undefined>
}

/** Answers one method; parameters were parsed by its schema. */
export type ControlHandler = (params: never, context: CallContext) => Promise<unknown>

/** Every method and what answers it. */
export type ControlHandlers = { readonly [M in ControlMethod]: ControlHandler }

/** What serving a connection needs. */
export interface ControlServerComponents {
  /** What a person could do about an error with this code, a line each. */
  readonly advise?: (code: string | undefined) => readonly string[]
  readonly handlers: ControlHandlers
  readonly logger: Logger
  readonly signal: AbortSignal
}

interface Call {
  readonly controller: AbortController
  readonly inputs: InputQueue
  /** Settles when its handler has ended. */
  readonly ended: PromiseWithResolvers<undefined>
}

/** Serves one connection until it closes and its calls have ended; never throws. What the caller left is cancelled. */
export async function serveControlConnection(
  connection: ControlConnection,
  components: ControlServerComponents
): Promise<void> {
  const calls = new Map<number, Call>()
  const stop = (): void => connection.close()
  components.signal.addEventListener('abort', stop, { once: true })
  try {
    const decoder = createJsonLinesDecoder(CONTROL_LIMITS.lineBytesMax)
    for await (const chunk of connection.incoming) {
      for (const value of decoder.push(chunk)) accept(value, { connection, components, calls })
    }
  } catch (thrown) {
    // Not awaited: the calls below are cancelled even when the caller reads no more. Closing sends it first.
    connection.write(encodeJsonLine(failure(undefined, thrown))).catch(() => undefined)
    const code = errorCode(thrown)
    components.logger.warn('control connection refused', { code, reason: errorMessage(thrown) })
  } finally {
    components.signal.removeEventListener('abort', stop)
    for (const call of calls.values())
      call.controller.abort(new NodeError('ERR_CALLER_GONE', 'the caller went away'))
    connection.close()
    await Promise.all([...calls.values()].map(async ({ ended }) => await ended.promise))
  }
}

interface ConnectionState {
  readonly connection: ControlConnection
  readonly components: ControlServerComponents
  readonly calls: Map<number, Call>
}

function accept(value: unknown, state: ConnectionState): void {
  const { connection, calls } = state
  const id = readRequestId(value)
  const reply = (message: object): void =>
    void connection.write(encodeAnswer(message, id)).catch(() => undefined)
  try {
    const request = parseRequest(value)
    if (request.method === 'cancel') {
      calls
        .get(request.params.call)
        ?.controller.abort(new NodeError('ERR_CANCELLED', 'cancelled by the caller'))
      return
    }
    if (request.method === 'input') {
      const { call, input } = request.params
      const taken = calls.get(call)?.inputs.push(parseInput(input)) ?? Promise.resolve()
      taken.then(
        () => reply({ jsonrpc: '2.0', id, result: {} }),
        (thrown: unknown) => reply(failure(id, thrown))
      )
      return
    }
    if (calls.size >= CONTROL_LIMITS.callsMax || calls.has(request.id)) {
      throw new NodeError(
        'ERR_CONTROL_BUSY',
        `expected at most ${CONTROL_LIMITS.callsMax} calls on a connection`
      )
    }
    void runCall(request, state).then(reply)
  } catch (thrown) {
    reply(failure(id, thrown))
  }
}

async function runCall(
  request: { id: number; method: ControlMethod; params: unknown },
  { connection, components, calls }: ConnectionState
): Promise<object> {
  const { id, method, params } = request
  const call: Call = {
    controller: new AbortController(),
    inputs: createInputQueue(),
    ended: Promise.withResolvers()
  }
  calls.set(id, call)
  try {
    const result = await components.handlers[method](params as never, {
      signal: AbortSignal.any([call.controller.signal, components.signal]),
      emit: async (event) => {
        await connection.write(
          encodeJsonLine({ jsonrpc: '2.0', method: 'event', params: { call: id, event } })
        )
      },
      nextInput: async () => await call.inputs.next()
    })
    return { jsonrpc: '2.0', id, result: result ?? {} }
  } catch (thrown) {
    components.logger.info('call failed', { method, code: errorCode(thrown), reason: errorMessage(thrown) })
    return failure(id, thrown, components.advise?.(errorCode(thrown)))
  } finally {
    calls.delete(id)
    call.inputs.end()
    call.ended.resolve(undefined)
  }
}

/** A line longer than the caller reads would end the connection; it is told why instead. */
function encodeAnswer(message: object, id: number | undefined): string {
  const line = encodeJsonLine(message)
  if (Buffer.byteLength(line) <= CONTROL_LIMITS.lineBytesMax) return line
  const text = `expected an answer of at most ${CONTROL_LIMITS.lineBytesMax} bytes: ask for less`
  return encodeJsonLine(failure(id, new NodeError('ERR_ANSWER_TOO_LARGE', text)))
}

function failure(id: number | undefined, thrown: unknown, advice: readonly string[] = []): object {
  const code = errorCode(thrown) ?? 'ERR_UNKNOWN'
  return {
    jsonrpc: '2.0',
    ...(id === undefined ? {} : { id }),
    error: {
      code: -32000,
      message: errorMessage(thrown),
      data: { code, detail: [...errorDetail(thrown), ...advice] }
    }
  }
}

interface InputQueue {
  /** Resolves when the input was taken, so that a sender waits for a slow reader. */
  push(input: ControlInput): Promise<void>
  next(): Promise<ControlInput | undefined>
  end(): void
}

/** Holds at most what the connection's own calls sent; every sender waits until its input is taken. */
function createInputQueue(): InputQueue {
  const held: { input: ControlInput; taken: () => void }[] = []
  const waiting: ((input: ControlInput | undefined) => void)[] = []
  let isEnded = false
  return {
    push: async (input) => {
      if (isEnded) return
      const reader = waiting.shift()
      if (reader !== undefined) {
        reader(input)
        return
      }
      if (held.length >= CONTROL_LIMITS.callsMax) {
        throw new NodeError('ERR_CONTROL_BUSY', 'expected the caller to wait until its input was taken')
      }
      await new Promise<void>((taken) => held.push({ input, taken }))
    },
    next: async () => {
      const first = held.shift()
      if (first !== undefined) {
        first.taken()
        return first.input
      }
      if (isEnded) return undefined
      return await new Promise<ControlInput | undefined>((resolve) => waiting.push(resolve))
    },
    end: () => {
      isEnded = true
      for (const { taken } of held.splice(0)) taken()
      for (const reader of waiting.splice(0)) reader(undefined)
    }
  }
}
