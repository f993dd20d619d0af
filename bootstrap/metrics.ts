import { METRIC_SERIES_MAX } from './constants.ts'
import { BootstrapError } from './errors.ts'

/** Labels of one series. Never a did, an address or anything else a stranger can make many of. */
export type MetricLabels = Readonly<Record<string, string>>

/** What a metric is called and about. */
export interface MetricInit {
  /** Such as `elastos_peers_connected`; a counter's ends with `_total`. */
  readonly name: string
  /** One sentence. */
  readonly help: string
}

/** A number that only rises. */
export interface Counter {
  /** Adds `amount`, 1 when absent, to the series with these labels. */
  add(labels?: MetricLabels, amount?: number): void
}

/** Counters and gauges, and their text for Prometheus. */
export interface Metrics {
  /** A new counter. @throws BootstrapError `ERR_METRIC_INVALID` when the name is none or is taken */
  counter(init: MetricInit): Counter
  /** A new gauge whose value is asked for at each scrape. @throws BootstrapError `ERR_METRIC_INVALID` */
  gauge(init: MetricInit, read: () => number): void
  /**
   * Every metric in the Prometheus text format 0.0.4.
   *
   * @see https://prometheus.io/docs/instrumenting/exposition_formats/
   */
  text(): string
}

interface Metric extends MetricInit {
  readonly type: 'counter' | 'gauge'
  readonly series: () => Iterable<[string, number]>
}

/** An empty set of metrics. */
export function createMetrics(): Metrics {
  const metrics = new Map<string, Metric>()
  const register = (metric: Metric): void => {
    if (!/^[a-zA-Z_:][a-zA-Z0-9_:]*$/.test(metric.name) || metrics.has(metric.name)) {
      throw new BootstrapError(
        'ERR_METRIC_INVALID',
        `expected a new metric name, got ${JSON.stringify(metric.name)}`
      )
    }
    metrics.set(metric.name, metric)
  }
  return {
    counter: (init) => {
      const series = new Map<string, number>()
      register({ ...init, type: 'counter', series: () => series })
      return {
        add: (labels = {}, amount = 1) => {
          const key = labelText(labels)
          if (!series.has(key) && series.size >= METRIC_SERIES_MAX) return
          series.set(key, (series.get(key) ?? 0) + amount)
        }
      }
    },
    gauge: (init, read) => {
      register({ ...init, type: 'gauge', series: () => [['', read()]] })
    },
    text: () => [...metrics.values()].map(metricText).join('')
  }
}

function metricText({ name, help, type, series }: Metric): string {
  const samples = [...series()].map(([labels, value]) => `${name}${labels} ${numberText(value)}\n`)
  return `# HELP ${name} ${escaped(help)}\n# TYPE ${name} ${type}\n${samples.join('')}`
}

function numberText(value: number): string {
  if (Number.isNaN(value)) return 'NaN'
  if (!Number.isFinite(value)) return value > 0 ? '+Inf' : '-Inf'
  return String(value)
}

function labelText(labels: MetricLabels): string {
  const names = Object.keys(labels).sort()
  if (names.length === 0) return ''
  const pairs = names.map((name) => {
    if (!/^[a-zA-Z_][a-zA-Z0-9_]*$/.test(name)) {
      throw new BootstrapError('ERR_METRIC_INVALID', `expected a label name, got ${JSON.stringify(name)}`)
    }
    return `${name}="${escaped(labels[name] ?? '').replaceAll('"', '\\"')}"`
  })
  return `{${pairs.join(',')}}`
}

function escaped(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')
}
