import assert from 'node:assert/strict'
import { createRate } from '#contracts'

describe('createRate', () => {
  it('lets each name have a few at once and then one in a while, and remembers a bounded number', () => {
    let nowMs = 0
    const rate = createRate({ monotonicMs: () => nowMs }, { burst: 2, everyMs: 10, namesMax: 2 })
    const taken = (...names: string[]): boolean[] => names.map(rate)
    assert.deepEqual(taken('a', 'a', 'a', 'b'), [true, true, false, true])
    nowMs = 9
    assert.deepEqual(taken('a'), [false])
    nowMs = 10
    assert.deepEqual(taken('a', 'a'), [true, false])
    nowMs = 1_000
    assert.deepEqual(taken('b', 'b', 'b'), [true, true, false], 'a pause gives no more than a burst')
    // the third name takes the place of the one that had something longest ago
    assert.deepEqual(taken('c', 'b'), [true, false])
    assert.deepEqual(taken('a', 'b'), [true, true])
  })
})
