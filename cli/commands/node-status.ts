import type { NodeStatus } from '#contracts'
import type { CliContext, CommandInput } from '../context.ts'
import { CliError } from '../errors.ts'
import { textOption } from '../input.ts'
import { formatBytes, formatTable, printField, printResult } from '../output.ts'

/** `elastos node status` */
export async function run(input: CommandInput, context: CliContext): Promise<undefined> {
  await using client = await context.connectIfRunning()
  if (client === undefined) {
    throw new CliError(
      'ERR_NODE_NOT_RUNNING',
      `no node runs on ${context.dataFolder}: 'elastos node start' starts one`
    )
  }
  const status = await client.call('node.status', {})
  const field = textOption(input, 'field')
  if (field !== undefined) await printField(context, status, field)
  else await printResult(context, status, describeStatus(status))
}

/** Said wherever a node shows itself while nobody is asked. */
export const SHELL_AUTO_NOTICE =
  'AUTO: every capsule gets ALL it asks for, unasked. For development only; restart without --shell auto'

function describeTraffic(bytes: number, bytesPerSecondMax: number | undefined): string {
  const cap = bytesPerSecondMax === undefined ? '' : `, at most ${formatBytes(bytesPerSecondMax)} a second`
  return `${formatBytes(bytes)}${cap}`
}

/** The status of a node, for people. */
export function describeStatus(status: NodeStatus): string[] {
  const rows = [
    ['did', status.did],
    ['person', status.personDid],
    ['peer id', status.peerId],
    ['reach', `${status.reach}${status.role === 'seed' ? ', seed' : ''}`],
    ...status.addresses.map((address, index) => [index === 0 ? 'listens on' : '', address]),
    ['peers', String(status.peerCount)],
    ['sent', describeTraffic(status.traffic.sentBytes, status.traffic.uploadMax)],
    ['received', describeTraffic(status.traffic.receivedBytes, status.traffic.downloadMax)],
    ['data', status.dataFolder],
    ['process', `${status.pid}, up ${Math.round(status.uptimeMs / 1000)} s`]
  ]
  if (status.shell === 'auto') rows.push(['shell', SHELL_AUTO_NOTICE])
  if (status.bootstrapUrl !== undefined) rows.push(['bootstrap', status.bootstrapUrl])
  if (status.metricsUrl !== undefined) rows.push(['metrics', status.metricsUrl])
  if (status.advice !== undefined) rows.push(['advice', status.advice])
  return formatTable(rows)
}
