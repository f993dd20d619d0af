import type { Capsule } from './capsule.ts'
import { codeOf } from './errors.ts'

/** A tool that a capsule offers. */
export interface Tool {
  readonly description: string
  /** JSON Schema of its arguments: an object. What comes is not checked against it here. */
  readonly inputSchema: Readonly<Record<string, unknown>>
  /** Does it. Text is answered as it is, anything else as JSON; what is thrown is answered as a failure. */
  call(given: Readonly<Record<string, unknown>>): unknown
}

/** A server of tools. */
export interface ToolServerInit {
  readonly name: string
  readonly version: string
  readonly tools: Readonly<Record<string, Tool>>
}

/** Versions of the Model Context Protocol that are spoken, the newest first. */
const VERSIONS = ['2025-06-18', '2025-03-26', '2024-11-05']
const ERROR = { parse: -32700, method: -32601, params: -32602 } as const

interface Request {
  readonly id?: string | number
  readonly method?: string
  readonly params?: Readonly<Record<string, unknown>>
}

class Refused extends Error {
  readonly number: number

  constructor(number: number, message: string) {
    super(message)
    this.number = number
  }
}

/**
 * Serves tools over the capsule's standard streams, as the Model Context Protocol has it, until its input ends. The
 * manifest says `"interface": "mcp"`.
 *
 * @see https://modelcontextprotocol.io/specification/2025-06-18/server/tools
 */
export async function serveTools(
  capsule: Pick<Capsule, 'lines' | 'write' | 'writeError'>,
  init: ToolServerInit
): Promise<void> {
  const send = (message: object): void => capsule.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`)
  const underWay = new Set<Promise<void>>()
  for await (const line of capsule.lines()) {
    if (line.trim() === '') continue
    const request = parse(line)
    if (request === undefined) send({ id: null, error: { code: ERROR.parse, message: 'expected JSON' } })
    if (request?.method === undefined || request.id === undefined) continue
    const { id } = request
    const answered: Promise<void> = answer(init, request)
      .then(
        (result) => send({ id, result }),
        (thrown: unknown) => send({ id, error: failure(thrown) })
      )
      .finally(() => underWay.delete(answered))
    underWay.add(answered)
  }
  await Promise.all(underWay)
}

function parse(line: string): Request | undefined {
  try {
    return JSON.parse(line) as Request
  } catch {
    return undefined
  }
}

async function answer({ name, version, tools }: ToolServerInit, request: Request): Promise<object> {
  const { method, params = {} } = request
  if (method === 'ping') return {}
  if (method === 'initialize') {
    const asked = String(params['protocolVersion'])
    const protocolVersion = VERSIONS.includes(asked) ? asked : VERSIONS[0]
    return { protocolVersion, capabilities: { tools: {} }, serverInfo: { name, version } }
  }
  if (method === 'tools/list') {
    return {
      tools: Object.entries(tools).map(([tool, { description, inputSchema }]) => ({
        ...{ name: tool, description, inputSchema }
      }))
    }
  }
  if (method !== 'tools/call') throw new Refused(ERROR.method, `expected a method served here, got ${method}`)
  const tool = Object.hasOwn(tools, String(params['name'])) ? tools[String(params['name'])] : undefined
  if (tool === undefined)
    throw new Refused(ERROR.params, `expected one of the tools ${Object.keys(tools).join(', ')}`)
  return await call(tool, (params['arguments'] ?? {}) as Readonly<Record<string, unknown>>)
}

async function call(tool: Tool, given: Readonly<Record<string, unknown>>): Promise<object> {
  try {
    const result = await tool.call(given)
    const text = typeof result === 'string' ? result : JSON.stringify(result ?? null)
    return { content: [{ type: 'text', text }], isError: false }
  } catch (thrown) {
    const text = thrown instanceof Error ? thrown.message : String(thrown)
    const code = codeOf(thrown)
    return {
      content: [{ type: 'text', text: code === undefined ? text : `${text} (${code})` }],
      isError: true
    }
  }
}

function failure(thrown: unknown): object {
  if (thrown instanceof Refused) return { code: thrown.number, message: thrown.message }
  return { code: ERROR.params, message: String(thrown) }
}
