import type { CliContext, CommandInput } from '../context.ts'
import { requiredArgument } from '../input.ts'
import { printResult } from '../output.ts'

/** `elastos grant forget CAPSULE` */
export async function run(input: CommandInput, context: CliContext): Promise<undefined> {
  await using client = await context.connect()
  const result = await client.call('grant.forget', { capsule: requiredArgument(input, 'capsule') })
  const { forgotten } = result
  const what = forgotten === 1 ? 'one denial' : `${forgotten} denials`
  await printResult(context, result, [
    forgotten === 0 ? 'nothing was denied for good' : `forgot ${what}: it may ask again`
  ])
}
