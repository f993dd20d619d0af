import type { CliContext, CommandInput } from '../context.ts'
import { optionalArgument, switchOption } from '../input.ts'
import { formatTable, printNotice, printResult } from '../output.ts'
import { CHALLENGE_NOTE, describeCopies, describeReplicas } from '../replica-view.ts'

/** `elastos replicate status [CID] [--challenge]` */
export async function run(input: CommandInput, context: CliContext): Promise<undefined> {
  const cid = optionalArgument(input, 'cid')
  await using client = await context.connect()
  const challenge = switchOption(input, 'challenge')
  const params = { challenge, ...(cid === undefined ? {} : { cid }) }
  const result = await client.call('replica.status', params, { signal: context.signal })
  const nowMs = context.clock.nowMs()
  const lines =
    cid === undefined
      ? formatTable(result.roots.map(describeReplicas))
      : result.roots.flatMap((root) => describeCopies(root, nowMs))
  await printResult(context, result, lines.length > 0 ? lines : ['nothing is kept by others, or for them'])
  if (result.isCut) await printNotice(context, 'there are more: name a CID')
  if (result.roots.some(({ copies }) => copies.some(({ challenge: one }) => one !== undefined))) {
    await printNotice(context, CHALLENGE_NOTE)
  }
}
