import assert from 'node:assert/strict'
import fc from 'fast-check'
import { renderChart } from '../../../sim/report/chart.ts'
import { escapeText } from '../../../sim/report/escape.ts'
import { renderReport } from '../../../sim/report/index.ts'
import { spreadOf, type RunSample, type RunSeries } from '../../../sim/series.ts'

const HOSTILE = `</title></text><script>alert('1')</script><img src=x onerror="alert(2)">&amp;\u202e\u0000`

function sampleAt(minute: number): RunSample {
  return {
    atMs: minute * 60_000,
    nodesUp: 97 + (minute % 3),
    replicas: {
      objects: 40,
      copies: spreadOf([4, 5, 5, 6]),
      copiesMin: 4,
      belowGoal: minute === 5 ? 37 : 1,
      lost: 0
    },
    lookupRounds: spreadOf([2, 3, 3]),
    lookupMs: spreadOf([120, 340]),
    lookupsFailed: 0,
    bytesByKind: { dht: 6_000 * minute, replication: 600_000, [HOSTILE]: 12 },
    messages: 300
  }
}

function seriesOf(name: string): RunSeries {
  return {
    scenario: name,
    depth: 'parts',
    seed: 4711,
    nodeCount: 100,
    virtualMs: 600_000,
    traceHash: name,
    samples: Array.from({ length: 10 }, (_, minute) => sampleAt(minute + 1)),
    marks: [{ atMs: 300_000, what: name }],
    holders: [
      { object: name, bytes: 1_000, goal: 5, holders: [1, 2, 3, 99] },
      { object: 'whole', bytes: 2_000, goal: 2, holders: [4, 5] }
    ],
    violations: [name]
  }
}

/** The elements of a page, checked to be closed in order; what is in quotes or between elements is left out. */
function parse(page: string): { readonly elements: string[]; readonly attributes: string[] } {
  const voids = new Set(['meta'])
  const open: string[] = []
  const elements: string[] = []
  const attributes: string[] = []
  const tag = /<(\/?)([a-z][a-z0-9]*)((?:\s+[a-zA-Z0-9:-]+="[^"<>]*")*)\s*(\/?)>|<!doctype html>|[<>]/g
  for (const [whole, closing, name = '', rest = '', self] of page
    .replace(/<style>[^<]*<\/style>/, '')
    .matchAll(tag)) {
    if (whole === '<!doctype html>') continue
    assert.notEqual(whole.length, 1, `a stray ${whole}`)
    if (closing === '/') assert.equal(open.pop(), name)
    else if (self !== '/' && !voids.has(name)) open.push(name)
    if (closing === '') elements.push(name)
    attributes.push(...Array.from(rest.matchAll(/([a-zA-Z0-9:-]+)="/g), ([, attribute = '']) => attribute))
  }
  assert.deepEqual(open, [])
  return { elements, attributes }
}

describe('the report of a run', () => {
  it('is a page with each picture and the figures', () => {
    const page = renderReport(seriesOf('churn'))
    const { elements } = parse(page)
    assert.equal(elements.filter((name) => name === 'svg').length, 8)
    for (const figure of [
      '4711',
      'churn',
      '40; fewest copies 4, 1 below their goal, 0 lost',
      '4/5',
      '2/2',
      'replication'
    ]) {
      assert.ok(page.includes(figure), figure)
    }
    // 600,000 bytes in a minute
    const line = /<polyline points="([^"]*)"[^>]*><title>replication</.exec(page)?.[1]?.split(' ')
    assert.equal(line?.length, 10)
  })

  it('loads nothing, runs nothing, and shows hostile names as text', () => {
    const { elements, attributes } = parse(renderReport(seriesOf(HOSTILE)))
    const allowed =
      'html head meta title style body main h1 h2 table tr th td p div ul li section svg g text line polyline rect'
    assert.deepEqual(
      [...new Set(elements)].filter((name) => !allowed.split(' ').includes(name)),
      []
    )
    assert.deepEqual(
      attributes.filter((name) => /^(on|src|href|style$|xlink)/.test(name)),
      []
    )
    const page = renderReport(seriesOf(HOSTILE))
    assert.ok(page.includes('&lt;script&gt;'))
    assert.ok(!page.includes('\u0000'))
    assert.doesNotMatch(page, /\p{Bidi_Control}|https?:\/\/(?!www\.w3\.org\/2000\/svg)/u)
  })

  it('holds for whatever is measured, nothing at all included', () => {
    const empty = { ...seriesOf('empty'), samples: [], holders: [], marks: [], violations: [] }
    parse(renderReport(empty))
    fc.assert(
      fc.property(fc.string(), fc.array(fc.tuple(fc.double(), fc.double())), (name, points) => {
        const chart = renderChart({ title: name, xName: name, yName: name, lines: [{ name, points }] })
        parse(chart)
        assert.doesNotMatch(chart, /NaN|Infinity/)
      })
    )
  })

  it('shows no rounds of lookups where nobody counted them', () => {
    const series = seriesOf('churn')
    const uncounted = series.samples.map((sample) => ({ ...sample, lookupRounds: spreadOf([]) }))
    assert.match(renderReport(series), /Rounds of a lookup/)
    assert.doesNotMatch(renderReport({ ...series, samples: uncounted }), /Rounds of a lookup/)
  })

  it('cuts long text', () => {
    assert.ok(escapeText('x'.repeat(10_000)).length < 300)
  })
})
