import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { LongTest } from '../../scripts/test-long.ts'
import { STOCK_TABLE_RULES, TABLE_RULES } from '../../sim/model/constants.ts'
import { measureLookups, type LookupMeasure } from '../../sim/model/measure.ts'
import { renderLookupPlots } from '../../sim/model/plot.ts'

const MINUTE_MS = 60_000
const LOOKUPS = 1_000
const RECALL_MIN = 0.98
/** The largest takes a third of a billion bytes and some minutes. */
const SIZES = [100, 1_000, 10_000, 100_000]
/** The buckets that kad-dht comes with, for the picture. */
const STOCK_SIZES = [100, 1_000, 10_000]

interface State {
  readonly ours: readonly LookupMeasure[]
  readonly stock: readonly LookupMeasure[]
}

/** Lookups among 100 to 100,000 nodes that join, come and go: rounds within their bound, and the nearest found. Draws the pictures. */
export const longTest: LongTest<State> = {
  begin: () => ({ ours: [], stock: [] }),
  slice: async ({ ours, stock }, seed) => {
    const init = { seed, lookups: LOOKUPS, growMs: 10 * MINUTE_MS, settleMs: 10 * MINUTE_MS }
    const stockSize = STOCK_SIZES[stock.length]
    if (stockSize !== undefined) {
      const measure = measureLookups({ ...init, nodeCount: stockSize, tables: STOCK_TABLE_RULES })
      return {
        state: { ours, stock: [...stock, measure] },
        isDone: false,
        note: `64 buckets: ${sentenceOf(measure)}`
      }
    }
    const measure = measureLookups({ ...init, nodeCount: SIZES[ours.length] ?? 0, tables: TABLE_RULES })
    const note = sentenceOf(measure)
    assert.ok(measure.rounds.p95 <= measure.roundsMax, note)
    assert.ok(measure.recall >= RECALL_MIN, note)
    const state = { ours: [...ours, measure], stock }
    const isDone = state.ours.length === SIZES.length
    if (isDone) await draw(state)
    return { state, isDone, note }
  }
}

async function draw({ ours, stock }: State): Promise<void> {
  const folder = join(import.meta.dirname, '..', '..', 'docs', 'pictures')
  const { rounds, recall } = renderLookupPlots(ours, stock)
  await writeFile(join(folder, 'lookup-rounds.svg'), `${rounds}\n`)
  await writeFile(join(folder, 'lookup-recall.svg'), `${recall}\n`)
}

function sentenceOf(measure: LookupMeasure): string {
  const { nodeCount, rounds, roundsMax, messages, recall, failedShare, staleShare, events, bytesPerNode } =
    measure
  return [
    `${nodeCount} nodes: rounds p50 ${rounds.p50}, p95 ${rounds.p95} (${roundsMax} allowed)`,
    `recall ${recall.toFixed(4)}`,
    `messages p50 ${messages.p50}, p95 ${messages.p95}`,
    `${(100 * failedShare).toFixed(1)} % met somebody gone, ${(100 * staleShare).toFixed(1)} % of the tables are gone`,
    `${events} events, ${Math.round(bytesPerNode)} bytes a node`
  ].join('; ')
}
