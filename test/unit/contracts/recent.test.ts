import assert from 'node:assert/strict'
import { createRecent } from '#contracts'

describe('createRecent', () => {
  const filled = (count: number): ReturnType<typeof createRecent<number>> => {
    const recent = createRecent<number>(10)
    for (let index = 0; index < count; index++) recent.set(`key ${index}`, index)
    return recent
  }
  const kept = (recent: ReturnType<typeof createRecent<number>>, count: number): number[] =>
    Array.from({ length: count }, (_, index) => recent.get(`key ${index}`)).filter((one) => one !== undefined)

  it('remembers the last half of what it may at least, and never more than it may', () => {
    for (let count = 0; count < 60; count++) {
      const recent = filled(count)
      const last = Array.from({ length: Math.min(5, count) }, (_, index) => count - 1 - index)
      // looking changes what is remembered: in another one
      for (const index of last) assert.equal(filled(count).get(`key ${index}`), index)
      assert.ok(kept(recent, count).length <= 10)
    }
  })

  it('remembers what is read again and again, whatever else comes', () => {
    const recent = filled(1)
    for (let index = 1; index < 1_000; index++) {
      recent.set(`key ${index}`, index)
      assert.equal(recent.get('key 0'), 0)
    }
  })

  it('gives the value that was set last, also when an older one was passed on', () => {
    const recent = filled(6)
    recent.set('key 0', 100)
    assert.equal(recent.get('key 0'), 100)
    for (let index = 10; index < 14; index++) recent.set(`key ${index}`, index)
    assert.equal(recent.get('key 0'), 100)
  })
})
