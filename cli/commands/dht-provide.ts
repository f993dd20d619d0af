import type { ProvideNetworkStatus } from '#contracts'
import type { CliContext, CommandInput } from '../context.ts'
import { CliError } from '../errors.ts'
import { optionalArgument, switchOption } from '../input.ts'
import { formatTable, printResult } from '../output.ts'

/** `elastos dht provide [CID] [--status]` */
export async function run(input: CommandInput, context: CliContext): Promise<undefined> {
  const cid = optionalArgument(input, 'cid')
  const isStatus = switchOption(input, 'status')
  if ((cid === undefined) !== isStatus) {
    throw new CliError('ERR_USAGE', 'expected a CID to announce now, or --status')
  }
  await using client = await context.connect()
  if (cid !== undefined) {
    const result = await client.call('dht.provide', { cid }, { signal: context.signal })
    await printResult(context, result, [`announced ${result.cid}`])
    return
  }
  const result = await client.call('dht.provide-status', {}, { signal: context.signal })
  const nowMs = context.clock.nowMs()
  await printResult(
    context,
    result,
    result.networks.flatMap((network) => describeNetwork(network, nowMs))
  )
}

function describeNetwork(status: ProvideNetworkStatus, nowMs: number): string[] {
  const { network, contents, unannounced, progress, current, previous } = status
  const rows = [
    [network, `${contents} announced again by itself, ${unannounced} of them taken by nobody yet`],
    ['  cycle', `${Math.floor(progress * 100)} % of ${formatHours(status.cycleMs)}`],
    ['  last', status.lastAtMs === undefined ? 'never' : `${formatHours(nowMs - status.lastAtMs)} ago`],
    ['  next', describeNext(status.nextAtMs, nowMs)],
    ['  this cycle', describePass(current)],
    ...(previous === undefined ? [] : [['  the one before', describePass(previous)]])
  ]
  return formatTable(rows)
}

function describeNext(nextAtMs: number | undefined, nowMs: number): string {
  if (nextAtMs === undefined) return 'nothing to announce'
  return nextAtMs <= nowMs ? 'now, or as soon as a peer is there' : `in ${formatHours(nextAtMs - nowMs)}`
}

function describePass({
  announced,
  failed,
  records,
  lookups,
  regions
}: ProvideNetworkStatus['current']): string {
  return `${announced} contents, ${failed} failures, ${records} records, ${lookups} lookups, ${regions} regions`
}

function formatHours(ms: number): string {
  const minutes = Math.max(0, Math.round(ms / 60_000))
  return minutes < 120 ? `${minutes} min` : `${Math.round(minutes / 60)} h`
}
