import type { Depth, RunSeries } from './series.ts'

/** Why a run failed, and what happened last. */
export interface RunFailure {
  readonly code: string
  readonly message: string
  readonly trace: readonly string[]
  readonly logs: readonly string[]
}

/** How a run ended; `traceHash` comes last. */
export interface RunReport {
  readonly scenario: string
  readonly depth: Depth
  readonly seed: number
  readonly nodeCount: number
  readonly isPassed: boolean
  readonly events: number
  /** Events that carried bytes; 0 means that nothing was simulated. */
  readonly payloads: number
  /** What was done, by what it is called. */
  readonly done: Readonly<Record<string, number>>
  readonly virtualMs: number
  readonly realMs: number
  readonly failure?: RunFailure
  /** The command that does the same again. */
  readonly replay: string
  /** SHA-256 over everything that travelled; the same for the same seed, scenario, node count and sources. */
  readonly traceHash: string
}

/** A report, and what pictures are made of. */
export interface FinishedRun {
  readonly report: RunReport
  readonly series: RunSeries
}

/** What may differ from what a scenario says. */
export interface RunInit {
  readonly seed: number
  readonly nodeCount?: number | undefined
  readonly durationMs?: number | undefined
  /** The name of a fault to plant in every node. */
  readonly plant?: string | undefined
  /** Told of each line of the trace. */
  readonly onTraceLine?: ((line: string) => void) | undefined
}

/** The command that runs a scenario again as it was run. */
export function replayCommand(scenario: string, run: RunInit): string {
  const { seed, nodeCount, durationMs, plant } = run
  const flags = [
    `--seed ${seed}`,
    ...(nodeCount === undefined ? [] : [`--nodes ${nodeCount}`]),
    ...(durationMs === undefined ? [] : [`--duration ${durationMs}ms`]),
    ...(plant === undefined ? [] : [`--plant ${plant}`])
  ]
  return `elastos sim replay ${shellWord(scenario)} ${flags.join(' ')}`
}

/** As a shell takes it: the name of a file can be anything, and is pasted. */
function shellWord(text: string): string {
  return /^[\w./][\w./-]*$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`
}
