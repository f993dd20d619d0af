import {
  CONTROL_LIMITS,
  CONTROL_VERSION,
  createJsonLinesDecoder,
  encodeJsonLine,
  errorCode,
  type Clock,
  type ControlEvent,
  type ControlInput,
  type ControlMethod
} from '#contracts'
import { CliError, RemoteError } from './errors.ts'
import type { ControlClient, EventHandler } from './context.ts'

/** A duplex byte stream to the node, as the powers open it. */
export interface ControlSocket {
  /** Resolves when the bytes were taken. */
  write(text: string): Promise<void>
  readonly incoming: AsyncIterable<Uint8Array>
  close(): void
}

interface Pending {
  readonly resolve: (result: unknown) => void
  readonly reject: (error: Error) => void
  readonly onEvent: EventHandler | undefined
}

/** A message of the node: an answer, or an event of a call. */
interface Incoming {
  readonly id?: number
  readonly result?: unknown
  readonly error?: {
    readonly message?: string
    readonly data?: { readonly code?: string; readonly detail?: readonly string[] }
  }
  readonly method?: string
  readonly params?: { readonly call?: number; readonly event?: ControlEvent }
}

/** How long a node may take to answer a call that waits for nothing but the node, or to take in a cancellation. */
const ANSWER_DEADLINE_MS = 10_000
const CANCEL_DEADLINE_MS = 3_000

/** Methods that wait for nobody else, such as a peer or a disk full of files. */
const QUICK: ReadonlySet<string> = new Set<ControlMethod>([
  'node.status',
  'node.peers',
  'node.stop',
  'content.pins',
  'repo.stat',
  'capsule.list',
  'contact.add',
  'contact.remove',
  'contact.list',
  'deny.list'
])

/** Speaks the control protocol over an open socket; disposing closes it, which cancels its calls at the node. */
export function createControlClient(socket: ControlSocket, clock: Pick<Clock, 'after'>): ControlClient {
  const pending = new Map<number, Pending>()
  let nextId = 1
  let broken: CliError | RemoteError | undefined

  const breakAll = (error: CliError | RemoteError): void => {
    broken ??= error
    for (const call of pending.values()) call.reject(broken)
    pending.clear()
    socket.close()
  }
  void readAnswers(socket, pending).then(
    () => breakAll(new CliError('ERR_NODE_UNREACHABLE', 'the node closed the connection before it answered')),
    (cause: unknown) => breakAll(protocolError(cause))
  )

  const request = (method: string, params: unknown, onEvent?: EventHandler): Request => {
    const id = nextId++
    const result = new Promise<unknown>((resolve, reject) => {
      if (broken !== undefined) reject(broken)
      else pending.set(id, { resolve, reject, onEvent })
    })
    // A broken pipe also ends the reading side, which rejects every call with the reason.
    const message = { jsonrpc: '2.0', id, method, params, version: CONTROL_VERSION }
    if (broken === undefined) socket.write(encodeJsonLine(message)).catch(() => undefined)
    return { id, result }
  }
  const open: ControlClient['open'] = (method, params, { onEvent, signal }) => {
    const { id, result } = request(method, params, onEvent)
    const watch = watchCall(id, { clock, pending })
    if (QUICK.has(method)) watch.giveUpAfter(ANSWER_DEADLINE_MS)
    const abort = (): void => {
      cancelCall(socket, id)
      watch.giveUpAfter(CANCEL_DEADLINE_MS)
    }
    if (signal?.aborted === true) abort()
    else signal?.addEventListener('abort', abort, { once: true })
    return {
      result: result.finally(() => {
        watch[Symbol.dispose]()
        signal?.removeEventListener('abort', abort)
      }) as Promise<never>,
      send: async (input: ControlInput) => {
        await request('input', { call: id, input }).result
      }
    }
  }

  return {
    open,
    call: async (method, params, options = {}) => {
      const { onEvent = () => undefined, signal } = options
      const call = open(method, params, signal === undefined ? { onEvent } : { onEvent, signal })
      return await call.result
    },
    [Symbol.asyncDispose]: async () => {
      broken ??= new CliError('ERR_CANCELLED', 'the connection to the node was closed')
      socket.close()
      await Promise.resolve()
    }
  }
}

function cancelCall(socket: ControlSocket, id: number): void {
  const message = { jsonrpc: '2.0', method: 'cancel', params: { call: id } }
  socket.write(encodeJsonLine(message)).catch(() => undefined)
}

/** Rejects a call that the node does not answer in time, such as one that was stopped by a signal. */
function watchCall(
  id: number,
  { clock, pending }: { clock: Pick<Clock, 'after'>; pending: Map<number, Pending> }
): { giveUpAfter(durationMs: number): void } & Disposable {
  let timer: Disposable | undefined
  return {
    giveUpAfter: (durationMs) => {
      timer?.[Symbol.dispose]()
      timer = clock.after(durationMs, () => {
        const error = new CliError('ERR_DEADLINE', `the node did not answer within ${durationMs / 1000} s`)
        pending.get(id)?.reject(error)
        pending.delete(id)
      })
    },
    [Symbol.dispose]: () => timer?.[Symbol.dispose]()
  }
}

/** A node that closes a connection says why, one that is killed cannot; anything else is a fault of one of the two. */
function protocolError(cause: unknown): CliError | RemoteError {
  if (cause instanceof RemoteError) return cause
  const code = errorCode(cause)
  if (code === 'ECONNRESET' || code === 'EPIPE') {
    return new CliError('ERR_NODE_UNREACHABLE', 'the node ended before it answered', { cause })
  }
  return new CliError('ERR_CONTROL_PROTOCOL', 'the node broke the control protocol', { cause })
}

interface Request {
  readonly id: number
  readonly result: Promise<unknown>
}

async function readAnswers(socket: ControlSocket, pending: Map<number, Pending>): Promise<void> {
  const decoder = createJsonLinesDecoder(CONTROL_LIMITS.lineBytesMax)
  for await (const chunk of socket.incoming) {
    for (const value of decoder.push(chunk)) await settle(value as Incoming, pending)
  }
}

async function settle(message: Incoming, pending: Map<number, Pending>): Promise<void> {
  if (message.method === 'event') {
    const { call, event } = message.params ?? {}
    if (call !== undefined && event !== undefined) await pending.get(call)?.onEvent?.(event)
    return
  }
  const { id, error } = message
  const call = id === undefined ? undefined : pending.get(id)
  if (id !== undefined) pending.delete(id)
  if (error === undefined) {
    call?.resolve(message.result)
    return
  }
  const refusal = new RemoteError(
    error.data?.code ?? 'ERR_UNKNOWN',
    error.message ?? 'unknown',
    error.data?.detail ?? []
  )
  // Without an id it is about the connection: whatever is under way will not be answered.
  if (id === undefined) throw refusal
  call?.reject(refusal)
}
