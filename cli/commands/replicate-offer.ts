import type { CliContext, CommandInput } from '../context.ts'
import { bytesOption, textOption } from '../input.ts'
import { printResult } from '../output.ts'
import { describeQuota } from '../replica-view.ts'

/** `elastos replicate offer [--space BYTES] [--publisher-max BYTES] [--for known|anyone] [--host L] [--network L]` */
export async function run(input: CommandInput, context: CliContext): Promise<undefined> {
  const spaceBytes = bytesOption(input, 'space')
  const publisherBytesMax = bytesOption(input, 'publisherMax')
  const whom = textOption(input, 'for')
  const host = textOption(input, 'host')
  const network = textOption(input, 'network')
  await using client = await context.connect()
  const params = {
    ...(spaceBytes === undefined ? {} : { spaceBytes }),
    ...(publisherBytesMax === undefined ? {} : { publisherBytesMax }),
    ...(whom === undefined ? {} : { volunteer: whom === 'anyone' }),
    ...(host === undefined ? {} : { host }),
    ...(network === undefined ? {} : { network })
  }
  const quota = await client.call('replica.offer', params, { signal: context.signal })
  await printResult(context, quota, describeQuota(quota))
}
