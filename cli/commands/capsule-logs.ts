import type { CapsuleLogLine } from '#contracts'
import type { CliContext, CommandInput } from '../context.ts'
import { CliError } from '../errors.ts'
import { requiredArgument, switchOption, textOption } from '../input.ts'
import { jsonLine, safeText } from '../output.ts'

const LINES_DEFAULT = 50
const LINES_MAX = 200

/** `elastos capsule logs NAME` */
export async function run(input: CommandInput, context: CliContext): Promise<undefined> {
  const params = {
    name: requiredArgument(input, 'name'),
    lines: linesOption(input),
    follow: switchOption(input, 'follow')
  }
  await using client = await context.connect()
  const call = client.open('capsule.logs', params, {
    signal: context.signal,
    onEvent: async (event) => {
      if (event.kind === 'log') await printLines(context, event.lines)
    }
  })
  const { lines } = await call.result
  await printLines(context, lines)
}

function linesOption(input: CommandInput): number {
  const text = textOption(input, 'lines')
  if (text === undefined) return LINES_DEFAULT
  const lines = Number(text)
  if (Number.isInteger(lines) && lines >= 0 && lines <= LINES_MAX) return lines
  throw new CliError('ERR_USAGE', `expected --lines as a whole number up to ${LINES_MAX}`)
}

async function printLines(context: CliContext, lines: readonly CapsuleLogLine[]): Promise<void> {
  const shown = lines.map((line) => {
    if (context.json) return jsonLine({ event: 'line', ...line })
    const time = new Date(line.timeMs).toISOString()
    return `${time} #${line.run} ${line.from.padEnd(6)} ${safeText(line.text)}\n`
  })
  if (shown.length > 0) await context.stdout.write(shown.join(''))
}
