import * as z from 'zod'
import { MCP_CONTENT_MAX, MCP_TEXT_LENGTH_MAX, MCP_TOOL_NAME_LENGTH_MAX, MCP_TOOLS_MAX } from './constants.ts'

/**
 * What a tool server says, as far as it is looked at. Fields that are not known are dropped: servers of later versions
 * have more.
 *
 * @see https://modelcontextprotocol.io/specification/2025-06-18/server/tools
 */

/** Text is a stranger's, cut rather than refused; who shows it makes it printable. */
const text = z.string().transform((value) => value.slice(0, MCP_TEXT_LENGTH_MAX))
const json = z.record(z.string(), z.unknown())

/** A tool as its server describes it. All of it is the server's own word. */
export interface McpTool {
  readonly name: string
  readonly title?: string | undefined
  readonly description?: string | undefined
  /** JSON Schema of its arguments. */
  readonly inputSchema: Readonly<Record<string, unknown>>
}

/** One part of an answer: text, or another kind with its own fields. */
export interface McpContent {
  readonly type: string
  readonly text?: string | undefined
  readonly [more: string]: unknown
}

/** What a tool answered. */
export interface McpToolResult {
  readonly content: readonly McpContent[]
  readonly structuredContent?: Readonly<Record<string, unknown>> | undefined
  /** The tool itself says that it failed. */
  readonly isError: boolean
}

/** Answer of `initialize`. */
export const initializeResult: z.ZodType<{
  protocolVersion: string
  capabilities: { tools?: unknown }
  serverInfo: { name: string; version: string }
}> = z.object({
  protocolVersion: z.string().max(32),
  capabilities: z.object({ tools: z.unknown().optional() }),
  serverInfo: z.object({ name: text, version: text })
})

/** Answer of `tools/list`. */
export const listToolsResult: z.ZodType<{ tools: McpTool[]; nextCursor?: string | undefined }> = z.object({
  tools: z
    .array(
      z.object({
        name: z.string().min(1).max(MCP_TOOL_NAME_LENGTH_MAX),
        title: text.optional(),
        description: text.optional(),
        inputSchema: json
      })
    )
    .max(MCP_TOOLS_MAX),
  nextCursor: z.string().max(MCP_TEXT_LENGTH_MAX).optional()
})

/** Answer of `tools/call`. */
export const callToolResult: z.ZodType<McpToolResult> = z.object({
  content: z
    .array(z.looseObject({ type: z.string().max(64), text: z.string().optional() }))
    .max(MCP_CONTENT_MAX)
    .default([]),
  structuredContent: json.optional(),
  isError: z.boolean().default(false)
})

/** Any message of a server: an answer, or a request or notification of its own. */
export const serverMessage: z.ZodType<ServerMessage> = z.object({
  jsonrpc: z.literal('2.0'),
  id: z.union([z.string().max(128), z.int()]).nullish(),
  method: z.string().max(128).optional(),
  result: z.unknown().optional(),
  error: z.object({ code: z.int(), message: text }).optional()
})

/** See {@link serverMessage}. */
export interface ServerMessage {
  readonly jsonrpc: '2.0'
  readonly id?: string | number | null | undefined
  readonly method?: string | undefined
  readonly result?: unknown
  readonly error?: { readonly code: number; readonly message: string } | undefined
}
