import { resolve } from 'node:path'
import type { CliContext, CommandInput } from '../context.ts'
import { requiredArgument, switchOption, textOption } from '../input.ts'
import { formatBytes, printNotice, printResult } from '../output.ts'
import { showProgress } from '../progress.ts'

/** What a link is, and what those see who do not have it. */
const SEALED_NOTE =
  'encrypted: whoever has this link can read it, and it is shown only now; whoever has only the part before # sees how large it is, and who keeps it'

/** `elastos add PATH` */
export async function run(input: CommandInput, context: CliContext): Promise<undefined> {
  const name = textOption(input, 'name')
  const params = {
    path: resolve(context.workingFolder, requiredArgument(input, 'path')),
    private: switchOption(input, 'private'),
    hidden: switchOption(input, 'hidden'),
    sealed: switchOption(input, 'sealed'),
    ...(name === undefined ? {} : { name })
  }
  await using client = await context.connect()
  await using progress = showProgress(context)
  const added = await client.call('content.add', params, {
    onEvent: progress.onEvent,
    signal: context.signal
  })
  await progress.end()
  for (const path of added.skipped) await printNotice(context, `skipped ${path}`)
  await printResult(context, added, [added.link ?? added.cid])
  const size = `${added.files} file${added.files === 1 ? '' : 's'}, ${formatBytes(added.bytes)}`
  if (!added.isPublic) await printNotice(context, `${size}; private: it is kept here and served to nobody`)
  else {
    const who = added.link === undefined ? `anyone with this CID can fetch it` : SEALED_NOTE
    await printNotice(context, `${size}; ${who}`)
    if (!added.isAnnounced)
      await printNotice(
        context,
        `not announced yet, it is tried again: ${added.announcePending ?? 'routing is off'}`
      )
  }
}
