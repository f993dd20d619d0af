import { createHash } from 'node:crypto'
import { SAMPLES_MAX, SAMPLE_MS_MIN } from '../constants.ts'
import { millisecondsOf } from '../duration.ts'
import { SimError } from '../errors.ts'
import { replayCommand, type FinishedRun, type RunFailure, type RunInit } from '../run-report.ts'
import type { ModelScenario, ModelStep } from '../scenario.ts'
import { spreadOf, type ObjectHolders, type ReplicaSample, type RunMark, type RunSample } from '../series.ts'
import { MODEL_DURATION_MS_MAX, MODEL_LOOKUPS_MAX, TABLE_RULES } from './constants.ts'
import { LookupModel } from './lookup-model.ts'
import { REPAIR_MS_MAX } from './measure-replicas.ts'
import { realMs, turnOfLoop } from './powers.ts'
import { ReplicaModel } from './replica-model.ts'

type StepOf<Kind extends ModelStep['do']> = Extract<ModelStep, { readonly do: Kind }>

/**
 * Plays a scenario on the model, in this process, of which nothing is replaced. What does not hold is in the report.
 *
 * @throws SimError `ERR_SIM_OPTION`, `ERR_SIM_SCENARIO`
 */
export async function runModelScenario(
  name: string,
  scenario: ModelScenario,
  run: RunInit
): Promise<FinishedRun> {
  const startMs = realMs()
  refuse(run)
  const play = new Play(scenario, run)
  const samples: RunSample[] = []
  while (!play.isOver) {
    samples.push(play.sample())
    await turnOfLoop()
  }
  const { about, marks, violations } = play
  const [traceHash, virtualMs] = [play.traceHash(), play.nowMs]
  const failure = failureOf(violations)
  return {
    report: {
      ...{ scenario: name, ...about, isPassed: failure === undefined },
      ...{ events: play.events, payloads: play.messages, done: play.done() },
      ...{ virtualMs, realMs: Math.round(realMs() - startMs) },
      ...(failure === undefined ? {} : { failure }),
      replay: replayCommand(name, run),
      traceHash
    },
    series: {
      scenario: name,
      ...about,
      virtualMs,
      traceHash,
      samples,
      marks,
      holders: play.holders(),
      violations
    }
  }
}

function refuse({ plant, onTraceLine }: RunInit): void {
  const message = (option: string): string => `expected no --${option}: a model has no nodes to look into`
  if (plant !== undefined) throw new SimError('ERR_SIM_OPTION', message('plant'))
  if (onTraceLine !== undefined) throw new SimError('ERR_SIM_OPTION', message('trace'))
}

function failureOf(violations: readonly string[]): RunFailure | undefined {
  if (violations.length === 0) return undefined
  return { code: 'ERR_SIM_INVARIANT', message: violations.join('; '), trace: [], logs: [] }
}

/** One run of both models side by side. */
class Play {
  readonly about: { readonly depth: 'model'; readonly seed: number; readonly nodeCount: number }
  readonly marks: RunMark[] = []
  readonly #lookups: LookupModel
  readonly #durationMs: number
  readonly #stepMs: number
  readonly #halfLifeMs: number
  readonly #search: { readonly atMs: number; readonly count: number } | undefined
  readonly #keep: (StepOf<'keep'> & { readonly atMs: number }) | undefined
  #replicas: ReplicaModel | undefined
  /** How much of what was measured is in samples already. */
  #seen = { measured: 0, messages: 0, repairs: 0 }
  #isLooking = false

  constructor(scenario: ModelScenario, { seed, nodeCount = scenario.nodes, durationMs }: RunInit) {
    this.about = { depth: 'model', seed, nodeCount }
    this.#durationMs = durationMs ?? millisecondsOf(scenario.duration)
    if (this.#durationMs > MODEL_DURATION_MS_MAX) throw wrong('a duration of at most ten days')
    this.#stepMs = Math.max(SAMPLE_MS_MIN, Math.ceil(this.#durationMs / SAMPLES_MAX))
    const { join, churn, search, keep } = stepsOf(scenario)
    // without churn a life is longer than any scenario
    this.#halfLifeMs = churn === undefined ? 1e6 * MODEL_DURATION_MS_MAX : millisecondsOf(churn.halfLife)
    this.#search = search && searchesOf(search, this.#durationMs)
    this.#keep = keep && { ...keep, atMs: millisecondsOf(keep.at) }
    this.#lookups = new LookupModel({
      ...{ nodeCount, seed, tables: TABLE_RULES, halfLifeMs: this.#halfLifeMs },
      growMs: millisecondsOf(join.within),
      ...(scenario.network?.latencyMs === undefined ? {} : { latencyMs: scenario.network.latencyMs })
    })
    this.#mark(`${nodeCount} nodes join`)
    if (churn !== undefined) this.#mark(`nodes come and go, half of them within ${churn.halfLife}`)
  }

  get nowMs(): number {
    return this.#lookups.nowMs
  }

  get isOver(): boolean {
    return this.nowMs >= this.#durationMs
  }

  get events(): number {
    return this.#lookups.events + (this.#replicas?.events ?? 0)
  }

  get messages(): number {
    return this.#lookups.messages
  }

  /** What must never be. */
  get violations(): string[] {
    const lost = this.#replicas?.counts().lost ?? 0
    const found = lost === 0 ? [] : [`writes: ${lost} objects are held by nobody any more`]
    return this.messages > 0 ? found : [...found, 'nothing travelled: nothing was simulated']
  }

  /** Lets time pass to the next sample, and takes it. */
  sample(): RunSample {
    const untilMs = Math.min(this.nowMs + this.#stepMs, this.#durationMs)
    this.#begin(untilMs)
    this.#lookups.run(untilMs - this.nowMs)
    const before = this.#seen
    const counts = this.#replicas?.counts()
    const { measured, messages, nodesUp } = this.#lookups
    this.#seen = { measured: measured.length, messages, repairs: counts?.repairs ?? 0 }
    const ended = measured.slice(before.measured)
    const copied = (this.#seen.repairs - before.repairs) * (this.#keep?.bytes ?? 0)
    return {
      atMs: this.nowMs,
      nodesUp,
      replicas: this.#replicaSample(),
      lookupRounds: spreadOf(ended.map(({ rounds }) => rounds)),
      lookupMs: spreadOf(ended.map(({ durationMs }) => durationMs)),
      lookupsFailed: ended.filter(({ found }) => found.length === 0).length,
      bytesByKind: this.#replicas === undefined ? {} : { replication: copied },
      messages: messages - before.messages
    }
  }

  holders(): ObjectHolders[] {
    const { bytes = 0, goal = 0 } = this.#keep ?? {}
    const all = this.#replicas?.holders() ?? []
    return all.map((holders, index) => ({ object: `object ${index}`, bytes, goal, holders }))
  }

  done(): Record<string, number> {
    const { measured } = this.#lookups
    const wanted = measured.reduce((sum, one) => sum + one.wanted, 0)
    const found = measured.reduce((sum, one) => sum + Math.round(one.recall * one.wanted), 0)
    const counts = this.#replicas?.counts()
    return {
      ...{ lookups: measured.length, 'lookups wanted': wanted, 'lookups found': found },
      ...{ joined: this.#lookups.births, died: this.#lookups.deaths },
      ...(counts === undefined ? {} : { repairs: counts.repairs, 'late repairs': this.#lateRepairs() })
    }
  }

  /** SHA-256 over what both models did. */
  traceHash(): string {
    const traces = [this.#lookups.traceHash(), this.#replicas?.traceHash() ?? '']
    return createHash('sha256').update(traces.join(' ')).digest('hex')
  }

  /** Begins what is due until then, and lets the replicas catch up. */
  #begin(untilMs: number): void {
    const search = this.#search
    if (search !== undefined && !this.#isLooking && search.atMs < untilMs) {
      this.#isLooking = true
      const fromMs = Math.max(search.atMs, this.nowMs)
      this.#lookups.run(fromMs - this.nowMs)
      this.#lookups.look(search.count, this.#durationMs - fromMs)
      this.#mark('searches begin')
    }
    const keep = this.#keep
    if (keep === undefined || keep.atMs >= untilMs) return
    this.#replicas ??= this.#startKeeping(keep)
    this.#replicas.run(untilMs - keep.atMs - this.#replicas.nowMs)
  }

  #startKeeping(keep: StepOf<'keep'>): ReplicaModel {
    this.#mark(`${keep.objects} objects with a goal of ${keep.goal}`)
    const { seed, nodeCount } = this.about
    return new ReplicaModel({
      ...{ nodeCount, seed, goal: keep.goal, objectCount: keep.objects, objectBytes: keep.bytes },
      halfLifeMs: this.#halfLifeMs
    })
  }

  #replicaSample(): ReplicaSample {
    const counts = this.#replicas?.counts()
    if (counts === undefined) return { objects: 0, copies: spreadOf([]), copiesMin: 0, belowGoal: 0, lost: 0 }
    const { copiesMin, belowGoal, lost } = counts
    const copies = spreadOf(this.#replicas?.holders().map(({ length }) => length) ?? [])
    return { objects: this.#keep?.objects ?? 0, copies, copiesMin, belowGoal, lost }
  }

  #lateRepairs(): number {
    return this.#replicas?.repairMs.filter((tookMs) => tookMs > REPAIR_MS_MAX).length ?? 0
  }

  #mark(what: string): void {
    this.marks.push({ atMs: this.nowMs, what })
  }
}

interface Steps {
  readonly join: StepOf<'join'>
  readonly churn: StepOf<'churn'> | undefined
  readonly search: StepOf<'search'> | undefined
  readonly keep: StepOf<'keep'> | undefined
}

function stepsOf({ happens }: ModelScenario): Steps {
  const one = <Kind extends ModelStep['do']>(kind: Kind): StepOf<Kind> | undefined => {
    const found = happens.filter((step): step is StepOf<Kind> => step.do === kind)
    if (found.length > 1) throw wrong(`one ${kind} at most`)
    return found[0]
  }
  const join = one('join')
  if (join === undefined || millisecondsOf(join.at) > 0 || join.nodes !== undefined) {
    throw wrong('all nodes to join from 0s on')
  }
  return { join, churn: one('churn'), search: one('search'), keep: one('keep') }
}

function searchesOf(step: StepOf<'search'>, durationMs: number): { atMs: number; count: number } {
  const atMs = millisecondsOf(step.at)
  const count = Math.floor(Math.max(0, durationMs - atMs) / Math.max(1, millisecondsOf(step.every)))
  if (count > MODEL_LOOKUPS_MAX) throw wrong(`at most ${MODEL_LOOKUPS_MAX} searches in all`)
  return { atMs, count }
}

function wrong(what: string): SimError {
  return new SimError('ERR_SIM_SCENARIO', `expected ${what} of a scenario of depth model`)
}
