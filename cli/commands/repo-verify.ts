import type { CliContext, CommandInput } from '../context.ts'
import { EXIT } from '../exit-codes.ts'
import { formatBytes, printResult } from '../output.ts'
import { showProgress } from '../progress.ts'

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`
}

/** `elastos repo verify`; exits as for a bad disk when something is wrong, so that a script sees it. */
export async function run(_input: CommandInput, context: CliContext): Promise<number> {
  await using client = await context.connect()
  await using progress = showProgress(context)
  const found = await client.call('repo.verify', {}, { onEvent: progress.onEvent, signal: context.signal })
  await progress.end()
  const isSound = found.corrupt.length === 0 && found.incomplete.length === 0
  await printResult(context, found, [
    `${counted(found.blocks, 'block')} sound, ${formatBytes(found.bytes)}; ${counted(found.pins, 'pin')} looked at`,
    ...found.corrupt.map((cid) => `corrupt and removed: ${cid}`),
    ...found.incomplete.map(
      ({ cid, missing }) => `${cid} misses ${counted(missing, 'block')}: pin it again to fetch them`
    ),
    ...(isSound ? ['nothing is wrong'] : [])
  ])
  return isSound ? 0 : EXIT.host
}
