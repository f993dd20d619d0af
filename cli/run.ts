import { CommanderError } from 'commander'
import { errorCode, errorDetail, errorMessage } from '#contracts'
import type { CommandSpec } from './command-spec.ts'
import { COMMANDS } from './command-table.ts'
import type { CliContext, CommandInput } from './context.ts'
import { CliError } from './errors.ts'
import { exitCodeOf } from './exit-codes.ts'
import { listOption, switchOption, textOption } from './input.ts'
import { jsonLine, safeText } from './output.ts'
import {
  createProcessContext,
  listenForSignals,
  processArguments,
  processOutput,
  releaseInput
} from './powers.ts'
import { createProgram, type GlobalOptions } from './program.ts'
import { VERSION } from './version.ts'

/** Parses the command line of this process, runs the command and says how it went. */
export async function runProcess(): Promise<number> {
  // The script a shell loaded asks `elastos complete -- WORDS`.
  const [first, ...words] = processArguments()
  if (first === 'complete') {
    const { completionsOf, formatCompletions } = await import('./completion.ts')
    const typed = words[0] === '--' ? words.slice(1) : words
    await processOutput().stdout.write(formatCompletions(completionsOf(typed)))
    return 0
  }
  using signals = listenForSignals()
  let exitCode = 0
  let isJson = isJsonAsked(processArguments())
  const args = processArguments()
  const program = createProgram({ version: VERSION, args, isJson }, async (spec, input, globals) => {
    isJson = globals.json === true
    exitCode = await runCommand(spec, input, createContext(input, globals, signals.signal))
  })
  try {
    await program.parseAsync(processArguments(), { from: 'user' })
    return exitCode
  } catch (thrown) {
    if (thrown instanceof CommanderError && thrown.exitCode === 0) return 0
    return await reportFailure(asUsageError(thrown, processArguments()), isJson, signals.signal)
  } finally {
    releaseInput()
  }
}

/** Before anything is parsed: what stands behind `--` is a capsule's own. */
function isJsonAsked(args: readonly string[]): boolean {
  const end = args.indexOf('--')
  return (end === -1 ? args : args.slice(0, end)).includes('--json')
}

/** What the parser throws, as an error like all others: one line, and where to read on. */
function asUsageError(thrown: unknown, args: readonly string[]): unknown {
  if (!(thrown instanceof CommanderError)) return thrown
  const isHelp = thrown.code === 'commander.help'
  const text = isHelp ? 'expected a command' : thrown.message.replace(/^error: /, '').replaceAll('\n', ' ')
  const { path = [] } = COMMANDS.find((spec) => spec.path.every((word, index) => args[index] === word)) ?? {}
  const help = ['elastos', ...path, '--help'].join(' ')
  return new CliError('ERR_USAGE', `${text.replace(/\.$/, '')}: see '${help}'`, { cause: thrown })
}

async function runCommand(spec: CommandSpec, input: CommandInput, context: CliContext): Promise<number> {
  const { run } = await spec.load()
  return (await run(input, context)) ?? 0
}

async function reportFailure(thrown: unknown, isJson: boolean, signal: AbortSignal): Promise<number> {
  const isInterrupt = signal.aborted
  const code = isInterrupt ? 'ERR_CANCELLED' : (errorCode(thrown) ?? 'ERR_UNKNOWN')
  const message = isInterrupt ? 'interrupted' : errorMessage(thrown)
  const detail = isInterrupt ? [] : errorDetail(thrown)
  const text = isJson
    ? jsonLine({ error: { code, message, ...(detail.length > 0 ? { detail } : {}) } })
    : [`${message} (${code})`, ...detail].map(safeText).join('\n  ')
  await processOutput().stderr.write(isJson ? text : `elastos: ${text}\n`)
  return exitCodeOf(code)
}

function createContext(input: CommandInput, globals: GlobalOptions, signal: AbortSignal): CliContext {
  return createProcessContext({
    json: globals.json === true,
    dataFolder: globals.data,
    mayStart: globals.start,
    nodeFlags: nodeFlagsOf(input),
    signal
  })
}

/** The options of a command that a node it starts would be given. */
export function nodeFlagsOf(input: CommandInput): string[] {
  const flags: string[] = []
  for (const name of ['reach', 'discover', 'ipfs', 'shell']) {
    const value = textOption(input, name)
    if (value !== undefined) flags.push(`--${name}`, value)
    else if (switchOption(input, name)) flags.push(`--${name}`)
  }
  for (const [key, flag] of [
    ['listen', '--listen'],
    ['bootstrap', '--bootstrap'],
    ['uploadMax', '--upload-max'],
    ['downloadMax', '--download-max'],
    ['guest', '--guest'],
    ['ipfsBootstrap', '--ipfs-bootstrap']
  ] as const) {
    for (const value of listOption(input, key)) flags.push(flag, value)
  }
  if (input.options['mdns'] === false) flags.push('--no-mdns')
  if (input.options['routing'] === false) flags.push('--no-routing')
  return flags
}
