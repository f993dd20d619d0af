import type { CliContext, CommandInput } from '../context.ts'
import { requiredArgument, switchOption, textOption } from '../input.ts'
import { printResult } from '../output.ts'
import { showProgress } from '../progress.ts'

/** `elastos pin add CID` */
export async function run(input: CommandInput, context: CliContext): Promise<undefined> {
  await using client = await context.connect()
  const name = textOption(input, 'name')
  const params = {
    target: requiredArgument(input, 'target'),
    // Not said, what is kept in private stays so.
    ...(switchOption(input, 'private') ? { private: true } : {}),
    ...(name === undefined ? {} : { name })
  }
  await using progress = showProgress(context)
  const pin = await client.call('content.pin', params, { onEvent: progress.onEvent, signal: context.signal })
  await progress.end()
  await printResult(context, pin, [
    `kept ${pin.cid}`,
    pin.isPublic ? 'it is served to anyone who asks for it' : 'it is served to nobody'
  ])
}
