import assert from 'node:assert/strict'
import type { CliContext } from '../../../cli/context.ts'
import { showRuns } from '../../../cli/simulation.ts'
import type { Simulator } from '../../../cli/simulator/powers.ts'

const BEGUN = { event: 'seed', seed: 7 }
const REPORT = {
  ...{ scenario: 'churn', depth: 'parts', seed: 7, nodeCount: 5, isPassed: true, events: 9, payloads: 9 },
  ...{ done: {}, virtualMs: 1000, realMs: 1, replay: 'elastos sim replay churn --seed 7', traceHash: 'ab' }
}

async function exitCodeOf(code: number | null, lines: readonly object[]): Promise<number> {
  const stream = { write: async () => await Promise.resolve(), isTerminal: false, columns: 80, rows: 24 }
  const context = {
    ...{ stdout: stream, stderr: stream, json: true, workingFolder: '/' },
    signal: new AbortController().signal
  } as unknown as CliContext
  const start = (): Simulator => ({
    lines: (async function* () {
      for (const line of lines) yield await Promise.resolve(JSON.stringify(line))
    })(),
    ended: Promise.resolve(code),
    errorText: () => 'TypeError: nobody caught it',
    [Symbol.asyncDispose]: async () => await Promise.resolve()
  })
  return await showRuns(context, ['run', 'churn'], { showsTail: false, start })
}

describe('runs of the simulator', () => {
  it('pass or fail as it says', async () => {
    assert.equal(await exitCodeOf(0, [BEGUN, REPORT]), 0)
    assert.equal(await exitCodeOf(1, [BEGUN, REPORT, BEGUN, { ...REPORT, isPassed: false }]), 1)
  })

  it('have not passed when it broke off', async () => {
    const broken = { code: 'ERR_SIMULATOR_ENDED', message: /nobody caught it/ }
    await assert.rejects(exitCodeOf(1, [BEGUN]), broken)
    await assert.rejects(exitCodeOf(1, [BEGUN, REPORT, BEGUN]), broken)
    await assert.rejects(exitCodeOf(0, [BEGUN]), broken)
    await assert.rejects(exitCodeOf(null, [BEGUN, REPORT]), broken)
  })
})
