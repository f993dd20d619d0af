import assert from 'node:assert/strict'
import { randomInt } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createOtherCheckout } from './other-checkout.ts'
import { runScenarioProcess } from './run-simulation.ts'

/** Enough for every step of the scenario, and few enough for several runs. */
const FEW_NODES = 5

function chosenSeed(): number {
  const given = process.env['SIM_SEED']
  return given === undefined ? randomInt(2 ** 32) : Number(given)
}

describe('nodes that know only a seed meet and fetch', function () {
  this.timeout(300_000)
  const seed = chosenSeed()

  it(`20 nodes, SIM_SEED=${seed}: fetch, refuse what is private, part, come back and talk`, async () => {
    const report = await runScenarioProcess('meet-and-fetch', { seed })
    assert.ok(report.isPassed, report.stderr)
    assert.equal(report.code, 0)
    assert.equal(report.nodeCount, 20)
    assert.ok(report.payloads > 1_000, 'hardly anything travelled: nothing was simulated')
    const { dhtStreams = 0, contentStreams = 0, fetched = 0, heard = 0 } = report.done
    assert.ok(dhtStreams > 0 && contentStreams > 0, JSON.stringify(report.done))
    // two before the cut, one beside it and one after; three things said
    assert.ok(fetched >= 4 && heard >= 3, JSON.stringify(report.done))
  })

  it('does the same with the same seed in two checkouts, and something else with another seed', async () => {
    await using other = await createOtherCheckout()
    // at the same time, so that they come in each other's way: real time must not matter
    const [first, again] = await Promise.all([
      runScenarioProcess('meet-and-fetch', { seed, nodes: FEW_NODES }),
      runScenarioProcess('meet-and-fetch', { seed, nodes: FEW_NODES, root: other.path })
    ])
    assert.ok(first.isPassed, first.stderr)
    assert.equal(again.traceHash, first.traceHash, `two traces with seed ${seed}`)
    assert.deepEqual([again.events, again.virtualMs], [first.events, first.virtualMs])
    const another = await runScenarioProcess('meet-and-fetch', { seed: (seed + 1) >>> 0, nodes: FEW_NODES })
    assert.notEqual(another.traceHash, first.traceHash)
  })

  it('finds a node that serves what is private, and says how to see it again', async () => {
    const report = await runScenarioProcess('meet-and-fetch', {
      ...{ seed, nodes: FEW_NODES },
      plant: 'open-serving'
    })
    assert.equal(report.code, 1)
    assert.equal(report.failure?.code, 'ERR_SIM_INVARIANT')
    assert.match(report.failure.message, /node \d got the private bafy/)
    assert.match(report.failure.message, /node \d would serve the private bafy/)
    const again = `elastos sim replay meet-and-fetch --seed ${seed} --nodes ${FEW_NODES} --plant open-serving`
    assert.equal(report.replay, again)
  })

  it('passes with every seed that once failed', async () => {
    const text = await readFile(join(import.meta.dirname, 'seeds.json'), 'utf8')
    const corpus = JSON.parse(text) as { scenario: string; seed: number; nodes: number; why: string }[]
    for (const { scenario, seed: once, nodes, why } of corpus) {
      if (scenario !== 'meet-and-fetch') continue
      const report = await runScenarioProcess(scenario, { seed: once, nodes })
      assert.ok(report.isPassed, `seed ${once} fails again (${why}):\n${report.stderr}`)
    }
  })
})
