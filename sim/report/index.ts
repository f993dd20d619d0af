/**
 * A run of the simulator as one page with pictures: nothing in it is fetched from anywhere, and no name in it is markup.
 *
 * @packageDocumentation
 */
import type { RunSample, RunSeries, Spread } from '../series.ts'
import { renderChart, shortNumber, type ChartLine } from './chart.ts'
import { escapeText } from './escape.ts'
import { MAP_OBJECTS_MAX, renderHoldersMap } from './holders-map.ts'

/** Kinds of traffic with a line of their own; the rest is one. */
const KINDS_MAX = 7
const VIOLATIONS_SHOWN_MAX = 200

/** The page. */
export function renderReport(series: RunSeries): string {
  const last = series.samples.at(-1)
  return [
    '<!doctype html>',
    '<html lang="en"><head><meta charset="utf-8">',
    // whatever were to slip through, it could load and run nothing
    `<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">`,
    '<meta name="viewport" content="width=device-width, initial-scale=1">',
    `<title>${escapeText(series.scenario)}, seed ${escapeText(String(series.seed))}</title>`,
    `<style>${STYLE}</style></head><body><main>`,
    `<h1>${escapeText(series.scenario)}</h1>`,
    summary(series, last),
    violations(series.violations),
    '<section><h2>Replicas over time</h2>',
    ...replicaCharts(series),
    '</section><section><h2>Lookups</h2>',
    ...lookupCharts(series),
    '</section><section><h2>Bandwidth</h2>',
    bandwidthChart(series),
    '</section><section><h2>Who holds what</h2>',
    mapOf(series),
    '</section></main></body></html>',
    ''
  ].join('\n')
}

const STYLE = `
:root { color-scheme: light dark; }
body { font: 16px/1.5 sans-serif; margin: 0; }
main { max-width: 860px; margin: auto; padding: 1rem; }
svg { width: 100%; height: auto; margin: .5rem 0; }
table { border-collapse: collapse; } td, th { padding: .15rem .8rem .15rem 0; text-align: left; }
.failed { border-left: 4px solid #d00000; padding-left: .8rem; }
.passed { border-left: 4px solid #009e73; padding-left: .8rem; }
code { overflow-wrap: anywhere; }`

function summary(series: RunSeries, last: RunSample | undefined): string {
  const rows: (readonly [string, string])[] = [
    ['depth', series.depth],
    ['nodes', `${series.nodeCount}${last === undefined ? '' : `, ${last.nodesUp} at the end`}`],
    ['seed', String(series.seed)],
    ['virtual time', `${shortNumber(series.virtualMs / 60_000)} min`],
    ['trace hash', series.traceHash]
  ]
  if (last !== undefined) {
    const { objects, copiesMin, belowGoal, lost } = last.replicas
    rows.push([
      'objects at the end',
      `${objects}; fewest copies ${copiesMin}, ${belowGoal} below their goal, ${lost} lost`
    ])
  }
  const cells = rows.map(
    ([name, value]) => `<tr><th>${escapeText(name)}</th><td>${escapeText(value)}</td></tr>`
  )
  return `<table>${cells.join('')}</table>`
}

function violations(sentences: readonly string[]): string {
  if (sentences.length === 0) return '<p class="passed">Everything that was checked held.</p>'
  const shown = sentences.slice(0, VIOLATIONS_SHOWN_MAX).map((sentence) => `<li>${escapeText(sentence)}</li>`)
  return `<div class="failed"><p>${sentences.length} did not hold:</p><ul>${shown.join('')}</ul></div>`
}

type Pick = (sample: RunSample) => number

function lineOf({ samples }: RunSeries, name: string, pick: Pick): ChartLine {
  return { name, points: samples.map((sample) => [sample.atMs / 60_000, pick(sample)]) }
}

function chart(
  series: RunSeries,
  o: { readonly title: string; readonly yName: string; readonly lines: readonly ChartLine[] }
): string {
  const marks = series.marks.map(({ atMs, what }) => ({ x: atMs / 60_000, what }))
  return renderChart({ ...o, xName: 'virtual minutes', marks })
}

function replicaCharts(series: RunSeries): string[] {
  const line = (name: string, pick: Pick): ChartLine => lineOf(series, name, pick)
  return [
    chart(series, {
      title: 'Copies of an object on nodes that run',
      yName: 'copies',
      lines: [
        line('most', ({ replicas }) => replicas.copies.max),
        line('median', ({ replicas }) => replicas.copies.p50),
        line('fewest', ({ replicas }) => replicas.copiesMin)
      ]
    }),
    chart(series, {
      title: 'Objects with fewer copies than their goal',
      yName: 'objects',
      lines: [
        line('below their goal', ({ replicas }) => replicas.belowGoal),
        line('lost', ({ replicas }) => replicas.lost)
      ]
    }),
    chart(series, {
      title: 'Nodes that run',
      yName: 'nodes',
      lines: [line('nodes', ({ nodesUp }) => nodesUp)]
    })
  ]
}

function lookupCharts(series: RunSeries): string[] {
  const lines = (pick: (sample: RunSample) => Spread): ChartLine[] => [
    lineOf(series, 'median', (sample) => pick(sample).p50),
    lineOf(series, '95 of 100', (sample) => pick(sample).p95),
    lineOf(series, 'longest', (sample) => pick(sample).max)
  ]
  // A line at 0 would say that there were none: not every depth counts them.
  const hasRounds = series.samples.some(({ lookupRounds }) => lookupRounds.count > 0)
  const rounds = {
    title: 'Rounds of a lookup',
    yName: 'rounds',
    lines: lines(({ lookupRounds: spread }) => spread)
  }
  return [
    ...(hasRounds ? [chart(series, rounds)] : []),
    chart(series, { title: 'Time of a lookup', yName: 'ms', lines: lines(({ lookupMs }) => lookupMs) }),
    chart(series, {
      title: 'Lookups that failed',
      yName: 'lookups',
      lines: [lineOf(series, 'failed', ({ lookupsFailed }) => lookupsFailed)]
    })
  ]
}

function bandwidthChart(series: RunSeries): string {
  const totals = new Map<string, number>()
  for (const { bytesByKind } of series.samples) {
    for (const [kind, bytes] of Object.entries(bytesByKind)) totals.set(kind, (totals.get(kind) ?? 0) + bytes)
  }
  const kinds = [...totals].toSorted((a, b) => b[1] - a[1]).map(([kind]) => kind)
  const rest = new Set(kinds.slice(KINDS_MAX))
  const perSecond = (pick: (bytesByKind: RunSample['bytesByKind']) => number): ChartLine['points'] =>
    series.samples.map(({ atMs, bytesByKind }, index) => {
      const tookMs = Math.max(atMs - (series.samples[index - 1]?.atMs ?? 0), 1)
      return [atMs / 60_000, (pick(bytesByKind) / tookMs) * 1_000]
    })
  const lines = kinds
    .slice(0, KINDS_MAX)
    .map((name) => ({ name, points: perSecond((bytes) => bytes[name] ?? 0) }))
  if (rest.size > 0) {
    const others = (bytes: RunSample['bytesByKind']): number =>
      [...rest].reduce((sum, kind) => sum + (bytes[kind] ?? 0), 0)
    lines.push({ name: 'others', points: perSecond(others) })
  }
  return chart(series, { title: 'Bytes by what they were for', yName: 'bytes a second', lines })
}

function mapOf({ holders, nodeCount }: RunSeries): string {
  if (holders.length === 0) return '<p>No objects were replicated.</p>'
  const left = holders.length - MAP_OBJECTS_MAX
  const note = left > 0 ? `<p>${left} more objects, with no fewer copies, are left out.</p>` : ''
  const words =
    'A row for each object, those farthest below their goal first; a column for each node, or for some that share one.'
  return `<p>${words}</p>${renderHoldersMap(holders, nodeCount)}${note}`
}
