import type { CliContext, CommandInput } from '../context.ts'
import { formatBytes, printResult } from '../output.ts'

/** `elastos repo gc` */
export async function run(_input: CommandInput, context: CliContext): Promise<undefined> {
  await using client = await context.connect()
  const done = await client.call('repo.gc', {}, { signal: context.signal })
  await printResult(context, done, [
    `removed ${done.blocksRemoved} blocks, kept ${done.blocksKept}, freed ${formatBytes(done.bytesFreed)}`
  ])
}
