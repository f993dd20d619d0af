/**
 * Whole nodes in virtual time: the same seed gives the same trace, so that a failure found once can be found again. The
 * process must be a virtual one: `node --import ./sim/preload.ts …`.
 *
 * @example
 * ```ts
 * import { simulate } from '#sim'
 *
 * await using sim = await simulate({ seed: 7, nodeCount: 5, packetLossRatio: 0.1 })
 * const cid = await sim.publish('hello', { at: 1 })
 * sim.partition([0, 1], [2, 3, 4])
 * await sim.run({ durationMs: 60_000 })
 * sim.heal()
 * await sim.run({ durationMs: 60_000 })
 * console.log(await sim.get(cid, { at: 4 }), sim.traceHash())
 * ```
 *
 * @packageDocumentation
 */
export { SimError } from './errors.ts'
export type { SimErrorCode } from './errors.ts'
export { simulate } from './simulate.ts'
export type { OperationInit, SimulateInit, Simulation } from './simulate.ts'
export type { VirtualTime } from './virtual-time.ts'
export type { LinesInit } from './lines.ts'
export type { PowersPlant } from './simulated-node.ts'
export type { Fetched, Heard, History, Published } from './checkers.ts'
export type { Trace, TraceEvent } from './trace.ts'
export type { NodeLogs } from './node-log.ts'
export type { RandomSource } from './random-source.ts'
export { runScenario } from './run-one.ts'
export type { FinishedRun, RunFailure, RunInit, RunReport } from './run-report.ts'
export { SCENARIOS } from './scenarios/index.ts'
export type {
  CheckName,
  DiskFault,
  FullScenario,
  ModelScenario,
  ModelStep,
  NetworkTerms,
  PartsScenario,
  Scenario,
  Step
} from './scenario.ts'
export { millisecondsOf } from './duration.ts'
export type { Duration } from './duration.ts'
export { spreadOf } from './series.ts'
export type { Depth, ObjectHolders, ReplicaSample, RunMark, RunSample, RunSeries, Spread } from './series.ts'
export { PLANTS } from './plants.ts'
export type { PlantName } from './plants.ts'
