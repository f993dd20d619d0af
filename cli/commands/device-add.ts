import type { CliContext, CommandInput } from '../context.ts'
import { requiredArgument, switchOption, textOption } from '../input.ts'
import { printNotice, printResult } from '../output.ts'

/** `elastos device add CODE` */
export async function run(input: CommandInput, context: CliContext): Promise<undefined> {
  const code = requiredArgument(input, 'code')
  const name = textOption(input, 'name')
  await using client = await context.connect()
  const added = await client.call(
    'device.add',
    {
      code,
      ...(name === undefined ? {} : { name }),
      ...(switchOption(input, 'first') ? { first: true } : {})
    },
    { signal: context.signal }
  )
  const { device, isDelivered, certificate, isPublished } = added
  const lines = isDelivered
    ? [`${device} is yours now`]
    : [
        `${device} is certified, and could not be reached from here.`,
        'Paste this where it waits (it is no secret):',
        certificate
      ]
  await printResult(context, added, lines)
  await printNotice(
    context,
    "your devices are a public list now: 'elastos device revoke' takes one off it for ever"
  )
  if (!isPublished)
    await printNotice(context, 'the list is not in the network yet; it is tried again by itself')
}
