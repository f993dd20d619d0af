import type { CliContext, CommandInput } from '../context.ts'
import { CliError } from '../errors.ts'
import { optionalArgument, switchOption } from '../input.ts'
import { printResult } from '../output.ts'

/** `elastos capsule stop NAME|#RUN`, `elastos capsule stop --all` */
export async function run(input: CommandInput, context: CliContext): Promise<undefined> {
  const name = optionalArgument(input, 'name')
  const isAll = switchOption(input, 'all')
  if ((name === undefined) !== isAll) {
    throw new CliError('ERR_USAGE', 'expected either NAME or --all')
  }
  const run = name === undefined ? undefined : Number(/^#?(\d{1,9})$/.exec(name)?.[1] ?? '0')
  await using client = await context.connect()
  const { stopped } = await client.call(
    'capsule.stop',
    name === undefined ? {} : run === undefined || run === 0 ? { name } : { run }
  )
  await printResult(
    context,
    { stopped },
    stopped.map(({ run: id, alias, name: own, version }) => `stopped ${alias ?? own} ${version} (#${id})`)
  )
}
