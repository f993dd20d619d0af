import { errorCode, errorMessage } from '#contracts'
import { PLANTS, type PlantName } from './plants.ts'
import { realMonotonicMs } from './powers.ts'
import { SCENARIOS, type ScenarioName } from './scenarios/index.ts'
import { simulate, type Simulation } from './simulate.ts'

/** Which scenario, with what. */
export interface ScenarioRun {
  readonly scenario: ScenarioName
  readonly seed: number
  /** As many as the scenario is about when absent. */
  readonly nodeCount?: number | undefined
  readonly plant?: PlantName | undefined
  /** Told of each line of the trace. */
  readonly onTraceLine?: ((line: string) => void) | undefined
}

/** How a scenario ended. */
export interface ScenarioReport {
  readonly scenario: ScenarioName
  readonly seed: number
  readonly nodeCount: number
  readonly isPassed: boolean
  /** SHA-256 over everything that travelled; the same for the same seed, scenario, node count and sources. */
  readonly traceHash: string
  readonly events: number
  readonly payloads: number
  /** What was done: streams opened for the DHT and for content, things fetched, messages heard. */
  readonly done: {
    readonly dhtStreams: number
    readonly contentStreams: number
    readonly fetched: number
    readonly heard: number
  }
  readonly virtualMs: number
  readonly realMs: number
  /** Why it failed, and what happened last. */
  readonly failure?: {
    readonly code: string
    readonly message: string
    readonly trace: readonly string[]
    readonly logs: readonly string[]
  }
  /** The command that does the same again. */
  readonly replay: string
}

/**
 * Runs a scenario from its seed in this process. A failure of the scenario is in the report.
 *
 * @throws SimError `ERR_SIM_NOT_PRELOADED`, `ERR_SIM_USED`, `ERR_SIM_OPTION`; what the start of a node throws
 */
export async function runScenario(run: ScenarioRun): Promise<ScenarioReport> {
  const startMs = realMonotonicMs()
  const scenario = SCENARIOS[run.scenario]
  const nodeCount = run.nodeCount ?? scenario.nodeCount
  const sim = await simulate({
    ...scenario.network,
    ...{ seed: run.seed, nodeCount },
    ...(run.plant === undefined ? {} : { plant: PLANTS[run.plant] }),
    ...(run.onTraceLine === undefined ? {} : { onTraceLine: run.onTraceLine })
  })
  const failure = await failureOf(sim, scenario.play)
  const { trace } = sim
  return {
    ...{ scenario: run.scenario, seed: run.seed, nodeCount, isPassed: failure === undefined },
    ...{ traceHash: trace.hash(), events: trace.eventCount(), payloads: trace.payloadCount() },
    done: {
      dhtStreams: trace.streamCount('/kad/'),
      contentStreams: trace.streamCount('/bitswap/'),
      fetched: sim.history.fetched.length,
      heard: sim.history.heard.length
    },
    ...{ virtualMs: sim.nowMs(), realMs: Math.round(realMonotonicMs() - startMs) },
    ...(failure === undefined ? {} : { failure }),
    replay: replayCommand(run, nodeCount)
  }
}

async function failureOf(
  sim: Simulation,
  play: (sim: Simulation) => Promise<void>
): Promise<ScenarioReport['failure']> {
  const failure = (error: unknown): ScenarioReport['failure'] => ({
    code: errorCode(error) ?? 'ERR_SIM_SCENARIO',
    message: errorMessage(error),
    ...{ trace: sim.trace.tail(), logs: sim.logs.tail() }
  })
  const played = await play(sim).then(() => undefined, failure)
  // a node that cannot be stopped is a failure too, unless there was one before
  const stopped = await sim[Symbol.asyncDispose]().then(() => undefined, failure)
  return played ?? stopped
}

function replayCommand({ scenario, seed, plant }: ScenarioRun, nodeCount: number): string {
  const flags = plant === undefined ? '' : ` --plant ${plant}`
  return `SIM_SEED=${seed} node --import ./sim/preload.ts ./sim/main.ts ${scenario} --nodes ${nodeCount}${flags}`
}
