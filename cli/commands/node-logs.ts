import type { CliContext, CommandInput } from '../context.ts'
import { CliError } from '../errors.ts'
import { switchOption, textOption } from '../input.ts'
import { escapeControls, safeText } from '../output.ts'

const LINES_DEFAULT = 100
const LINES_MAX = 10_000

/** `elastos node logs` */
export async function run(input: CommandInput, context: CliContext): Promise<undefined> {
  const text = textOption(input, 'lines') ?? String(LINES_DEFAULT)
  const count = Number(text)
  if (!Number.isInteger(count) || count < 0 || count > LINES_MAX) {
    throw new CliError('ERR_USAGE', `expected --lines from 0 to ${LINES_MAX}, got ${text.slice(0, 40)}`)
  }
  const lines = context.readLog({ lastLines: count, isFollowing: switchOption(input, 'follow') })
  for await (const line of lines) {
    await context.stdout.write((context.json ? escapeControls(line) : formatLine(line)) + '\n')
  }
}

function formatLine(line: string): string {
  try {
    const { time, level, component, event, ...fields } = JSON.parse(line) as Record<string, unknown>
    const rest = Object.entries(fields).map(([key, value]) => `${key}=${String(value)}`)
    const parts = [time, String(level).toUpperCase().padEnd(5), component, event].map(String)
    return safeText([...parts, ...rest].filter((part) => part !== '').join(' '))
  } catch {
    return safeText(line)
  }
}
