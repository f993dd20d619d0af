import type { AnyCommand, ProviderContract } from './contract.ts'
import { content } from './content.ts'
import { did } from './did.ts'
import { http } from './http.ts'
import { localhost } from './localhost.ts'
import { peer } from './peer.ts'
import { shell } from './shell.ts'

type AnyContract = ProviderContract

/** Every contract, by its reference: `localhost@1`. */
export const CONTRACTS: ReadonlyMap<string, AnyContract> = new Map(
  [localhost, did, peer, content, http, shell].map((contract) => [
    contractReference(contract),
    // Each command knows its own parameters; here they are what the schema let through.
    contract as unknown as AnyContract
  ])
)

/** How a manifest names a contract. */
export function contractReference({ name, version }: { name: string; version: number }): string {
  return `${name}@${version}`
}

/** A command and where it belongs. */
export interface FoundCommand {
  readonly contract: AnyContract
  /** `localhost@1`. */
  readonly reference: string
  readonly verb: string
  readonly command: AnyCommand
}

/** The contract's command of that name (`localhost/read`) in its newest version, or `undefined`. */
export function findCommand(name: string): FoundCommand | undefined {
  return COMMANDS.get(name)
}

const COMMANDS: ReadonlyMap<string, FoundCommand> = new Map(
  [...CONTRACTS].flatMap(([reference, contract]) =>
    Object.entries(contract.commands).map(([verb, command]) => [
      `${contract.name}/${verb}`,
      { contract, reference, verb, command }
    ])
  )
)

/** What a call needs a token for: the action it performs, and what it performs it on. */
export interface RequestedAccess {
  readonly command: string
  readonly resource: string
  /** The parameters, as the schema let them through. */
  readonly params: unknown
}

/**
 * Derives from a call what it needs a token for. The command is the call's own name: nothing the caller says can make
 * a write pass for a read.
 *
 * @returns `undefined` when there is no such command or the parameters break its schema
 */
export function requestedAccess(name: string, params: unknown): RequestedAccess | undefined {
  const found = findCommand(name)
  if (found === undefined) return undefined
  const parsed = found.command.params.safeParse(params)
  if (!parsed.success) return undefined
  return { command: name, resource: found.command.resource(parsed.data), params: parsed.data }
}

/** Whether a command, or a pattern that covers all of a contract, belongs to the host alone. */
export function isHostOnlyCommand(pattern: string): boolean {
  const name = pattern.split('/')[0]
  return [...CONTRACTS.values()].some((contract) => contract.isHostOnly === true && contract.name === name)
}
