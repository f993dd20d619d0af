import { Command, Option } from 'commander'
import type { CommandSpec } from './command-spec.ts'
import { COMMAND_GROUPS, COMMANDS } from './command-table.ts'
import type { CommandInput } from './context.ts'
import { GLOBAL_OPTIONS, NODE_OPTIONS, type OptionSpec } from './options.ts'

/** Options every command takes. */
export interface GlobalOptions {
  readonly data?: string
  readonly json?: boolean
  /** False after `--no-start`. */
  readonly start: boolean
}

/** Called with the command that was chosen and what was given to it. */
export type CommandRunner = (spec: CommandSpec, input: CommandInput, globals: GlobalOptions) => Promise<void>

/** What the parser is built for. */
export interface ProgramInit {
  readonly version: string
  /** The command line: what it does not name gets no options, which nobody would read. */
  readonly args: readonly string[]
  /** Standard error then holds JSON only: no help beside an error. */
  readonly isJson: boolean
}

/** Builds the parser from the command table; nothing of a command is loaded before `run` is called. */
export function createProgram({ version, args, isJson }: ProgramInit, run: CommandRunner): Command {
  const program = new Command('elastos')
  program
    .description('Every device a full node: find, verify, run, talk.')
    .version(version, '-V, --version', 'the version')
    .helpCommand(false)
    .showSuggestionAfterError()
    .configureHelp({ subcommandTerm })
    .exitOverride()
    // What is wrong with the command line is thrown and reported like every other error.
    .configureOutput({ outputError: () => undefined, ...(isJson ? { writeErr: () => undefined } : {}) })
  addGlobalOptions(program)
  const groups = new Map<string, Command>()
  for (const spec of COMMANDS) {
    const parent = parentOf(spec, program, groups)
    const command = parent.command(spec.path.at(-1) ?? '').description(spec.summary)
    for (const argument of spec.args ?? []) command.argument(argument)
    // A command may have others below it, such as `audit` and `audit verify`.
    if (spec.path.length === 1) groups.set(command.name(), command.helpCommand(false))
    if (spec.path.every((word) => args.includes(word))) completeCommand(command, spec, run)
  }
  program.addHelpText('after', '\nStart here:\n  elastos node start\n  elastos chat garden --nick YOU\n')
  return program
}

/** A command in the list of all: every one has options, which need no mention. */
function subcommandTerm(command: Command): string {
  const args = command.registeredArguments.map((argument) => {
    const name = argument.variadic ? `${argument.name()}...` : argument.name()
    return argument.required ? `<${name}>` : `[${name}]`
  })
  return [command.name(), ...args].join(' ')
}

function parentOf(spec: CommandSpec, program: Command, groups: Map<string, Command>): Command {
  const [name] = spec.path
  if (spec.path.length === 1 || name === undefined) return program
  const known = groups.get(name)
  if (known !== undefined) return known
  const group = program
    .command(name)
    .description(COMMAND_GROUPS[name] ?? '')
    .helpCommand(false)
  addGlobalOptions(group)
  groups.set(name, group)
  return group
}

function completeCommand(command: Command, spec: CommandSpec, run: CommandRunner): void {
  for (const option of spec.options ?? []) command.addOption(toOption(option))
  if (spec.needsNode === true) {
    for (const option of NODE_OPTIONS) command.addOption(toOption(option).hideHelp())
    command.addHelpText(
      'after',
      "\nThe options of 'elastos node start' work here too, for a node this starts."
    )
  }
  addGlobalOptions(command)
  command.addHelpText('after', `\nExample:\n  ${spec.example}\n`)
  command.action(async () => {
    const options = command.optsWithGlobals<GlobalOptions & CommandInput['options']>()
    await run(spec, { args: readArguments(command), options }, mergeGlobals(command, options))
  })
}

/** Global options may stand before or after the command. */
function addGlobalOptions(command: Command): void {
  if (command.parent === null) command.enablePositionalOptions()
  for (const option of GLOBAL_OPTIONS) command.addOption(toOption(option))
}

function mergeGlobals(command: Command, options: GlobalOptions): GlobalOptions {
  const chain: Command[] = []
  for (let at: Command | null = command; at !== null; at = at.parent) chain.push(at)
  const given = (name: string): unknown =>
    chain.find((at) => at.getOptionValueSource(name) === 'cli')?.getOptionValue(name)
  const data = given('data')
  return {
    ...(typeof data === 'string' ? { data } : {}),
    json: given('json') === true,
    start: given('start') !== false && options.start
  }
}

function toOption({ flags, summary, isList, choices }: OptionSpec): Option {
  const option = new Option(flags, summary)
  if (choices !== undefined) option.choices(choices)
  if (isList === true)
    option.argParser((value: string, before: string[] | undefined) => [...(before ?? []), value])
  return option
}

function readArguments(command: Command): CommandInput['args'] {
  const args: Record<string, string | string[] | undefined> = {}
  command.registeredArguments.forEach((argument, index) => {
    args[argument.name()] = command.processedArgs[index] as string | string[] | undefined
  })
  return args
}
