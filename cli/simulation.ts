import type { RunReport } from '#sim'
import type { CliContext } from './context.ts'
import { CliError, RemoteError } from './errors.ts'
import { jsonLine, safeText } from './output.ts'
import { startSimulator } from './simulator/powers.ts'

/** One line of the simulator. */
type Said = Record<string, unknown>

/**
 * Runs the simulator and gives each thing it says, in order.
 *
 * @throws RemoteError with the simulator's code; CliError when it ended without a word
 */
export async function* runSimulator(context: CliContext, args: readonly string[]): AsyncGenerator<Said> {
  const { workingFolder, signal } = context
  await using simulator = startSimulator({ args, workingFolder, signal })
  let count = 0
  for await (const line of simulator.lines) {
    const said = JSON.parse(line) as Said
    count += 1
    const { error } = said as { error?: { code: string; message: string } }
    if (error !== undefined) throw new RemoteError(error.code, error.message)
    yield said
  }
  const code = await simulator.ended
  signal.throwIfAborted()
  if (code === 0 || (code === 1 && count > 0)) return
  const last = simulator.errorText().trim().split('\n').slice(-3).join(' ')
  throw new CliError('ERR_SIMULATOR_ENDED', `the simulator ended with ${code ?? 'a signal'}: ${last}`)
}

/** Runs a scenario and shows how each run ended. Resolves with the exit code. */
export async function showRuns(
  context: CliContext,
  args: readonly string[],
  o: { readonly showsTail: boolean }
): Promise<number> {
  const { stdout, stderr, json } = context
  let failed = 0
  for await (const said of runSimulator(context, args)) {
    if ('event' in said) {
      if (json) await stdout.write(jsonLine(said))
      continue
    }
    const report = said as unknown as RunReport
    if (!report.isPassed) failed += 1
    if (json) await stdout.write(jsonLine(report))
    else await stdout.write(`${reportLines(report).map(safeText).join('\n')}\n`)
    const tail = o.showsTail || !report.isPassed ? tailOf(report) : []
    if (tail.length > 0 && !json) await stderr.write(`${tail.map(safeText).join('\n')}\n`)
  }
  return failed === 0 ? 0 : 1
}

function tailOf({ failure }: RunReport): string[] {
  if (failure === undefined) return []
  return [
    ...['last in the trace:', ...failure.trace.map((line) => `  ${line}`)],
    ...['last in the logs:', ...failure.logs.map((line) => `  ${line}`)]
  ]
}

function reportLines(report: RunReport): string[] {
  const { scenario, seed, nodeCount, virtualMs, realMs, events, done, traceHash, failure, replay } = report
  const what = Object.entries(done).map(([name, count]) => `${name} ${count}`)
  const head = `${scenario}, ${nodeCount} nodes, seed ${seed}: ${report.isPassed ? 'passed' : 'FAILED'}`
  const speed = realMs > 0 ? ` (${Math.round(virtualMs / realMs)} × real time)` : ''
  return [
    head,
    `  ${(virtualMs / 1000).toFixed(0)} virtual seconds in ${(realMs / 1000).toFixed(1)} s${speed}; ${events} events`,
    ...(what.length === 0 ? [] : [`  ${what.join(', ')}`]),
    ...(failure === undefined ? [] : [`  ${failure.message} (${failure.code})`, `  again: ${replay}`]),
    `  trace ${traceHash}`
  ]
}
