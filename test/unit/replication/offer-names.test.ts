import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { bytesOfNames, NameIndex, nameOf } from '../../../replication/offer-names.ts'

describe('names of offers', () => {
  const digestOf = (text: string): Buffer => createHash('sha256').update(text).digest()

  it('are the first eight bytes of a hash, and are found among thousands', () => {
    const named = (index: number): { high: number; low: number; index: number } => ({
      ...nameOf(digestOf(`offer ${index}`).toString('latin1')),
      index
    })
    const index = new NameIndex<ReturnType<typeof named>>()
    const all = Array.from({ length: 4_000 }, (_, at) => named(at))
    for (const one of all.slice(0, 3_000)) index.add(one)
    assert.equal(index.size, 3_000)
    const names = bytesOfNames(all)
    assert.deepEqual(names.subarray(8, 16), Uint8Array.from(digestOf('offer 1').subarray(0, 8)))
    const found = all.map(({ high, low }) => index.get({ high, low })?.index)
    assert.deepEqual(found.slice(0, 3_000), [...all.keys()].slice(0, 3_000))
    assert.ok(found.slice(3_000).every((one) => one === undefined))
    for (const one of all.slice(0, 2_999)) index.delete(one)
    assert.equal(index.size, 1)
    assert.equal(all.filter((one) => index.get(one) !== undefined).length, 1)
  })

  it('that begin alike are told apart', () => {
    const index = new NameIndex<{ high: number; low: number }>()
    const three = [1, -2, 3].map((low) => ({ high: -5, low }))
    const [first, second, third] = three
    assert.ok(first && second && third)
    for (const one of three) index.add(one)
    assert.equal(index.size, 3)
    for (const one of three) assert.equal(index.get({ ...one }), one)
    assert.equal(index.get({ high: -5, low: 4 }), undefined)
    index.delete(second)
    index.delete(second)
    assert.equal(index.size, 2)
    assert.equal(index.get(second), undefined)
    assert.equal(index.get(third), third)
    index.delete(first)
    index.delete(third)
    assert.deepEqual([index.size, index.get(third)], [0, undefined])
  })
})
