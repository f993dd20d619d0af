import { TABLE_RULES, type TableRules } from './constants.ts'
import { spreadOf, type Spread } from '../series.ts'
import { LookupModel } from './lookup-model.ts'

/** How lookups are measured. */
export interface LookupMeasureInit {
  readonly nodeCount: number
  readonly seed: number
  /** How many lookups. */
  readonly lookups: number
  /** In what time the nodes join. */
  readonly growMs: number
  /** How long they go on, coming and going, before lookups are measured. */
  readonly settleMs: number
  readonly tables?: TableRules
  readonly halfLifeMs?: number
}

/** What came. */
export interface LookupMeasure {
  readonly nodeCount: number
  readonly rounds: Spread
  /** What the rounds of 95 of 100 lookups may be: one for each four bits of the size, and one more. */
  readonly roundsMax: number
  readonly messages: Spread
  /** Of lookups with messages of 50 ms each way. */
  readonly durationMs: Spread
  /** Mean share of the 20 truly nearest. */
  readonly recall: number
  /** Which share of lookups met somebody who was gone. */
  readonly failedShare: number
  /** Which share of the tables is gone. */
  readonly staleShare: number
  readonly events: number
  readonly bytesPerNode: number
  readonly traceHash: string
}

const LATENCY_MS = 50
const LOOK_MS = 60_000
const LAST_ANSWERS_MS = 30_000

/**
 * Lookups by nodes whose tables were built by joining, while nodes come and go (half-life two hours unless told), and go on
 * coming and going. While they are measured every message takes the same time: rounds are then what they are called.
 */
export function measureLookups(init: LookupMeasureInit): LookupMeasure {
  const { nodeCount, lookups, tables = TABLE_RULES } = init
  const model = new LookupModel({ ...init, tables })
  model.run(init.growMs + init.settleMs)
  const staleShare = model.staleShare()
  model.levelLatency(LATENCY_MS)
  model.look(lookups, LOOK_MS)
  model.run(LOOK_MS + LAST_ANSWERS_MS)
  const { measured } = model
  const mean = (values: readonly number[]): number =>
    values.reduce((sum, value) => sum + value, 0) / Math.max(values.length, 1)
  return {
    nodeCount,
    rounds: spreadOf(measured.map(({ rounds }) => rounds)),
    roundsMax: Math.ceil(Math.log2(nodeCount) / 4) + 1,
    messages: spreadOf(measured.map(({ messages }) => messages)),
    durationMs: spreadOf(measured.map(({ durationMs }) => durationMs)),
    recall: mean(measured.map(({ recall }) => recall)),
    failedShare: mean(measured.map(({ failures }) => (failures > 0 ? 1 : 0))),
    staleShare,
    events: model.events,
    bytesPerNode: model.bytes / nodeCount,
    traceHash: model.traceHash()
  }
}
