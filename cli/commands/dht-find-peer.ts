import { describeDoubts } from '../confidence-view.ts'
import type { CliContext, CommandInput } from '../context.ts'
import { requiredArgument } from '../input.ts'
import { printNotice, printResult } from '../output.ts'

/** `elastos dht find-peer DID` */
export async function run(input: CommandInput, context: CliContext): Promise<undefined> {
  const params = { peer: requiredArgument(input, 'peer') }
  await using client = await context.connect()
  const found = await client.call('dht.find-peer', params, { signal: context.signal })
  await printResult(context, found, [
    `${found.did ?? found.peerId}${found.isConnected ? ' (connected)' : ''}`,
    ...found.addresses
  ])
  for (const doubt of describeDoubts(found.confidence)) await printNotice(context, doubt)
}
