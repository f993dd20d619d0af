import type { CliContext, CommandInput } from '../context.ts'
import { CliError } from '../errors.ts'
import { formatTable, printResult } from '../output.ts'

/** `elastos node peers` */
export async function run(_input: CommandInput, context: CliContext): Promise<undefined> {
  await using client = await context.connectIfRunning()
  if (client === undefined) {
    throw new CliError(
      'ERR_NODE_NOT_RUNNING',
      `no node runs on ${context.dataFolder}: 'elastos node start' starts one`
    )
  }
  const { peers, isCut } = await client.call('node.peers', {})
  const { advice } = await client.call('node.status', {})
  const rows = peers.map(({ peerId, direction, addresses }) => [peerId, direction, addresses[0] ?? ''])
  const lines =
    rows.length > 0 ? formatTable(rows) : [`nobody is connected${advice === undefined ? '' : `: ${advice}`}`]
  await printResult(context, { peers, isCut }, lines)
}
