import type { PinStatus } from '#contracts'
import type { CliContext, CommandInput } from '../context.ts'
import { formatBytes, formatTable, printNotice, printResult } from '../output.ts'

/** `elastos pin ls` */
export async function run(_input: CommandInput, context: CliContext): Promise<undefined> {
  await using client = await context.connect()
  const { pins, isCut } = await client.call('content.pins', {})
  await printResult(
    context,
    { pins, isCut },
    pins.length > 0 ? formatTable(pins.map(describePin)) : ['nothing is kept']
  )
  if (isCut) await printNotice(context, `only the first ${pins.length} are shown`)
}

function describePin({ cid, name, isPublic, bytes }: PinStatus): string[] {
  return [cid, isPublic ? 'public' : 'private', bytes === undefined ? '' : formatBytes(bytes), name ?? '']
}
