import assert from 'node:assert/strict'
import { runScenario } from '#sim'
import type { PartsScenario } from '../../../sim/scenario.ts'

const ALONE: PartsScenario = {
  ...{ about: 'one', depth: 'parts', nodes: 1, seeds: 1, duration: '1s' },
  happens: [{ at: '0s', do: 'join', within: '1s' }]
}

describe('a simulation of our parts', () => {
  it('in which nothing travels has failed, whatever its scenario wants to hold', async () => {
    for (const holds of [['writes'], []] as const) {
      const { report, series } = await runScenario('alone', { ...ALONE, holds }, { seed: 1 })
      assert.equal(report.payloads, 0)
      assert.equal(report.isPassed, false)
      assert.match(report.failure?.message ?? '', /nothing travelled/)
      assert.deepEqual(series.violations, ['nothing travelled: nothing was simulated'])
    }
  })

  it('shows the lookups that failed', async () => {
    const happens: PartsScenario['happens'] = [
      { at: '0s', do: 'join', within: '1s' },
      { at: '20s', do: 'cut', share: 1, for: '10m' },
      { at: '3s', do: 'search', every: '1s' }
    ]
    const { report, series } = await runScenario(
      'cut off',
      { ...ALONE, nodes: 2, duration: '5m', happens },
      { seed: 1 }
    )
    const { lookups = 0 } = report.done
    const shown = series.samples.reduce((sum, { lookupsFailed }) => sum + lookupsFailed, 0)
    assert.ok(shown > 0 && shown <= lookups, `${shown} of ${lookups}`)
  })

  it('shows in how many rounds lookups ended, each of which takes there and back', async () => {
    const happens: PartsScenario['happens'] = [
      { at: '0s', do: 'join', within: '1s' },
      { at: '30s', do: 'search', every: '1s' }
    ]
    const network = { latencyMs: { min: 50, max: 50 } }
    const scenario = { ...ALONE, nodes: 30, duration: '1m', happens, network } as const
    const { series } = await runScenario('search', scenario, { seed: 1 })
    const ended = series.samples.filter(({ lookupRounds }) => lookupRounds.count === 1)
    assert.ok(ended.length > 20, String(ended.length))
    for (const { lookupRounds, lookupMs } of ended) {
      assert.ok(lookupRounds.max >= 1 && lookupMs.max >= 100 * lookupRounds.max, JSON.stringify(lookupRounds))
    }
  })

  it('goes on releasing when the power of the publisher failed in the middle of it', async () => {
    const happens: PartsScenario['happens'] = [
      { at: '0s', do: 'join', within: '1s' },
      { at: '30s', do: 'release', every: '30s', share: 0 },
      { at: '60005ms', do: 'crash', who: 'seeds', for: '5s' }
    ]
    const { report } = await runScenario(
      'release',
      { ...ALONE, nodes: 5, duration: '150s', happens },
      { seed: 1 }
    )
    assert.equal(report.done['released'], 5, JSON.stringify(report.done))
  })

  it('has no more nodes than it may, however many steps add some', async () => {
    const join = { at: '0s', do: 'join', nodes: 2_000, within: '100d' } as const
    const happens = [join, join, join]
    await assert.rejects(runScenario('many', { ...ALONE, happens }, { seed: 1 }), { code: 'ERR_SIM_NODES' })
  })
})
