import type { CliContext, CommandInput } from '../context.ts'
import { CliError } from '../errors.ts'
import { listOption, requiredArgument } from '../input.ts'
import { printNotice, printResult } from '../output.ts'
import { describeCopies } from '../replica-view.ts'

const COPIES_MAX = 32

/** `elastos replicate goal CID COPIES [--reader DID]…` */
export async function run(input: CommandInput, context: CliContext): Promise<undefined> {
  const text = requiredArgument(input, 'copies')
  const copies = Number(text)
  if (!/^\d{1,3}$/.test(text) || copies > COPIES_MAX) {
    throw new CliError('ERR_USAGE', `expected 0 to ${COPIES_MAX} copies, got ${text.slice(0, 40)}`)
  }
  const readers = listOption(input, 'reader')
  await using client = await context.connect()
  const params = { cid: requiredArgument(input, 'cid'), copies, ...(readers.length === 0 ? {} : { readers }) }
  const root = await client.call('replica.goal', params, { signal: context.signal })
  await printResult(context, root, describeCopies(root, context.clock.nowMs()))
  if (!root.isPublic && copies > 0) {
    await printNotice(
      context,
      'private: followers, groups and your own devices are asked, volunteers never; whoever keeps a copy can read it, unless it was sealed'
    )
  }
}
