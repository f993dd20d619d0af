import { capsuleTarget } from '../capsule-target.ts'
import type { CliContext, CommandInput } from '../context.ts'
import { requiredArgument, secondsOption } from '../input.ts'
import { formatBytes, printNotice, printResult } from '../output.ts'
import { showProgress } from '../progress.ts'

/** `elastos guest use TARGET` */
export async function run(input: CommandInput, context: CliContext): Promise<undefined> {
  const target = capsuleTarget(requiredArgument(input, 'target'), context)
  const deadlineMs = secondsOption(input, 'deadline')
  await using client = await context.connect()
  const params = { target, ...(deadlineMs === undefined ? {} : { deadlineMs }) }
  await using progress = showProgress(context)
  const options = { onEvent: progress.onEvent, signal: context.signal }
  const used = await client.call('guest.use', params, options)
  await progress.end()
  const { arch, version, bytes, cid, root, publisher } = used
  await printResult(context, used, [cid ?? root])
  const whose = publisher === undefined ? 'your own, unsigned' : `signed by ${publisher}`
  await printNotice(
    context,
    `microVMs start the guest ${version} for ${arch}, ${formatBytes(bytes)}, ${whose}`
  )
}
