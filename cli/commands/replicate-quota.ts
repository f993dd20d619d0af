import type { CliContext, CommandInput } from '../context.ts'
import { printResult } from '../output.ts'
import { describeQuota } from '../replica-view.ts'

/** `elastos replicate quota` */
export async function run(_input: CommandInput, context: CliContext): Promise<undefined> {
  await using client = await context.connect()
  const quota = await client.call('replica.quota', {}, { signal: context.signal })
  const { followed, groups } = await client.call('replica.agreements', {}, { signal: context.signal })
  await printResult(context, { ...quota, followed, groups }, [
    ...describeQuota(quota),
    ...followed.map((person) => `following ${person}`),
    ...groups.map(({ name, id }) => `in ${name} (${id})`)
  ])
}
