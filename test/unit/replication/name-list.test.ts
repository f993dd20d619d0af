import assert from 'node:assert/strict'
import fc from 'fast-check'
import { NameList } from '../../../replication/name-list.ts'
import { bytesOfNames, type OfferName } from '../../../replication/offer-names.ts'

/** Halves of few values, on both sides of zero: many names begin alike. */
const half = fc.constantFrom(0, 1, 2, -1, -2, 0x7fffffff, -0x80000000)
const wide = fc.integer({ min: -0x80000000, max: 0x7fffffff })
const name = fc.oneof(fc.record({ high: half, low: half }), fc.record({ high: wide, low: wide }))
const distinct = (maxLength: number): fc.Arbitrary<OfferName[]> =>
  fc.uniqueArray(name, { maxLength, selector: ({ high, low }) => `${high} ${low}` })

const hexOf = (one: OfferName): string => Buffer.from(bytesOfNames([one])).toString('hex')

describe('a list of names', () => {
  it('finds what some names stand for, in whatever order they come, and says which stand for nothing', () => {
    fc.assert(
      fc.property(distinct(80), distinct(60), fc.boolean(), (added, asked, isSorted) => {
        const list = new NameList<OfferName>()
        for (const one of added) list.add(one)
        for (const one of added.filter((_, index) => index % 3 === 0)) list.delete(one)
        const left = added.filter((_, index) => index % 3 !== 0)
        assert.equal(list.size, left.length)
        const names = [...asked, ...added]
        if (isSorted) names.sort((a, b) => (hexOf(a) < hexOf(b) ? -1 : 1))
        const { named, missing, unknown } = list.compare(bytesOfNames(names))
        const leftByHex = new Map(left.map((one) => [hexOf(one), one]))
        const askedHex = new Set(asked.map(hexOf))
        assert.deepEqual(named.map(hexOf).sort(), [...leftByHex.keys()].sort())
        assert.deepEqual(missing, [])
        for (const one of named) assert.equal(one, leftByHex.get(hexOf(one)))
        const some = list.compare(bytesOfNames(asked))
        assert.ok(some.named.every((one) => askedHex.has(hexOf(one))))
        assert.ok(some.missing.every((one) => !askedHex.has(hexOf(one))))
        for (const one of asked) assert.equal(list.has({ ...one }), leftByHex.has(hexOf(one)))
        assert.deepEqual(
          unknown.map(hexOf),
          names.map(hexOf).filter((hex) => !leftByHex.has(hex))
        )
        const hex = Buffer.from(list.bytes()).toString('hex')
        assert.deepEqual(hex.match(/.{16}/g) ?? [], [...leftByHex.keys()].sort())
      })
    )
  })

  it('leaves alone what only has the same name', () => {
    const list = new NameList<OfferName>()
    list.add({ high: 1, low: 2 })
    list.delete({ high: 1, low: 2 })
    assert.equal(list.size, 1)
  })
})
