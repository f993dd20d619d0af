import assert from 'node:assert/strict'
import fc from 'fast-check'
import { createKeyPair } from '#did'
import { HELD_MAX, HELD_OF_PUBLISHER_MAX } from '../../../replication/constants.ts'
import { admit, bytesOf, excess, isPlaceLeft, type QuotaItem } from '../../../replication/quota.ts'
import { createSeededRandom } from '../../support/seeded-random.ts'

const people = Array.from({ length: 3 }, (_, seed) => createKeyPair(createSeededRandom(seed)).did)

const item: fc.Arbitrary<QuotaItem> = fc.record({
  root: fc.stringMatching(/^b[a-z2-7]{8}$/),
  person: fc.constantFrom(...people),
  bytes: fc.integer({ min: 0, max: 1_000 }),
  spare: fc.integer({ min: -3, max: 3 }),
  isRelied: fc.boolean()
})
const items = fc.uniqueArray(item, { maxLength: 20, selector: ({ root }) => root })
const quota = fc.record({
  spaceBytes: fc.integer({ min: 0, max: 10_000 }),
  publisherBytesMax: fc.integer({ min: 0, max: 10_000 })
})
const wanted = fc.record({ person: fc.constantFrom(...people), bytes: fc.integer({ min: 0, max: 2_000 }) })

describe('a quota', () => {
  it('is kept by what is admitted, and costs nothing that is wanted or relied on', () => {
    fc.assert(
      fc.property(items, quota, wanted, (...[held, limits, asked]) => {
        const admission = admit(asked, held, limits)
        if (!admission.fits) return
        const gone = held.filter(({ root }) => admission.evict.includes(root))
        assert.ok(gone.every(({ spare, isRelied }) => spare >= 0 && !isRelied))
        const left = held.filter((one) => !gone.includes(one))
        assert.ok(bytesOf(left) + asked.bytes <= limits.spaceBytes)
        assert.ok(bytesOf(left, asked.person) + asked.bytes <= limits.publisherBytesMax)
      })
    )
  })

  it('has places for so many roots, and for so many of one person, with what waits to be fetched', () => {
    const [one, other] = people
    assert.ok(one !== undefined && other !== undefined)
    const of = (person: typeof one, length: number): { goal: { person: typeof one } }[] =>
      Array.from({ length }, () => ({ goal: { person } }))
    assert.ok(isPlaceLeft(of(one, HELD_OF_PUBLISHER_MAX - 1), one))
    assert.ok(!isPlaceLeft(of(one, HELD_OF_PUBLISHER_MAX), one))
    assert.ok(isPlaceLeft(of(one, HELD_OF_PUBLISHER_MAX), other))
    assert.ok(!isPlaceLeft(of(one, HELD_MAX), other))
  })

  it('refuses only what would cost something wanted', () => {
    fc.assert(
      fc.property(items, quota, wanted, (...[held, limits, asked]) => {
        const admission = admit(asked, held, limits)
        if (admission.fits) return
        const staying = held.filter(({ spare, isRelied }) => spare < 0 || isRelied)
        const person = admission.limit === 'publisher' ? asked.person : undefined
        const most = admission.limit === 'publisher' ? limits.publisherBytesMax : limits.spaceBytes
        assert.ok(bytesOf(staying, person) + asked.bytes > most)
      })
    )
  })

  it('that became smaller is kept again, the most wanted last to go', () => {
    fc.assert(
      fc.property(items, quota, (held, limits) => {
        const gone = new Set(excess(held, limits))
        const left = held.filter(({ root }) => !gone.has(root))
        assert.ok(bytesOf(left) <= limits.spaceBytes)
        for (const person of people) assert.ok(bytesOf(left, person) <= limits.publisherBytesMax)
        // Of one publisher nothing went while something less wanted stayed.
        for (const one of held.filter(({ root, bytes }) => gone.has(root) && bytes > 0)) {
          const lesser = left.filter(
            ({ person, spare, bytes }) => person === one.person && spare > one.spare && bytes > 0
          )
          assert.deepEqual(lesser, [])
        }
      })
    )
  })
})
