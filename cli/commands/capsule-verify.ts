import type { CliContext, CommandInput } from '../context.ts'
import { requiredArgument } from '../input.ts'
import { formatBytes, formatTable, printResult } from '../output.ts'
import { capsuleTarget } from '../capsule-target.ts'
import { showProgress } from '../progress.ts'

/** `elastos capsule verify NAME|CID|PATH` */
export async function run(input: CommandInput, context: CliContext): Promise<undefined> {
  const target = capsuleTarget(requiredArgument(input, 'target'), context)
  await using client = await context.connect()
  await using progress = showProgress(context)
  const options = { onEvent: progress.onEvent, signal: context.signal }
  const capsule = await client.call('capsule.verify', { target }, options)
  await progress.end()
  const rows = [
    ['capsule', `${capsule.name} ${capsule.version}`],
    ['signed by', capsule.publisher ?? 'nobody'],
    ['cid', capsule.cid],
    ['root', capsule.root],
    ['size', `${capsule.files} files, ${formatBytes(capsule.bytes)}, every byte verified`]
  ]
  await printResult(context, capsule, formatTable(rows))
}
