/** Versions of the Model Context Protocol that are spoken, the newest first. */
export const MCP_VERSIONS: readonly string[] = ['2025-06-18', '2025-03-26', '2024-11-05']
/** Bytes of one message of a tool server. */
export const MCP_LINE_BYTES_MAX: number = 1024 * 1024
/** Tools of one server. */
export const MCP_TOOLS_MAX = 256
/** Answers a list of tools may be spread over. */
export const MCP_PAGES_MAX = 64
/** Characters of a tool's name (the protocol's own limit). */
export const MCP_TOOL_NAME_LENGTH_MAX = 128
/** Characters of what a tool says of itself that are kept. */
export const MCP_TEXT_LENGTH_MAX = 4096
/** Parts of one answer. */
export const MCP_CONTENT_MAX = 256
/** Bytes of a call's arguments as JSON. */
export const MCP_ARGUMENTS_BYTES_MAX: number = 256 * 1024
/** How long a server may take to say who it is. */
export const MCP_START_MS_MAX = 30_000
/** Requests of a server to us that are answered; they are all refused, and a server that goes on is broken off. */
export const MCP_SERVER_REQUESTS_MAX = 100
