import type { RunningStatus } from '#contracts'
import type { CliContext, CommandInput } from '../context.ts'
import { formatBytes, formatTable, printNotice, printResult } from '../output.ts'

/** `elastos capsule top` */
export async function run(_input: CommandInput, context: CliContext): Promise<undefined> {
  await using client = await context.connect()
  const { running } = await client.call('capsule.top', {})
  await printResult(context, { running }, running.length === 0 ? [] : describeRunning(running))
  if (running.length === 0) await printNotice(context, 'no capsule runs')
}

/** What runs, for people. */
export function describeRunning(running: readonly RunningStatus[]): string[] {
  const header = ['run', 'name', 'version', 'pid', 'cpu s', 'memory', 'calls', 'in', 'out', 'up s']
  const rows = running.map((run) => [
    `#${run.run}`,
    run.alias ?? run.name,
    `${run.version}${run.isDetached ? ' (detached)' : ''}`,
    run.pid === undefined ? '-' : String(run.pid),
    run.cpuSeconds === undefined ? '-' : run.cpuSeconds.toFixed(2),
    run.memoryBytes === undefined ? '-' : formatBytes(run.memoryBytes),
    String(run.calls),
    formatBytes(run.bytesIn),
    formatBytes(run.bytesOut),
    String(Math.round(run.upMs / 1000))
  ])
  return formatTable([header, ...rows])
}
