import assert from 'node:assert/strict'
import { randomInt } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { runScenario, SCENARIOS, type RunReport } from '#sim'
import { PARTS_PLANTS } from '../../sim/parts/plants.ts'
import { parseRequest } from '../../sim/request.ts'
import { parseScenario } from '../../sim/parse-scenario.ts'
import { createOtherCheckout } from './other-checkout.ts'
import { isFoundBy, runScenarioProcess } from './run-simulation.ts'

/** Fresh seeds each time; what they find goes into seeds.json. */
const FRESH_SEEDS = 2

const done = new Map<string, RunReport>()

/** A change of the nodes changes what a seed leads to: the first one that is known to find a fault need not for ever. */
const PLANT_SEEDS = 12

/** Runs a seed, once. */
async function run(seed: number, plant?: string): Promise<RunReport> {
  const key = `${seed} ${plant ?? ''}`
  const report = done.get(key) ?? (await runAnew(seed, plant))
  done.set(key, report)
  return report
}

async function runAnew(seed: number, plant?: string): Promise<RunReport> {
  const scenario = SCENARIOS['small-churn']
  assert.ok(scenario !== undefined)
  const { report } = await runScenario('small-churn', scenario, { seed, plant })
  return report
}

interface KnownSeed {
  readonly scenario: string
  readonly seed: number
  readonly why: string
  readonly plant?: string
}

const readSeeds = async (name: string): Promise<KnownSeed[]> =>
  JSON.parse(await readFile(join(import.meta.dirname, name), 'utf8')) as KnownSeed[]

describe('our parts over a stub network', function () {
  this.timeout(300_000)
  const fresh = Array.from({ length: FRESH_SEEDS }, () => randomInt(2 ** 32))

  it(`keep all promises with fresh seeds: ${fresh.join(', ')}`, async () => {
    for (const seed of fresh) {
      const report = await run(seed)
      assert.ok(report.isPassed, `${report.failure?.message ?? ''}\nagain: ${report.replay}`)
      const { published = 0, written = 0, revoked = 0, heard = 0, ran = 0, objects = 0 } = report.done
      assert.ok(published > 0 && written > 20 && revoked > 0 && heard > 0, JSON.stringify(report.done))
      assert.ok(ran > 0 && objects > 0, JSON.stringify(report.done))
    }
  })

  it('do the same with the same seed in another checkout, and something else with another seed', async () => {
    await using checkout = await createOtherCheckout()
    const seed = fresh[0] ?? 0
    const [first, other] = [
      await run(seed),
      await runScenarioProcess('small-churn', { seed, isVirtual: false, root: checkout.path })
    ]
    assert.equal(other.traceHash, first.traceHash, `two traces with seed ${seed}`)
    assert.deepEqual(other.done, first.done)
    assert.equal(Object.keys(other).slice(0, -2).at(-1), 'traceHash')
    assert.notEqual((await run(fresh[1] ?? 1)).traceHash, first.traceHash)
  })

  it('pass with every seed that once failed', async () => {
    for (const { scenario, seed, why } of await readSeeds('seeds.json')) {
      if (SCENARIOS[scenario]?.depth !== 'parts') continue
      const report = await run(seed)
      assert.ok(report.isPassed, `seed ${seed} fails again (${why}): ${report.failure?.message ?? ''}`)
    }
  })
})

describe('the checkers', function () {
  this.timeout(300_000)

  it('have a planted fault each', () => {
    const found = Object.values(PARTS_PLANTS).map(({ finds }) => finds)
    assert.deepEqual(found.toSorted(), [
      'code',
      'grants',
      'messages',
      'names',
      'queues',
      'replicas',
      'writes'
    ])
  })

  for (const [plant, { finds }] of Object.entries(PARTS_PLANTS)) {
    it(`find ${plant}`, async () => {
      // test/long/sim-plants.long.ts looks for such seeds among 200 fresh ones
      const known = (await readSeeds('planted.json')).find((one) => one.plant === plant)
      assert.ok(known !== undefined)
      for (let seed = known.seed; seed < known.seed + PLANT_SEEDS; seed++) {
        const report = await run(seed, plant)
        if (!isFoundBy(finds, report)) continue
        const { failure, replay } = report
        assert.equal(failure?.code, 'ERR_SIM_INVARIANT')
        assert.ok(replay.endsWith(`--seed ${seed} --plant ${plant}`), replay)
        return
      }
      assert.fail(`expected ${finds} to find ${plant} within ${PLANT_SEEDS} seeds`)
    })
  }
})

describe('scenarios', () => {
  it('that come with the program can be written as JSON', () => {
    for (const scenario of Object.values(SCENARIOS)) {
      if (scenario.depth === 'full') continue
      assert.deepEqual(parseScenario(JSON.stringify(scenario)), scenario)
    }
  })

  it('of somebody else are refused with what is wrong, and where', () => {
    const valid = { about: 'two', depth: 'parts', nodes: 2, duration: '1m', happens: [] as object[] }
    const wrong = (scenario: object, sentence: RegExp): void => {
      const refuse = (): unknown => parseScenario(JSON.stringify(scenario))
      assert.throws(refuse, { code: 'ERR_SIM_SCENARIO', message: sentence })
    }
    const join = { at: '0s', do: 'join', within: '1s' }
    wrong({ ...valid, happens: [{ ...join, within: 'soon' }] }, /happens\.0\.within: .*got soon/)
    wrong({ ...valid, happens: [{ ...join, do: 'explode' }] }, /happens\.0/)
    wrong({ ...valid, happens: [join], nodes: 1e9 }, /nodes/)
    wrong({ ...valid, happens: [join], depth: 'full' }, /depth/)
    wrong({ ...valid, happens: [join], holds: ['luck'] }, /holds/)
    wrong({ ...valid, happens: [join], more: 1 }, /more/)
    assert.throws(() => parseScenario('{'), { code: 'ERR_SIM_SCENARIO' })
    assert.throws(() => parseScenario(' '.repeat(100_000)), { code: 'ERR_SIM_SCENARIO' })
    assert.equal(parseScenario(JSON.stringify({ ...valid, happens: [join] })).nodes, 2)
  })

  it('and requests to run them are checked', () => {
    const files = { 'mine.json': JSON.stringify(SCENARIOS['churn']) }
    const readText = (path: string): string => {
      if (path in files) return files['mine.json']
      throw new Error('ENOENT')
    }
    const request = parseRequest('mine.json', { nodes: '7', seeds: '3', duration: '90s' }, readText)
    assert.equal(request.nodeCount, 7)
    assert.equal(request.seedCount, 3)
    assert.equal(request.durationMs, 90_000)
    const refused = (name: string, options: Parameters<typeof parseRequest>[1], code: string): void => {
      assert.throws(() => parseRequest(name, options, readText), { code })
    }
    refused('nothing', {}, 'ERR_SIM_UNKNOWN')
    refused('absent.json', {}, 'ERR_SIM_UNKNOWN')
    refused('constructor', {}, 'ERR_SIM_UNKNOWN')
    refused('churn', { seed: '-1' }, 'ERR_SIM_SEED')
    refused('churn', { seed: String(2 ** 32) }, 'ERR_SIM_SEED')
    refused('churn', { seeds: '0' }, 'ERR_SIM_SEED')
    refused('churn', { nodes: '100000' }, 'ERR_SIM_NODES')
    refused('meet-and-fetch', { nodes: '201' }, 'ERR_SIM_NODES')
    refused('churn', { duration: 'long' }, 'ERR_SIM_OPTION')
  })
})
