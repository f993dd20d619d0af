import { resolve } from 'node:path'
import type { CliContext, CommandInput } from '../context.ts'
import { requiredArgument, switchOption, textOption } from '../input.ts'
import { formatBytes, printNotice, printResult } from '../output.ts'
import { showProgress } from '../progress.ts'

/** `elastos dag export CID` */
export async function run(input: CommandInput, context: CliContext): Promise<undefined> {
  const target = requiredArgument(input, 'target')
  const output =
    textOption(input, 'output') ?? `${target.split('/').findLast((part) => part !== '') ?? target}.car`
  const params = {
    target,
    output: resolve(context.workingFolder, output),
    force: switchOption(input, 'force'),
    partial: switchOption(input, 'partial'),
    version: switchOption(input, 'v2') ? (2 as const) : (1 as const)
  }
  await using client = await context.connect()
  await using progress = showProgress(context)
  const done = await client.call('repo.export', params, {
    onEvent: progress.onEvent,
    signal: context.signal
  })
  await progress.end()
  await printResult(context, done, [done.output])
  const left = done.missing > 0 ? `; left out ${done.missing} that are not here` : ''
  await printNotice(context, `${done.blocks} blocks, ${formatBytes(done.bytes)}${left}`)
}
