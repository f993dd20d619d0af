import { resolve } from 'node:path'
import type { CliContext, CommandInput } from '../context.ts'
import { requiredArgument, switchOption } from '../input.ts'
import { formatBytes, printNotice, printResult } from '../output.ts'

/** `elastos guest publish FOLDER` */
export async function run(input: CommandInput, context: CliContext): Promise<undefined> {
  const folder = resolve(context.workingFolder, requiredArgument(input, 'folder'))
  await using client = await context.connect()
  const params = { folder, first: switchOption(input, 'first') }
  const published = await client.call('guest.publish', params, { signal: context.signal })
  const { arch, version, bytes, cid = '' } = published
  await printNotice(
    context,
    `published the guest ${version} for ${arch}, ${formatBytes(bytes)}, as ${cid}; anyone can fetch it. A friend pastes:`
  )
  await printResult(context, published, [published.line])
  if (!published.isAnnounced) {
    await printNotice(context, 'not announced yet: no peer is reachable; it will be, once one is')
  }
}
