import type * as z from 'zod'

/** A command that is asked once and answered once. */
export interface CallCommand<Params = unknown, Result = unknown> {
  readonly kind: 'call'
  /** One line for a person who is asked to allow it: `read a file`. */
  readonly summary: string
  readonly params: z.ZodType<Params>
  readonly result: z.ZodType<Result>
  /** What it acts on, as a token names it. Pure; the authority parses the answer and refuses what is not normal. */
  resource(params: Params): string
  /** Parameters that keep to the schema: for documents and generated tests. */
  readonly example: Params
}

/** A command whose answer is any number of items, and that may take items too. */
export interface StreamCommand<Params = unknown, Item = unknown, Input = never> {
  readonly kind: 'stream'
  readonly summary: string
  readonly params: z.ZodType<Params>
  readonly item: z.ZodType<Item>
  /** What the caller may send; absent when it sends nothing. */
  readonly input?: z.ZodType<Input>
  resource(params: Params): string
  readonly example: Params
}

/** Any command, its types forgotten: what the broker works with. */
export type AnyCommand = CallCommand<never> | StreamCommand<never>

/** What a provider does: its commands, each the action it performs, and nothing else. */
export interface ProviderContract<Commands = Readonly<Record<string, AnyCommand>>> {
  /** Lower-case, the first part of every command: `localhost`. */
  readonly name: string
  /** Rises when a provider of the last one would no longer do. */
  readonly version: number
  readonly summary: string
  readonly commands: Commands
  /** Codes with which a provider may refuse; others reach the caller as `ERR_PROVIDER_FAILED`. */
  readonly errors: readonly string[]
  /** True when the host alone calls it: no token opens it to a capsule. */
  readonly isHostOnly?: boolean
}
