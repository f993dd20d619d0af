import type { ControlEvent } from '#contracts'
import type { CliContext, CommandInput } from '../context.ts'
import { printResult } from '../output.ts'

/** `elastos deny list` */
export async function run(_input: CommandInput, context: CliContext): Promise<undefined> {
  await using client = await context.connect()
  const subjects: string[] = []
  const onEvent = (event: ControlEvent): undefined => {
    if (event.kind === 'rows') subjects.push(...(event.subjects ?? []))
  }
  const last = await client.call('deny.list', { all: true }, { signal: context.signal, onEvent })
  subjects.push(...last.subjects)
  await printResult(context, { subjects }, subjects.length > 0 ? subjects : ['nothing is refused'])
}
