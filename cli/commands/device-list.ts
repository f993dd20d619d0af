import type { CliContext, CommandInput } from '../context.ts'
import { formatTable, printResult } from '../output.ts'

/** `elastos device list` */
export async function run(_input: CommandInput, context: CliContext): Promise<undefined> {
  await using client = await context.connect()
  const { devices } = await client.call('device.list', {})
  const rows = devices.map(({ device, name, isRevoked, atMs, isThis }) => [
    isRevoked ? 'revoked' : 'yours',
    atMs === undefined ? '' : new Date(atMs).toISOString().slice(0, 10),
    device,
    `${name ?? ''}${isThis ? ' (this device)' : ''}`.trim()
  ])
  await printResult(context, { devices }, formatTable(rows))
}
