/**
 * What the author of a capsule in TypeScript imports: its standard streams, what it may ask for, whom it may call, what
 * it serves. Around it are `console`, timers, `TextEncoder`, `crypto.getRandomValues`, `AbortController`; there is no
 * Node and no browser.
 *
 * @example
 * ```ts
 * import { capsule } from 'elastos/sdk'
 *
 * await capsule.request({ command: 'localhost/write', resource: 'localhost://notes/*', reason: 'to keep your notes' })
 * for await (const line of capsule.lines()) {
 *   await capsule.call('localhost/write', { path: 'notes/last.txt', data: btoa(line) })
 * }
 * ```
 *
 * @packageDocumentation
 */
import { createCapsule, type Capsule } from './capsule.ts'

/** The capsule this runs in. */
export const capsule: Capsule = createCapsule()

export { createCapsule }
export type { CallOptions, CapabilityRequest, Capsule, CapsuleTerminal } from './capsule.ts'
export type {
  CallName,
  CommandInput,
  CommandItem,
  CommandParams,
  CommandResult,
  Commands,
  StreamName
} from './commands.ts'
export type {
  ContentCommands,
  DidCommands,
  HttpCommands,
  LocalhostCommands,
  PeerCommands,
  ShellCommands
} from '#providers'
export { CapsuleCallError, codeOf, ProviderError } from './errors.ts'
export type { Handlers, ServedRequest } from './serve.ts'
export type { CapsuleStream } from './streams.ts'
export type { CapsuleSystem } from './system.ts'
export { serveTools } from './tools.ts'
export type { Tool, ToolServerInit } from './tools.ts'
