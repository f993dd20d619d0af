import type { AuditEntryStatus } from '#contracts'
import { describeEntry } from '../audit-view.ts'
import type { CliContext, CommandInput, ControlClient } from '../context.ts'
import { CliError } from '../errors.ts'
import { switchOption, textOption } from '../input.ts'
import { jsonLine, safeText } from '../output.ts'

const LINES_DEFAULT = 50
const LINES_MAX = 100_000
/** Entries that the node gives at a time. */
const PAGE = 200

/** `elastos audit` */
export async function run(input: CommandInput, context: CliContext): Promise<undefined> {
  const from = numberOption(input, 'from', Number.MAX_SAFE_INTEGER)
  const lines = numberOption(input, 'lines', LINES_MAX) ?? (from === undefined ? LINES_DEFAULT : LINES_MAX)
  await using client = await context.connect()
  const next = await printPages(context, client, { from, lines })
  if (!switchOption(input, 'follow')) return
  const following = client.open(
    'audit.entries',
    { from: next, limit: PAGE, follow: true },
    {
      signal: context.signal,
      onEvent: async (event) => {
        if (event.kind === 'audit') await printEntries(context, event.entries)
      }
    }
  )
  await following.result
}

/** Prints what is there, a page at a time; returns the number of the entry after it. */
async function printPages(
  context: CliContext,
  client: ControlClient,
  { from, lines }: { from: number | undefined; lines: number }
): Promise<number> {
  let start = from ?? (await startOf(client, lines))
  for (let left = lines; left > 0;) {
    const { entries } = await client.call('audit.entries', { from: start, limit: Math.min(left, PAGE) })
    await printEntries(context, entries)
    const last = entries.at(-1)
    if (last === undefined) return start
    start = last.number + 1
    left -= entries.length
  }
  return start
}

/** The number of the entry from which on there are `lines` of them. */
async function startOf(client: ControlClient, lines: number): Promise<number> {
  const { entries } = await client.call('audit.entries', { limit: 1 })
  return Math.max(0, (entries.at(-1)?.number ?? 0) + 1 - lines)
}

async function printEntries(context: CliContext, entries: readonly AuditEntryStatus[]): Promise<void> {
  const shown = entries.map((entry) =>
    context.json ? jsonLine({ event: 'entry', ...entry }) : `${safeText(describeEntry(entry))}\n`
  )
  if (shown.length > 0) await context.stdout.write(shown.join(''))
}

function numberOption(input: CommandInput, name: string, max: number): number | undefined {
  const text = textOption(input, name)
  if (text === undefined) return undefined
  const value = Number(text)
  if (text !== '' && Number.isInteger(value) && value >= 0 && value <= max) return value
  throw new CliError(
    'ERR_USAGE',
    `expected --${name} as a whole number up to ${max}, got ${text.slice(0, 40)}`
  )
}
