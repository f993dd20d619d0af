import { describeDoubts } from '../confidence-view.ts'
import type { CliContext, CommandInput } from '../context.ts'
import { countOption, requiredArgument } from '../input.ts'
import { formatTable, printNotice, printResult } from '../output.ts'

const PROVIDERS_MAX = 64

/** `elastos dht find-providers CID` */
export async function run(input: CommandInput, context: CliContext): Promise<undefined> {
  const count = countOption(input, 'count', PROVIDERS_MAX)
  const params = { cid: requiredArgument(input, 'cid'), ...(count === undefined ? {} : { count }) }
  await using client = await context.connect()
  const result = await client.call('dht.find-providers', params, { signal: context.signal })
  const rows = result.providers.map(({ peerId, did, addresses }) => [did ?? peerId, addresses[0] ?? ''])
  await printResult(context, result, rows.length > 0 ? formatTable(rows) : ['nobody provides it'])
  for (const doubt of describeDoubts(result.confidence)) await printNotice(context, doubt)
}
