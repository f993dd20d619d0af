import { resolve } from 'node:path'
import type { CliContext, CommandInput } from '../context.ts'
import { rangeOption, requiredArgument, secondsOption, switchOption, textOption } from '../input.ts'
import { formatBytes, printNotice, printResult } from '../output.ts'
import { showProgress } from '../progress.ts'

/** `elastos get CID`, `elastos get LINK` */
export async function run(input: CommandInput, context: CliContext): Promise<undefined> {
  const target = requiredArgument(input, 'target')
  const output = textOption(input, 'output') ?? lastPart(target)
  const deadlineMs = secondsOption(input, 'deadline')
  const range = rangeOption(input, 'range')
  const params = {
    target,
    output: resolve(context.workingFolder, output),
    force: switchOption(input, 'force'),
    ...(deadlineMs === undefined ? {} : { deadlineMs }),
    ...(range === undefined ? {} : { range })
  }
  await using client = await context.connect()
  await using progress = showProgress(context)
  const got = await client.call('content.get', params, { onEvent: progress.onEvent, signal: context.signal })
  await progress.end()
  await printResult(context, got, [got.output])
  await printNotice(
    context,
    `${got.files} file${got.files === 1 ? '' : 's'}, ${formatBytes(got.bytes)}, verified`
  )
}

/** The name a fetched path gets in this folder: its last part, so `CID/photos/a.jpg` becomes `a.jpg`; never the key of a link. */
function lastPart(target: string): string {
  const [path = ''] = target.split('#')
  return path.split('/').findLast((part) => part !== '' && part !== '.' && part !== '..') ?? path
}
