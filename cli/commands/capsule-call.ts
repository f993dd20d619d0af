import { CliError } from '../errors.ts'
import type { CliContext, CommandInput } from '../context.ts'
import { optionalArgument, requiredArgument } from '../input.ts'
import { printNotice, printResult } from '../output.ts'
import { openToolCall } from '../tool-call.ts'

/** The exit code when the tool itself says that it failed. */
const TOOL_FAILED = 1

/** `elastos capsule call NAME|CID|PATH TOOL [JSON]` */
export async function run(input: CommandInput, context: CliContext): Promise<number> {
  const tool = requiredArgument(input, 'tool')
  const given = readArguments(optionalArgument(input, 'json') ?? '{}')
  await using call = await openToolCall(input, context)
  const answer = await call.send('capsule.call', { tool, arguments: given })
  const lines = answer.content.flatMap(({ type, text }) =>
    type === 'text' && text !== undefined ? text.split('\n') : [`(${type}; --json shows it)`]
  )
  await printResult(context, answer, lines)
  if (!answer.isError) return 0
  await printNotice(context, `${tool} says that it failed`)
  return TOOL_FAILED
}

function readArguments(text: string): Readonly<Record<string, unknown>> {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw new CliError('ERR_USAGE', 'expected the arguments of the tool as a JSON object', { cause })
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return { ...value }
  throw new CliError('ERR_USAGE', 'expected the arguments of the tool as a JSON object')
}
