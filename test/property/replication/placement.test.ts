import assert from 'node:assert/strict'
import fc from 'fast-check'
import { didFromPublicKey, type Did } from '#did'
import { place, placementOrder, type PlacementOffer } from '#replication'

const MIB = 1_048_576

const did: fc.Arbitrary<Did> = fc.uint8Array({ minLength: 32, maxLength: 32 }).map(didFromPublicKey)
/** Fewer than hosts, so that both are shared. */
const people: Did[] = Array.from({ length: 12 }, (_, index) =>
  didFromPublicKey(new Uint8Array(32).fill(index + 1))
)
const offer: fc.Arbitrary<PlacementOffer> = fc
  .record({
    holder: did,
    person: fc.constantFrom(...people),
    spaceMiB: fc.integer({ min: 0, max: 4_096 }),
    freeShare: fc.integer({ min: 0, max: 4 }),
    host: fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'),
    network: fc.constantFrom('', 'n', 'm', 'o')
  })
  .map(({ holder, person, spaceMiB, freeShare, host, network }) => ({
    ...{ holder, person, host, network },
    spaceBytes: spaceMiB * MIB,
    freeBytes: Math.floor((spaceMiB * MIB * freeShare) / 4)
  }))
const offers = fc.uniqueArray(offer, { maxLength: 40, selector: ({ holder }) => holder })
const root = fc.stringMatching(/^bafkrei[a-z2-7]{10}$/)
const copies = fc.integer({ min: 1, max: 8 })

describe('placement', () => {
  it('is the same for offers in any order, whatever else of a device is offered', () => {
    fc.assert(
      fc.property(root, offers, fc.infiniteStream(fc.nat()), (name, list, keys) => {
        const doubled = list.flatMap((one) => [one, { ...one, spaceBytes: Math.floor(one.spaceBytes / 2) }])
        const shuffled = doubled
          .map((one) => ({ one, key: Number(keys.next().value) }))
          .sort((a, b) => a.key - b.key)
          .map(({ one }) => one)
        const before = placementOrder({ root: name, bytes: 1, offers: doubled })
        assert.deepEqual(placementOrder({ root: name, bytes: 1, offers: shuffled }), before)
      })
    )
  })

  it('asks nobody without room, but whoever holds it already', () => {
    fc.assert(
      fc.property(root, offers, fc.integer({ min: 0, max: 2_048 }), (name, list, sizeMiB) => {
        const bytes = sizeMiB * MIB
        const holders = new Set(list.slice(0, 2).map(({ holder }) => holder))
        const placed = placementOrder({ root: name, bytes, offers: list, holders })
        const fitting = list.filter(({ holder, freeBytes }) => freeBytes >= bytes || holders.has(holder))
        assert.deepEqual(new Set(placed), new Set(fitting))
      })
    )
  })

  it('moves one copy where every device is a host of its own and one offer comes or goes', () => {
    const apart = offers.map((list) =>
      list.map((one) => ({ ...one, host: one.holder, person: one.holder, freeBytes: 1 }))
    )
    fc.assert(
      fc.property(fc.record({ name: root, list: apart, count: copies, pick: fc.nat() }), (init) => {
        const { name, list, count, pick } = init
        const gone = list[pick % Math.max(1, list.length)]
        if (gone === undefined) return
        const all = holdersOf(place({ root: name, bytes: 1, copies: count, offers: list }))
        const fewer = list.filter((one) => one !== gone)
        const left = holdersOf(place({ root: name, bytes: 1, copies: count, offers: fewer }))
        const moved = left.filter((holder) => !all.includes(holder))
        assert.ok(moved.length <= (all.includes(gone.holder) ? 1 : 0), `${moved.length} moved`)
      })
    )
  })

  it('moves few copies where hosts and networks are shared', () => {
    const roomy = offers.map((list) => list.map((one) => ({ ...one, freeBytes: 1 })))
    fc.assert(
      fc.property(fc.record({ name: root, list: roomy, count: copies, pick: fc.nat() }), (init) => {
        const { name, list, count, pick } = init
        const gone = list[pick % Math.max(1, list.length)]
        if (gone === undefined) return
        const all = holdersOf(place({ root: name, bytes: 1, copies: count, offers: list }))
        const fewer = list.filter((one) => one !== gone)
        const left = holdersOf(place({ root: name, bytes: 1, copies: count, offers: fewer }))
        // one for itself, one for its host and one for its person
        assert.ok(left.filter((holder) => !all.includes(holder)).length <= 3)
      })
    )
  })

  it('uses as many hosts as there are, then as many networks', () => {
    fc.assert(
      fc.property(root, offers, copies, (name, list, count) => {
        const roomy = list.map((one) => ({ ...one, person: one.holder, freeBytes: 1 }))
        const placed = place({ root: name, bytes: 1, copies: count, offers: roomy })
        const hosts = new Set(placed.map(({ host }) => host)).size
        assert.equal(hosts, Math.min(count, new Set(list.map(({ host }) => host)).size))
        const best = bestOfHosts(placementOrder({ root: name, bytes: 1, offers: roomy }))
        const networks = new Set(best.map(({ network }) => network)).size
        const used = new Set(placed.map(({ network }) => network)).size
        assert.ok(used >= Math.min(count, networks))
      })
    )
  })

  it('is crowded out by nobody: many devices of one person, or one that says that it has all the space there is', () => {
    const [own, ...others] = people
    assert.ok(own !== undefined)
    const devices = fc.uniqueArray(did, { minLength: 12, maxLength: 60 })
    fc.assert(
      fc.property(root, devices, copies, (name, list, count) => {
        const honest = list.slice(0, count)
        const offersOf = list.map((holder, index) => ({
          ...{ holder, host: holder, network: '' },
          ...(index < count
            ? { person: others[index] ?? holder, spaceBytes: MIB, freeBytes: MIB }
            : { person: own, spaceBytes: Number.MAX_SAFE_INTEGER, freeBytes: MIB })
        }))
        const placed = holdersOf(place({ root: name, bytes: 1, copies: count, offers: offersOf }))
        assert.ok(placed.filter((holder) => !honest.includes(holder)).length <= 1)
      })
    )
    const [honest, liar] = people
    assert.ok(honest !== undefined && liar !== undefined)
    const large = 64 * 1_024 * MIB
    const two = [honest, liar].map((holder) => ({ holder, person: holder, host: holder, network: holder }))
    const spaces = [large, Number.MAX_SAFE_INTEGER]
    const both = two.map((one, index) => ({ ...one, spaceBytes: spaces[index] ?? 0, freeBytes: large }))
    const firsts = Array.from({ length: 400 }, (_, index) =>
      place({ root: `root ${index}`, bytes: 1, copies: 1, offers: both })
    )
    const share = firsts.filter(([first]) => first?.holder === liar).length / firsts.length
    assert.ok(share > 0.3 && share < 0.7, `the liar comes first for ${share} of all roots`)
  })

  it('gives each holder a share in proportion to its space', () => {
    const holders = Array.from({ length: 4 }, (_, index) =>
      didFromPublicKey(new Uint8Array(32).fill(index + 1))
    )
    const list = holders.map((holder, index) => ({
      ...{ holder, person: holder, host: holder, network: '' },
      spaceBytes: (index + 1) * 100 * MIB,
      freeBytes: 1
    }))
    const counts = new Map<Did, number>()
    const roots = 10_000
    for (let index = 0; index < roots; index++) {
      // with one network all but the first would be ranked behind it: give each its own
      const apart = list.map((one) => ({ ...one, network: one.holder }))
      const [first] = place({ root: `root ${index}`, bytes: 1, copies: 1, offers: apart })
      assert.ok(first !== undefined)
      counts.set(first.holder, (counts.get(first.holder) ?? 0) + 1)
    }
    for (const [index, holder] of holders.entries()) {
      const expected = (roots * (index + 1)) / 10
      assert.ok(Math.abs((counts.get(holder) ?? 0) - expected) < 0.05 * roots)
    }
  })
})

function holdersOf(placed: readonly PlacementOffer[]): Did[] {
  return placed.map(({ holder }) => holder)
}

/** The first of each host. */
function bestOfHosts(order: readonly PlacementOffer[]): PlacementOffer[] {
  const seen = new Set<string>()
  return order.filter(({ host }) => !seen.has(host) && seen.add(host))
}
