import assert from 'node:assert/strict'
import { median, reaches, runBenchmark, type Benchmark } from '../../../bench/harness.ts'

describe('the benchmark harness', () => {
  it('measures both sides alternately, gives medians, and closes what was opened', async () => {
    const log: string[] = []
    const result = await runBenchmark(
      benchmarkOf({ better: 'lower', log, ours: [0, 10, 30, 20], baseline: [0, 40, 80, 60] })
    )
    assert.deepEqual(result, {
      name: 'test',
      unit: 'ms',
      ours: 20,
      baselineName: 'theirs',
      baseline: 60,
      speedup: 3,
      runs: 3
    })
    // The first of each is not counted; after it the first of a pair changes.
    assert.equal(log.join(' '), 'theirs ours ours theirs theirs ours ours theirs closed')
  })

  it('takes more for better where more is better', async () => {
    const result = await runBenchmark(
      benchmarkOf({ better: 'higher', log: [], ours: [0, 300, 300, 300], baseline: [0, 100, 100, 100] })
    )
    assert.equal(result.speedup, 3)
  })

  it('compares each run with its neighbour where the machine drifts by more than both differ', async () => {
    const result = await runBenchmark({
      ...benchmarkOf({ better: 'lower', log: [], ours: [0, 100, 50, 10], baseline: [0, 90, 10, 9] }),
      compare: 'pairs'
    })
    // 0.9, 0.2 and 0.9 ×; the medians alone would say 10 / 50.
    assert.equal(result.speedup, 0.9)
    assert.deepEqual(result.speedupQuartiles, [0.55, 0.9])
    assert.deepEqual([result.ours, result.baseline], [50, 10])
  })

  it('compares with the target', async () => {
    const result = { name: '', unit: '', ours: 90, baselineName: '', baseline: 45, speedup: 0.5, runs: 1 }
    assert.equal(reaches(result, undefined), undefined)
    assert.equal(reaches(result, { oursMax: 100 }), true)
    assert.equal(reaches(result, { oursMax: 89 }), false)
    assert.equal(reaches(result, { speedupMin: 0.6 }), false)
  })

  it('has a median for odd and even numbers of measurements, and for none a refusal', () => {
    assert.equal(median([3, 1, 2]), 2)
    assert.equal(median([4, 1, 2, 3]), 2.5)
    assert.throws(() => median([]), RangeError)
  })
})

function benchmarkOf(o: {
  better: Benchmark['better']
  log: string[]
  ours: number[]
  baseline: number[]
}): Benchmark {
  const take = (name: string, values: number[]) => () => {
    o.log.push(name)
    return Promise.resolve(values.shift() ?? NaN)
  }
  return {
    name: 'test',
    unit: 'ms',
    better: o.better,
    baselineName: 'theirs',
    runs: 3,
    open: () =>
      Promise.resolve({
        ours: take('ours', o.ours),
        baseline: take('theirs', o.baseline),
        [Symbol.asyncDispose]: () => {
          o.log.push('closed')
          return Promise.resolve()
        }
      })
  }
}
