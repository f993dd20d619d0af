import assert from 'node:assert/strict'
import { createMetrics } from '#bootstrap'

describe('metrics', () => {
  it('are the text that Prometheus reads', () => {
    const metrics = createMetrics()
    const requests = metrics.counter({ name: 'requests_total', help: 'Requests, by status.' })
    metrics.gauge({ name: 'peers', help: 'Peers \\ now\nand here.' }, () => 3)
    requests.add({ status: '200' })
    requests.add({ status: '200' }, 2)
    requests.add({ status: '404', path: 'a"b\\c\nd' })
    requests.add()
    assert.equal(
      metrics.text(),
      [
        '# HELP requests_total Requests, by status.',
        '# TYPE requests_total counter',
        'requests_total{status="200"} 3',
        'requests_total{path="a\\"b\\\\c\\nd",status="404"} 1',
        'requests_total 1',
        '# HELP peers Peers \\\\ now\\nand here.',
        '# TYPE peers gauge',
        'peers 3',
        ''
      ].join('\n')
    )
  })

  it('ask a gauge at each scrape and write what is no finite number', () => {
    const metrics = createMetrics()
    const values = [1, Number.NaN, Infinity, -Infinity]
    metrics.gauge({ name: 'g', help: 'h' }, () => values.shift() ?? 0)
    const lines = [1, 2, 3, 4].map(() => metrics.text().split('\n')[2])
    assert.deepEqual(lines, ['g 1', 'g NaN', 'g +Inf', 'g -Inf'])
  })

  it('refuse names that are none, and a name twice', () => {
    const metrics = createMetrics()
    const counter = metrics.counter({ name: 'a', help: '' })
    assert.throws(() => metrics.counter({ name: 'a', help: '' }), { code: 'ERR_METRIC_INVALID' })
    assert.throws(() => metrics.gauge({ name: '1a', help: '' }, () => 1), { code: 'ERR_METRIC_INVALID' })
    assert.throws(() => counter.add({ 'a-b': 'x' }), { code: 'ERR_METRIC_INVALID' })
  })

  it('do not grow with what strangers send', () => {
    const metrics = createMetrics()
    const counter = metrics.counter({ name: 'a', help: '' })
    for (let i = 0; i < 10_000; i++) counter.add({ from: String(i) })
    assert.equal(metrics.text().split('\n').length, 2 + 64 + 1)
  })
})
