import type * as z from 'zod'
import { createJsonLinesDecoder, encodeJsonLine, type Clock } from '#contracts'
import { CapsuleError } from '../errors.ts'
import { printable } from '../text.ts'
import {
  MCP_ARGUMENTS_BYTES_MAX,
  MCP_LINE_BYTES_MAX,
  MCP_PAGES_MAX,
  MCP_SERVER_REQUESTS_MAX,
  MCP_START_MS_MAX,
  MCP_TOOLS_MAX,
  MCP_VERSIONS
} from './constants.ts'
import {
  callToolResult,
  initializeResult,
  listToolsResult,
  serverMessage,
  type McpTool,
  type McpToolResult,
  type ServerMessage
} from './messages.ts'

/** Numbers of JSON-RPC and of the protocol that are told apart. */
const METHOD_NOT_FOUND = -32601

/** A server of tools that speaks the Model Context Protocol over its standard streams. */
export interface ToolServer {
  /** What to give the capsule as its standard input. Ends when the server is closed. */
  readonly stdin: AsyncIterable<Uint8Array>
  /** Where the capsule's standard output goes. A line that is no message of the protocol breaks the server. */
  readonly stdout: { write(bytes: Uint8Array): void }
  /**
   * All tools. The first call of anything introduces the two to each other.
   *
   * @throws CapsuleError `ERR_MCP_PROTOCOL`, `ERR_MCP_TIME_LIMIT`
   */
  listTools(options: { signal: AbortSignal }): Promise<readonly McpTool[]>
  /**
   * Calls one tool.
   *
   * @throws CapsuleError `ERR_MCP_ARGUMENTS` when they are too long; `ERR_MCP_REFUSED` with the server's words as
   * `detail`; `ERR_MCP_PROTOCOL`, `ERR_MCP_TIME_LIMIT`
   */
  callTool(
    call: { name: string; arguments: Readonly<Record<string, unknown>> },
    options: { signal: AbortSignal }
  ): Promise<McpToolResult>
  /** Ends its input; what is under way fails with `why`. */
  close(why: Error): void
}

interface Pending {
  readonly schema: z.ZodType
  resolve(result: never): void
  reject(thrown: unknown): void
}

/** Creates the side that a tool server in a capsule talks to. The capsule keeps to its sandbox: we only speak with it. */
export function createToolServer(components: { clock: Clock }): ToolServer {
  const client = new Client(components.clock)
  return {
    stdin: client.input,
    stdout: { write: (bytes) => client.take(bytes) },
    listTools: async ({ signal }) => await client.listTools(signal),
    callTool: async (call, { signal }) => await client.callTool(call, signal),
    close: (why) => client.close(why)
  }
}

class Client {
  readonly #clock: Clock
  readonly #lines = createJsonLinesDecoder(MCP_LINE_BYTES_MAX)
  readonly #pending = new Map<number, Pending>()
  readonly #outgoing: Uint8Array[] = []
  #wake: (() => void) | undefined
  #nextId = 1
  #serverRequests = 0
  #ended: Error | undefined
  #introduced: Promise<void> | undefined

  constructor(clock: Clock) {
    this.#clock = clock
  }

  get input(): AsyncIterable<Uint8Array> {
    return this.#drain()
  }

  async listTools(signal: AbortSignal): Promise<readonly McpTool[]> {
    await this.#introduce(signal)
    const tools: McpTool[] = []
    let cursor: string | undefined
    for (let page = 0; page < MCP_PAGES_MAX; page++) {
      const params = cursor === undefined ? {} : { cursor }
      const answer = await this.#request('tools/list', params, { schema: listToolsResult, signal })
      tools.push(...answer.tools)
      if (tools.length > MCP_TOOLS_MAX) break
      cursor = answer.nextCursor
      if (cursor === undefined) return tools
    }
    throw protocolError(`at most ${MCP_TOOLS_MAX} tools on ${MCP_PAGES_MAX} pages`)
  }

  async callTool(
    call: { name: string; arguments: Readonly<Record<string, unknown>> },
    signal: AbortSignal
  ): Promise<McpToolResult> {
    if (Buffer.byteLength(JSON.stringify(call.arguments)) > MCP_ARGUMENTS_BYTES_MAX) {
      throw new CapsuleError(
        'ERR_MCP_ARGUMENTS',
        `expected arguments of at most ${MCP_ARGUMENTS_BYTES_MAX} bytes`
      )
    }
    await this.#introduce(signal)
    return await this.#request('tools/call', call, { schema: callToolResult, signal })
  }

  /** Takes output of the capsule. Never throws: what breaks the protocol fails what is under way. */
  take(bytes: Uint8Array): void {
    if (this.#ended !== undefined) return
    try {
      for (const value of this.#lines.push(bytes)) this.#message(serverMessage.parse(value))
    } catch (cause) {
      this.close(
        cause instanceof CapsuleError ? cause : protocolError('a message of the protocol a line', cause)
      )
    }
  }

  close(why: Error): void {
    if (this.#ended !== undefined) return
    this.#ended = why
    for (const { reject } of this.#pending.values()) reject(why)
    this.#pending.clear()
    this.#wake?.()
  }

  async #introduce(signal: AbortSignal): Promise<void> {
    this.#introduced ??= this.#initialize(signal)
    await this.#introduced
  }

  async #initialize(signal: AbortSignal): Promise<void> {
    const [protocolVersion] = MCP_VERSIONS
    const params = { protocolVersion, capabilities: {}, clientInfo: { name: 'elastos', version: '1' } }
    using _limit = this.#clock.after(MCP_START_MS_MAX, () => {
      this.close(
        new CapsuleError(
          'ERR_MCP_TIME_LIMIT',
          `expected the tool server to answer within ${MCP_START_MS_MAX} ms`
        )
      )
    })
    const answer = await this.#request('initialize', params, { schema: initializeResult, signal })
    if (!MCP_VERSIONS.includes(answer.protocolVersion)) {
      throw protocolError(`version ${MCP_VERSIONS.join(' or ')}`)
    }
    if (answer.capabilities.tools === undefined) throw protocolError('a server that has tools')
    this.#send({ jsonrpc: '2.0', method: 'notifications/initialized' })
  }

  async #request<T>(
    method: string,
    params: object,
    { schema, signal }: { schema: z.ZodType<T>; signal: AbortSignal }
  ): Promise<T> {
    signal.throwIfAborted()
    if (this.#ended !== undefined) throw this.#ended
    const id = this.#nextId++
    const giveUp = (): void => {
      this.#send({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: id } })
      this.#pending.get(id)?.reject(signal.reason)
    }
    signal.addEventListener('abort', giveUp, { once: true })
    try {
      return await new Promise<T>((resolve, reject) => {
        this.#pending.set(id, { schema, resolve, reject })
        this.#send({ jsonrpc: '2.0', id, method, params })
      })
    } finally {
      signal.removeEventListener('abort', giveUp)
      this.#pending.delete(id)
    }
  }

  #message({ id, method, result, error }: ServerMessage): void {
    if (method !== undefined) {
      if (id !== undefined && id !== null) this.#answer(id, method)
      return
    }
    const pending = typeof id === 'number' ? this.#pending.get(id) : undefined
    if (pending === undefined) return
    if (error !== undefined) {
      pending.reject(
        new CapsuleError('ERR_MCP_REFUSED', 'the tool server refused the request', {
          detail: [printable(error.message, 400)]
        })
      )
      return
    }
    const parsed = pending.schema.safeParse(result)
    if (parsed.success) pending.resolve(parsed.data as never)
    else pending.reject(protocolError('an answer of the protocol', parsed.error))
  }

  /** A server may ask for a model or for files: it gets neither, only a sign of life. */
  #answer(id: string | number, method: string): void {
    if (++this.#serverRequests > MCP_SERVER_REQUESTS_MAX) {
      throw protocolError(`at most ${MCP_SERVER_REQUESTS_MAX} requests of the server`)
    }
    if (method === 'ping') this.#send({ jsonrpc: '2.0', id, result: {} })
    else this.#send({ jsonrpc: '2.0', id, error: { code: METHOD_NOT_FOUND, message: 'not offered' } })
  }

  #send(message: object): void {
    this.#outgoing.push(new TextEncoder().encode(encodeJsonLine(message)))
    this.#wake?.()
  }

  async *#drain(): AsyncGenerator<Uint8Array, void, undefined> {
    for (;;) {
      const next = this.#outgoing.shift()
      if (next !== undefined) yield next
      else if (this.#ended !== undefined) return
      else await new Promise<void>((resolve) => (this.#wake = resolve))
    }
  }
}

function protocolError(expected: string, cause?: unknown): CapsuleError {
  return new CapsuleError('ERR_MCP_PROTOCOL', `expected ${expected} of the tool server, got another`, {
    cause
  })
}
