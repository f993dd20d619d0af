import { resolve } from 'node:path'
import type { CliContext, CommandInput } from '../context.ts'
import { requiredArgument, switchOption, textOption } from '../input.ts'
import { formatBytes, printNotice, printResult } from '../output.ts'
import { showProgress } from '../progress.ts'

/** `elastos dag import FILE` */
export async function run(input: CommandInput, context: CliContext): Promise<undefined> {
  const name = textOption(input, 'name')
  const params = {
    path: resolve(context.workingFolder, requiredArgument(input, 'path')),
    ...(switchOption(input, 'private') ? { private: true } : {}),
    ...(name === undefined ? {} : { name }),
    pin: input.options['pin'] !== false
  }
  await using client = await context.connect()
  await using progress = showProgress(context)
  const done = await client.call('repo.import', params, {
    onEvent: progress.onEvent,
    signal: context.signal
  })
  await progress.end()
  await printResult(
    context,
    done,
    done.roots.map(({ cid, isPinned, missing }) => {
      if (isPinned) return `kept ${cid}`
      return missing > 0 ? `${cid} misses ${missing} blocks and is not kept: pin it to fetch them` : cid
    })
  )
  await printNotice(context, `${done.blocks} blocks, ${formatBytes(done.bytes)}, verified`)
}
