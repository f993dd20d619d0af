import assert from 'node:assert/strict'
import { createRandomSource, deriveSeed } from '../../sim/random-source.ts'

describe('a random source', () => {
  it('gives the same for the same seed, whatever it is asked for, and begins anew when reseeded', () => {
    const source = createRandomSource(7)
    const same = createRandomSource(7)
    const first = [source.unit(), ...source.bytes(5), source.uint32()]
    assert.deepEqual([same.unit(), ...same.bytes(5), same.uint32()], first)
    source.reseed(7)
    assert.equal(source.unit(), first[0])
    assert.notEqual(createRandomSource(8).unit(), first[0])
  })

  it('is spread evenly', () => {
    const source = createRandomSource(1)
    const counts = new Uint32Array(256)
    for (const byte of source.bytes(256 * 1_000)) counts[byte] = (counts[byte] ?? 0) + 1
    // 1,000 expected; 6 standard deviations
    for (const [byte, count] of counts.entries())
      assert.ok(Math.abs(count - 1_000) < 190, `${byte}: ${count}`)
    const picks = new Set(Array.from({ length: 100 }, () => source.pick(['a', 'b', 'c'])))
    assert.deepEqual([...picks].toSorted(), ['a', 'b', 'c'])
    assert.throws(() => source.pick([]), RangeError)
  })

  it('derives seeds that differ by every word', () => {
    const seeds = [
      deriveSeed(1),
      deriveSeed(2),
      deriveSeed(1, 'a'),
      deriveSeed(1, 'ab', 'c'),
      deriveSeed(1, 'a', 'bc')
    ]
    assert.equal(new Set(seeds).size, seeds.length)
    assert.equal(deriveSeed(1, 'a'), deriveSeed(1, 'a'))
  })
})
