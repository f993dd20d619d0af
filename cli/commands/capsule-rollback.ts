import type { CliContext, CommandInput } from '../context.ts'
import { requiredArgument, textOption } from '../input.ts'
import { printNotice, printResult } from '../output.ts'

/** `elastos capsule rollback NAME` */
export async function run(input: CommandInput, context: CliContext): Promise<undefined> {
  const name = requiredArgument(input, 'name')
  const version = textOption(input, 'to')
  await using client = await context.connect()
  const params = { name, ...(version === undefined ? {} : { version }) }
  const change = await client.call('capsule.rollback', params, { signal: context.signal })
  const { capsule, isStateRestored } = change
  await printResult(context, change, [
    `${capsule.alias} is ${capsule.version} again, ${isStateRestored ? 'with the data it had then' : 'with the data as it is'}`
  ])
  const left = capsule.versions.find(({ isCurrent, hasState }) => !isCurrent && hasState)
  if (left !== undefined) {
    await printNotice(
      context,
      `what ${left.version} kept is still here: 'elastos capsule rollback ${capsule.alias} --to ${left.version}'`
    )
  }
}
