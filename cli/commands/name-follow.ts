import type { NameStatus } from '#contracts'
import type { CliContext, CommandInput } from '../context.ts'
import { countOption, requiredArgument, secondsOption } from '../input.ts'
import { describeFreshness, targetOf } from '../name-view.ts'
import { jsonLine, printNotice, safeText } from '../output.ts'

const VALUES_MAX = 1_000_000

/** `elastos name follow NAME` */
export async function run(input: CommandInput, context: CliContext): Promise<undefined> {
  const everyMs = secondsOption(input, 'every')
  const count = countOption(input, 'count', VALUES_MAX)
  const params = {
    name: requiredArgument(input, 'name'),
    ...(everyMs === undefined ? {} : { everyMs }),
    ...(count === undefined ? {} : { count })
  }
  await using client = await context.connect()
  const following = client.open('name.follow', params, {
    signal: context.signal,
    onEvent: async (event) => {
      if (event.kind === 'notice') await printNotice(context, event.text)
      if (event.kind === 'name') await printValue(context, event.name)
    }
  })
  await following.result
}

async function printValue(context: CliContext, name: NameStatus): Promise<void> {
  if (context.json) {
    await context.stdout.write(jsonLine({ event: 'name', ...name }))
    return
  }
  await context.stdout.write(`${safeText(targetOf(name))}\n`)
  for (const line of describeFreshness(name)) await printNotice(context, line)
}
