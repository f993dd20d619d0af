import type { CliContext, CommandInput } from '../context.ts'
import { CliError } from '../errors.ts'
import { printResult } from '../output.ts'

const STOP_DEADLINE_MS = 15_000
const STOP_POLL_MS = 25

/** `elastos node stop` */
export async function run(_input: CommandInput, context: CliContext): Promise<undefined> {
  const pid = await askToStop(context)
  if (pid === undefined) {
    await printResult(context, { stopped: false }, [`no node runs on ${context.dataFolder}`])
    return
  }
  const deadlineMs = context.clock.monotonicMs() + STOP_DEADLINE_MS
  while (context.isProcessRunning(pid)) {
    if (context.clock.monotonicMs() > deadlineMs) {
      throw new CliError(
        'ERR_DEADLINE',
        `the node (process ${pid}) did not end within ${STOP_DEADLINE_MS / 1000} s`
      )
    }
    await context.clock.sleep(STOP_POLL_MS, context.signal)
  }
  await printResult(context, { stopped: true, pid }, ['stopped'])
}

async function askToStop(context: CliContext): Promise<number | undefined> {
  await using client = await context.connectIfRunning()
  return client === undefined ? undefined : (await client.call('node.stop', {})).pid
}
