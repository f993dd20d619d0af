import { errorCode, errorMessage } from '#contracts'
import { SimError } from './errors.ts'
import { PLANTS, type PlantName } from './plants.ts'
import { realMonotonicMs } from './powers.ts'
import { replayCommand, type FinishedRun, type RunFailure, type RunInit } from './run-report.ts'
import type { FullScenario } from './scenario.ts'
import { simulate, type Simulation } from './simulate.ts'

/**
 * Runs a scenario of whole nodes from its seed in this process. A failure of the scenario is in the report.
 *
 * @throws SimError `ERR_SIM_NOT_PRELOADED`, `ERR_SIM_USED`, `ERR_SIM_OPTION`; what the start of a node throws
 */
export async function runFullScenario(
  name: string,
  scenario: FullScenario,
  run: RunInit
): Promise<FinishedRun> {
  const startMs = realMonotonicMs()
  const { seed, nodeCount = scenario.nodes } = run
  const { play } = await scenario.load()
  const sim = await simulate({
    ...scenario.network,
    ...{ seed, nodeCount },
    ...(run.plant === undefined ? {} : { plant: PLANTS[plantOf(run.plant)] }),
    ...(run.onTraceLine === undefined ? {} : { onTraceLine: run.onTraceLine })
  })
  const failure = (await failureOf(sim, play)) ?? silenceOf(sim)
  const { trace, history } = sim
  const [traceHash, virtualMs] = [trace.hash(), sim.nowMs()]
  const about = { scenario: name, depth: 'full', seed, nodeCount } as const
  const report = {
    ...{ ...about, isPassed: failure === undefined },
    ...{ events: trace.eventCount(), payloads: trace.payloadCount() },
    done: {
      dhtStreams: trace.streamCount('/kad/'),
      contentStreams: trace.streamCount('/bitswap/'),
      fetched: history.fetched.length,
      heard: history.heard.length
    },
    ...{ virtualMs, realMs: Math.round(realMonotonicMs() - startMs) },
    ...(failure === undefined ? {} : { failure }),
    replay: replayCommand(name, run),
    traceHash
  }
  const violations = failure === undefined ? [] : [failure.message]
  return {
    report,
    series: { ...about, virtualMs, traceHash, samples: [], marks: [], holders: [], violations }
  }
}

function plantOf(name: string): PlantName {
  if (Object.hasOwn(PLANTS, name)) return name as PlantName
  const known = Object.keys(PLANTS).join(', ')
  throw new SimError('ERR_SIM_OPTION', `expected one of the faults ${known}, got ${name}`)
}

/** Whatever a scenario checks: where nothing travelled, nothing was simulated. */
function silenceOf({ trace, logs }: Simulation): RunFailure | undefined {
  if (trace.payloadCount() > 0) return undefined
  const message = 'nothing travelled: nothing was simulated'
  return { code: 'ERR_SIM_INVARIANT', message, trace: trace.tail(), logs: logs.tail() }
}

async function failureOf(
  sim: Simulation,
  play: (sim: Simulation) => Promise<void>
): Promise<RunFailure | undefined> {
  const failure = (error: unknown): RunFailure => ({
    code: errorCode(error) ?? 'ERR_SIM_SCENARIO',
    message: errorMessage(error),
    ...{ trace: sim.trace.tail(), logs: sim.logs.tail() }
  })
  const played = await play(sim).then(() => undefined, failure)
  // a node that cannot be stopped is a failure too, unless there was one before
  const stopped = await sim[Symbol.asyncDispose]().then(() => undefined, failure)
  return played ?? stopped
}
