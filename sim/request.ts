import { millisecondsOf } from './duration.ts'
import { SimError } from './errors.ts'
import { NODES_MAX, SEEDS_MAX } from './constants.ts'
import { parseScenario } from './parse-scenario.ts'
import type { Scenario } from './scenario.ts'
import { SCENARIOS } from './scenarios/index.ts'

/** The options of a run, as node:util's `parseArgs` takes them. */
export const REQUEST_OPTIONS: Readonly<
  Record<
    'nodes' | 'seed' | 'seeds' | 'duration' | 'report' | 'plant' | 'trace' | 'series',
    { type: 'string' }
  >
> & { readonly force: { type: 'boolean' } } = {
  nodes: { type: 'string' },
  seed: { type: 'string' },
  seeds: { type: 'string' },
  duration: { type: 'string' },
  report: { type: 'string' },
  plant: { type: 'string' },
  trace: { type: 'string' },
  series: { type: 'string' },
  force: { type: 'boolean' }
}

/** What was asked for, checked. */
export interface RunRequest {
  readonly name: string
  readonly scenario: Scenario
  /** Chance picks one when absent. */
  readonly seed: number | undefined
  /** How many seeds, one after the other. */
  readonly seedCount: number
  readonly nodeCount: number | undefined
  readonly durationMs: number | undefined
  readonly plant: string | undefined
  readonly tracePath: string | undefined
  readonly reportPath: string | undefined
  readonly seriesPath: string | undefined
  /** Whether those files replace what is there. */
  readonly isForced: boolean
}

/** The options as they were given. */
type RequestOptions = Readonly<
  Partial<Record<Exclude<keyof typeof REQUEST_OPTIONS, 'force'>, string>> & { force?: boolean }
>

/**
 * Reads a request to run a scenario.
 *
 * @throws SimError `ERR_SIM_UNKNOWN`, `ERR_SIM_SEED`, `ERR_SIM_NODES`, `ERR_SIM_OPTION`
 */
export function parseRequest(
  name: string,
  options: RequestOptions,
  readText: (path: string) => string
): RunRequest {
  const scenario = scenarioOf(name, readText)
  const { nodes, seed, seeds, duration } = options
  if (seeds !== undefined && !isWhole(seeds, 1, SEEDS_MAX)) {
    throw new SimError('ERR_SIM_SEED', `expected 1 to ${SEEDS_MAX} seeds, got ${seeds.slice(0, 40)}`)
  }
  if (seed !== undefined && !isWhole(seed, 0, 2 ** 32 - 1)) {
    throw new SimError('ERR_SIM_SEED', `expected a whole number below 2^32 as seed, got ${seed.slice(0, 40)}`)
  }
  const output = (['report', 'series', 'trace'] as const).find((name) => options[name] !== undefined)
  if (output !== undefined && Number(seeds ?? 1) > 1) {
    const message = `expected one seed with --${output}: the file of each would replace the one before`
    throw new SimError('ERR_SIM_OPTION', message)
  }
  const nodesMax = NODES_MAX[scenario.depth]
  if (nodes !== undefined && !isWhole(nodes, 1, nodesMax)) {
    const message = `expected 1 to ${nodesMax} nodes for a scenario of depth ${scenario.depth}, got ${nodes.slice(0, 40)}`
    throw new SimError('ERR_SIM_NODES', message)
  }
  return {
    ...{ name, scenario, plant: options.plant },
    seed: seed === undefined ? undefined : Number(seed),
    seedCount: Number(seeds ?? 1),
    nodeCount: nodes === undefined ? undefined : Number(nodes),
    durationMs: duration === undefined ? undefined : millisecondsOf(duration),
    ...{ tracePath: options.trace, reportPath: options.report, seriesPath: options.series },
    isForced: options.force === true
  }
}

/** The arguments of a run with one seed of its own: options end at `--`, and the last of a name counts. */
export function argsForSeed(args: readonly string[], seed: number): string[] {
  const end = args.indexOf('--')
  const options = args.slice(0, end === -1 ? args.length : end)
  return [...options, '--seed', String(seed), '--seeds', '1', ...args.slice(options.length)]
}

function isWhole(text: string, min: number, max: number): boolean {
  const value = /^\d{1,10}$/.test(text) ? Number(text) : NaN
  return value >= min && value <= max
}

function scenarioOf(name: string, readText: (path: string) => string): Scenario {
  const known = Object.hasOwn(SCENARIOS, name) ? SCENARIOS[name] : undefined
  if (known !== undefined) return known
  if (name.endsWith('.json')) return parseScenario(textOf(name, readText))
  const names = Object.keys(SCENARIOS).join(', ')
  throw new SimError(
    'ERR_SIM_UNKNOWN',
    `expected one of the scenarios ${names}, or a file.json; got ${name.slice(0, 80)}`
  )
}

function textOf(path: string, readText: (path: string) => string): string {
  try {
    return readText(path)
  } catch (cause) {
    throw new SimError('ERR_SIM_UNKNOWN', `expected the file of a scenario at ${path.slice(0, 200)}`, {
      cause
    })
  }
}
