import assert from 'node:assert/strict'
import { runVirtual } from './run-simulation.ts'

describe('a simulation', function () {
  this.timeout(120_000)

  it('refuses a process whose time is real', async () => {
    const run = await runVirtual('sim/main.ts', { args: ['meet-and-fetch'], seed: 1, isVirtual: false })
    assert.equal(run.code, 1)
    assert.match(run.stderr, /expected a process started with: node --import .\/sim\/preload.ts/)
  })

  it('says what there is when it is asked for something else', async () => {
    const run = await runVirtual('sim/main.ts', { args: ['nothing'] })
    assert.equal(run.code, 2)
    assert.match(run.stderr, /scenarios: meet-and-fetch: /)
  })

  it('refuses what it cannot simulate, counts silence as a failure, and passes a day in no time', async () => {
    const run = await runVirtual('test/sim/lone-node.ts')
    assert.equal(run.code, 0, run.stderr)
    const { refusals, passedMs } = JSON.parse(run.stdout) as {
      refusals: [code: string, message: string][]
      passedMs: number
    }
    const codes = refusals.map(([code]) => code)
    assert.deepEqual(codes, [
      ...['ERR_SIM_OPTION', 'ERR_SIM_OPTION', 'ERR_SIM_OPTION'],
      ...['ERR_SIM_INVARIANT', 'ERR_SIM_USED', 'ERR_SIM_STUCK', 'ERR_SIM_BUSY']
    ])
    assert.match(refusals[3]?.[1] ?? '', /nothing travelled/)
    assert.equal(passedMs, 86_400_000 + 1_000 + 1)
  })
})
