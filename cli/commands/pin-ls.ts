import type { ControlEvent, PinStatus } from '#contracts'
import type { CliContext, CommandInput } from '../context.ts'
import { formatBytes, formatTable, printResult } from '../output.ts'

/** `elastos pin ls` */
export async function run(_input: CommandInput, context: CliContext): Promise<undefined> {
  await using client = await context.connect()
  const pins: PinStatus[] = []
  const onEvent = (event: ControlEvent): undefined => {
    if (event.kind === 'rows') pins.push(...(event.pins ?? []))
  }
  const last = await client.call('content.pins', { all: true }, { signal: context.signal, onEvent })
  pins.push(...last.pins)
  await printResult(
    context,
    { pins, isCut: last.isCut },
    pins.length > 0 ? formatTable(pins.map(describePin)) : ['nothing is kept']
  )
}

function describePin({ cid, name, isPublic, bytes }: PinStatus): string[] {
  return [cid, isPublic ? 'public' : 'private', bytes === undefined ? '' : formatBytes(bytes), name ?? '']
}
