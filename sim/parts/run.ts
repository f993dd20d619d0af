import { millisecondsOf } from '../duration.ts'
import { SEED_NODES, SAMPLES_MAX, SAMPLE_MS_MIN } from '../constants.ts'
import { replayCommand, type FinishedRun, type RunFailure, type RunInit } from '../run-report.ts'
import { CHECK_NAMES, type PartsScenario, type Step } from '../scenario.ts'
import { spreadOf, type RunSample } from '../series.ts'
import type { Violation } from './history.ts'
import { partsPlantOf } from './plants.ts'
import { drive, realMs } from './powers.ts'
import { fetch, holdersOfAll, keep, sampleReplicas } from './steps/keep.ts'
import { grant, name as publishNames, search, write } from './steps/people.ts'
import { release, sybils } from './steps/release.ts'
import { talk } from './steps/talk.ts'
import { churn, crash, cut, disk, join, sleep, slow } from './steps/weather.ts'
import { World } from './world.ts'

/** How often queues and tables are held against their bounds, in virtual time. */
const QUEUES_EVERY_MS = 10_000

/**
 * Runs a scenario of our parts from its seed, in this process, of which nothing is replaced. What does not hold is in the
 * report.
 *
 * @throws SimError `ERR_SIM_OPTION`
 */
export async function runPartsScenario(
  name: string,
  scenario: PartsScenario,
  run: RunInit
): Promise<FinishedRun> {
  const startMs = realMs()
  const nodeCount = run.nodeCount ?? scenario.nodes
  const durationMs = run.durationMs ?? millisecondsOf(scenario.duration)
  const world = new World({
    seed: run.seed,
    seedCount: Math.min(nodeCount, scenario.seeds ?? SEED_NODES),
    terms: scenario.network ?? {},
    checks: new Set(scenario.holds ?? CHECK_NAMES),
    plant: partsPlantOf(run.plant),
    onTraceLine: run.onTraceLine
  })
  const samples: RunSample[] = []
  prepare(world, scenario, nodeCount)
  world.clock.every(Math.max(SAMPLE_MS_MIN, durationMs / SAMPLES_MAX), () => samples.push(sample(world)))
  const { violations, counts } = world.history
  await drive(() => {
    if (violations.length > 0) return false
    const task = world.scheduler.next(durationMs)
    task?.()
    return task !== undefined
  })
  world.end()
  const [traceHash, virtualMs] = [world.trace.hash(), Math.round(world.scheduler.nowMs())]
  const found = violationsOf(world)
  const failure = failureOf(world, found)
  const about = { scenario: name, depth: 'parts', seed: run.seed, nodeCount } as const
  return {
    report: {
      ...{ ...about, isPassed: failure === undefined },
      ...{ events: world.trace.eventCount(), payloads: world.trace.payloadCount(), done: { ...counts } },
      ...{ virtualMs, realMs: Math.round(realMs() - startMs) },
      ...(failure === undefined ? {} : { failure }),
      replay: replayCommand(name, run),
      traceHash
    },
    series: {
      ...{ ...about, virtualMs, traceHash, samples, marks: world.marks, holders: holdersOfAll(world) },
      violations: found.map(({ sentence }) => sentence)
    }
  }
}

/** What did not hold. Whatever a scenario wants to hold: where nothing travelled, nothing was simulated. */
function violationsOf({ history, trace, scheduler }: World): readonly Violation[] {
  if (history.violations.length > 0 || trace.payloadCount() > 0) return history.violations
  return [{ check: 'queues', atMs: scheduler.nowMs(), sentence: 'nothing travelled: nothing was simulated' }]
}

function failureOf({ trace }: World, violations: readonly Violation[]): RunFailure | undefined {
  const [first] = violations
  if (first === undefined) return undefined
  const sentences = violations.map(({ check, sentence }) => `${check}: ${sentence}`)
  const message = `${sentences.slice(0, 5).join('; ')}, after ${(first.atMs / 1000).toFixed(1)} virtual seconds`
  return { code: 'ERR_SIM_INVARIANT', message, trace: trace.tail(), logs: [] }
}

function prepare(world: World, { happens }: PartsScenario, nodeCount: number): void {
  for (const place of world.seeds) {
    const node = world.nodeAt(place)
    if (node !== undefined) world.start(node)
  }
  for (const step of happens) world.clock.after(millisecondsOf(step.at), () => begin(world, step, nodeCount))
  world.clock.every(QUEUES_EVERY_MS, () => checkQueues(world))
}

function begin(world: World, step: Step, nodeCount: number): void {
  switch (step.do) {
    case 'join':
      return join(world, step, nodeCount)
    case 'churn':
      return churn(world, step)
    case 'sleep':
      return sleep(world, step)
    case 'crash':
      return crash(world, step)
    case 'cut':
      return cut(world, step)
    case 'slow':
      return slow(world, step)
    case 'disk':
      return disk(world, step)
    case 'search':
      return search(world, step)
    case 'name':
      return publishNames(world, step)
    case 'write':
      return write(world, step)
    case 'grant':
      return grant(world, step)
    case 'talk':
      return talk(world, step)
    case 'keep':
      return keep(world, step, nodeCount)
    case 'fetch':
      return fetch(world, step)
    case 'release':
      return release(world, step)
    case 'sybils':
      return sybils(world, step)
  }
}

/** No queue and no table is longer than it may be. */
function checkQueues(world: World): void {
  for (const running of world.everybody()) {
    for (const { name, size, max } of running.gauges()) {
      if (size <= max) continue
      world.history.violate(
        'queues',
        `node ${running.node.place} has ${size} of ${name}, at most ${max} are allowed`
      )
    }
  }
}

function sample(world: World): RunSample {
  const { lookupMs, lookupRounds, lookupsFailed, wire, scheduler } = world
  world.lookupMs = []
  world.lookupRounds = []
  world.lookupsFailed = 0
  return {
    atMs: Math.round(scheduler.nowMs()),
    nodesUp: world.everybody().length,
    replicas: sampleReplicas(world),
    lookupRounds: spreadOf(lookupRounds),
    lookupMs: spreadOf(lookupMs),
    lookupsFailed,
    ...wire.takeCounts()
  }
}
