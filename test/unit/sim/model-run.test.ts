import assert from 'node:assert/strict'
import { runScenario, type ModelScenario } from '#sim'
import { renderReport } from '../../../sim/report/index.ts'

const SMALL: ModelScenario = {
  about: 'two hundred, half of whom leave within half an hour',
  depth: 'model',
  nodes: 200,
  duration: '20m',
  happens: [
    { at: '0s', do: 'join', within: '2m' },
    { at: '0s', do: 'churn', halfLife: '30m' },
    { at: '5m', do: 'keep', objects: 20, bytes: 1_000_000, goal: 3 },
    { at: '6m', do: 'search', every: '2s' }
  ]
}

describe('a scenario of the model', () => {
  it('gives the report and the page of the other depths', async () => {
    const { report, series } = await runScenario('small', SMALL, { seed: 7 })
    assert.equal(report.failure?.message, undefined)
    assert.equal(Object.keys(report).at(-1), 'traceHash')
    assert.match(report.traceHash, /^[0-9a-f]{64}$/)
    const { lookups = 0, died = 0, joined = 0, repairs = 0 } = report.done
    const { 'lookups wanted': wanted = 0, 'lookups found': found = 0 } = report.done
    assert.ok(
      lookups > 300 && died > 10 && joined >= 200 + died - 5 && repairs > 0,
      JSON.stringify(report.done)
    )
    assert.ok(found / wanted > 0.95, JSON.stringify(report.done))
    const last = series.samples.at(-1)
    assert.equal(last?.atMs, 20 * 60_000)
    assert.deepEqual([last.replicas.objects, last.replicas.lost], [20, 0])
    assert.ok(series.samples.some(({ lookupRounds }) => lookupRounds.p50 > 0))
    assert.equal(series.holders.length, 20)
    assert.deepEqual(
      series.marks.map(({ what }) => what),
      [
        '200 nodes join',
        'nodes come and go, half of them within 30m',
        '20 objects with a goal of 3',
        'searches begin'
      ]
    )
    const page = renderReport(series)
    for (const title of ['Rounds of a lookup', 'Copies of an object', report.traceHash]) {
      assert.ok(page.includes(title), title)
    }
  })

  it('does the same again for the same seed, and something else for another', async () => {
    const hash = async (seed: number): Promise<string> =>
      (await runScenario('small', SMALL, { seed, durationMs: 8 * 60_000 })).report.traceHash
    assert.equal(await hash(1), await hash(1))
    assert.notEqual(await hash(1), await hash(2))
  })

  it('has failed when something is lost, or nothing happened', async () => {
    const [join] = SMALL.happens
    assert.ok(join !== undefined)
    const keep = { at: '1m', do: 'keep', objects: 20, bytes: 1_000, goal: 1 } as const
    const brief = { at: '0s', do: 'churn', halfLife: '1m' } as const
    const lossy = await runScenario('lossy', { ...SMALL, happens: [join, brief, keep] }, { seed: 1 })
    assert.match(lossy.report.failure?.message ?? '', /objects are held by nobody/)
    const alone = await runScenario('alone', { ...SMALL, nodes: 1, happens: [join] }, { seed: 1 })
    assert.match(alone.report.failure?.message ?? '', /nothing travelled/)
  })

  it('refuses what the model does not know', async () => {
    const [join, ...others] = SMALL.happens
    assert.ok(join !== undefined)
    const refused = async (
      scenario: Partial<ModelScenario>,
      code: string,
      run: { plant?: string } = {}
    ): Promise<void> => {
      await assert.rejects(runScenario('wrong', { ...SMALL, ...scenario }, { seed: 1, ...run }), { code })
    }
    await refused({ happens: others }, 'ERR_SIM_SCENARIO')
    await refused({ happens: [join, join] }, 'ERR_SIM_SCENARIO')
    await refused({ happens: [{ ...join, at: '1s' }] }, 'ERR_SIM_SCENARIO')
    await refused({ happens: [join, { at: '1s', do: 'search', every: '1ms' }] }, 'ERR_SIM_SCENARIO')
    await refused({ duration: '11d' }, 'ERR_SIM_SCENARIO')
    await refused({}, 'ERR_SIM_OPTION', { plant: 'endless-memory' })
  })
})
