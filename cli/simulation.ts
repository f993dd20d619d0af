import type { RunReport } from '#sim'
import type { CliContext } from './context.ts'
import { CliError, RemoteError } from './errors.ts'
import { jsonLine, safeText } from './output.ts'
import { startSimulator, type Simulator, type SimulatorInit } from './simulator/powers.ts'

/** One line of the simulator. */
type Said = Record<string, unknown>
type Start = (init: SimulatorInit) => Simulator

/**
 * Runs the simulator and gives each thing it says, in order.
 *
 * @throws RemoteError with the simulator's code; CliError when it ended without a word
 */
export async function* runSimulator(
  context: CliContext,
  args: readonly string[],
  start: Start = startSimulator
): AsyncGenerator<Said> {
  const { workingFolder, signal } = context
  await using simulator = start({ args, workingFolder, signal })
  let underWay = 0
  for await (const line of simulator.lines) {
    const said = JSON.parse(line) as Said
    const { error } = said as { error?: { code: string; message: string } }
    if (error !== undefined) throw new RemoteError(error.code, error.message)
    if ('event' in said) underWay += 1
    else if ('isPassed' in said) underWay -= 1
    yield said
  }
  const code = await simulator.ended
  signal.throwIfAborted()
  // With 1 it ends for a run that failed, and so does Node for an error that nobody caught.
  if (underWay === 0 && (code === 0 || code === 1)) return
  const last = simulator.errorText().trim().split('\n').slice(-3).join(' ')
  throw new CliError('ERR_SIMULATOR_ENDED', `the simulator ended with ${code ?? 'a signal'}: ${last}`)
}

/** Runs a scenario and shows how each run ended. Resolves with the exit code. */
export async function showRuns(
  context: CliContext,
  args: readonly string[],
  o: { readonly showsTail: boolean; readonly start?: Start }
): Promise<number> {
  const { stdout, stderr, json } = context
  let failed = 0
  for await (const said of runSimulator(context, args, o.start)) {
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
