import { resolve } from 'node:path'
import type { CliContext, CommandInput } from '../context.ts'
import { optionalArgument, switchOption } from '../input.ts'
import { formatBytes, printNotice, printResult } from '../output.ts'
import { showProgress } from '../progress.ts'

/** `elastos capsule publish [FOLDER]` */
export async function run(input: CommandInput, context: CliContext): Promise<undefined> {
  const folder = resolve(context.workingFolder, optionalArgument(input, 'folder') ?? '.')
  await using client = await context.connect()
  await using progress = showProgress(context)
  const options = { onEvent: progress.onEvent, signal: context.signal }
  const published = await client.call(
    'capsule.publish',
    { folder, first: switchOption(input, 'first') },
    options
  )
  await progress.end()
  await printNotice(
    context,
    `published ${published.name} ${published.version}, ${published.files} files, ${formatBytes(published.bytes)}; ` +
      'anyone can fetch and run it. A friend pastes:'
  )
  await printResult(context, published, [published.line])
  if (!published.isAnnounced) {
    await printNotice(context, 'not announced yet: no peer is reachable; it will be, once one is')
  }
}
