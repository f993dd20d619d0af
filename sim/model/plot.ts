import { renderChart } from '../report/chart.ts'
import type { LookupMeasure } from './measure.ts'

/** Two pictures of measured lookups over the size of the network: rounds with their bound, and recall. */
export function renderLookupPlots(
  ours: readonly LookupMeasure[],
  stock: readonly LookupMeasure[]
): { readonly rounds: string; readonly recall: string } {
  const line = (
    measures: readonly LookupMeasure[],
    name: string,
    pick: (measure: LookupMeasure) => number
  ): { name: string; points: (readonly [number, number])[] } => ({
    name,
    points: measures.map((measure) => [measure.nodeCount, pick(measure)])
  })
  const axis = { xName: 'nodes', isLogarithmic: true }
  return {
    rounds: renderChart({
      ...axis,
      title: 'Rounds of a lookup, on tables built by joining under churn',
      yName: 'rounds',
      lines: [
        line(ours, 'median', ({ rounds }) => rounds.p50),
        line(ours, '95 of 100', ({ rounds }) => rounds.p95),
        line(ours, 'bound', ({ roundsMax }) => roundsMax),
        line(stock, '95 of 100, 64 buckets', ({ rounds }) => rounds.p95)
      ]
    }),
    recall: renderChart({
      ...axis,
      title: 'Share of the 20 nearest peers that a lookup finds',
      yName: 'recall',
      lines: [
        line(ours, 'recall', ({ recall }) => recall),
        line(
          ours.map((measure) => ({ ...measure, recall: 0.98 })),
          'bound',
          ({ recall }) => recall
        ),
        line(stock, '64 buckets', ({ recall }) => recall)
      ]
    })
  }
}
