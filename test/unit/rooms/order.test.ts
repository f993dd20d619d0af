import assert from 'node:assert/strict'
import fc from 'fast-check'
import type { Did } from '#did'
import {
  DEVICES_MARKED_MAX,
  GAP_FIRST_MS,
  GAP_MS,
  HELD_TEXTS_MAX,
  HOLES_MAX,
  SEQUENCES_PER_MS
} from '../../../rooms/constants.ts'
import { createTextOrder, type Arrival, type DeviceMark, type Ordered } from '../../../rooms/order.ts'

const ANN: Did = 'did:key:z6Mkann'
const BOB: Did = 'did:key:z6Mkbob'

/** A device's texts at some sequence numbers, each naming the one before it. */
function texts(device: Did, ...sequences: number[]): Ordered[] {
  return sequences.map((sequence, index) => ({ device, sequence, previous: sequences[index - 1] ?? 0 }))
}

const numbers = (released: readonly { readonly item: Ordered }[]): number[] =>
  released.map(({ item }) => item.sequence)

const DAY_MS = 24 * 3_600_000
const live = (nowMs: number, dayMs = 0): Arrival => ({ nowMs, dayMs, isPast: false })

describe('the order of texts', () => {
  it('lets each through once, in order', () => {
    const order = createTextOrder(new Map())
    const [one, two] = texts(ANN, 10, 20) as [Ordered, Ordered]
    assert.deepEqual(numbers(order.take(one, live(0))), [10])
    assert.deepEqual(numbers(order.take(one, live(0))), [])
    assert.deepEqual(numbers(order.take(two, live(0))), [20])
    assert.deepEqual(numbers(order.take(two, live(0))), [])
  })

  it('holds back what comes early until the one before it is there', () => {
    const order = createTextOrder(new Map())
    const [one, two, three] = texts(ANN, 10, 20, 30) as [Ordered, Ordered, Ordered]
    order.take(one, live(0))
    assert.deepEqual(numbers(order.take(three, live(1))), [])
    assert.deepEqual(numbers(order.take(three, live(1))), [])
    assert.deepEqual(numbers(order.take(texts(BOB, 5)[0]!, live(1))), [5])
    assert.deepEqual(numbers(order.take(two, live(2))), [20, 30])
    assert.equal(order.dueMs, undefined)
  })

  it('shows what waited for 30 seconds, and takes what was missing when it comes late, once', () => {
    const order = createTextOrder(new Map())
    const [one, two, three, four] = texts(ANN, 10, 20, 30, 40) as [Ordered, Ordered, Ordered, Ordered]
    order.take(one, live(0))
    order.take(four, live(5))
    assert.equal(order.dueMs, 5 + GAP_MS)
    assert.deepEqual(numbers(order.expire(4 + GAP_MS)), [])
    assert.deepEqual(numbers(order.expire(5 + GAP_MS)), [40])
    assert.deepEqual(order.marks.get(ANN), { high: 40, holes: [[10, 30]] })
    assert.deepEqual(numbers(order.take(three, live(0))), [30])
    assert.deepEqual(order.marks.get(ANN), { high: 40, holes: [[10, 20]] })
    assert.deepEqual(numbers(order.take(three, live(0))), [])
    assert.deepEqual(numbers(order.take(two, live(0))), [20])
    assert.deepEqual(order.marks.get(ANN), { high: 40, holes: [] })
  })

  it('waits less for what a device said before one came, and believes where a history begins', () => {
    const order = createTextOrder(new Map())
    const later = texts(ANN, 10, 20)[1]!
    assert.deepEqual(numbers(order.take(later, live(0))), [])
    assert.equal(order.dueMs, GAP_FIRST_MS)
    const told = texts(BOB, 10, 20)[1]!
    assert.deepEqual(numbers(order.take(told, { nowMs: 0, dayMs: 0, isPast: true })), [20])
    assert.deepEqual(order.marks.get(BOB), { high: 20, holes: [] })
  })

  it('goes on from the marks it was given', () => {
    const order = createTextOrder(new Map([[ANN, { high: 20, holes: [] }]]))
    assert.deepEqual(order.take(texts(ANN, 10)[0]!, live(0)), [])
    assert.deepEqual(order.take(texts(ANN, 20)[0]!, live(0)), [])
    assert.deepEqual(numbers(order.take(texts(ANN, 20, 30)[1]!, live(0))), [30])
  })

  it('holds no more than it may, and remembers no more gaps', () => {
    const order = createTextOrder(new Map([[ANN, { high: 1, holes: [] }]]))
    const some = texts(ANN, ...Array.from({ length: 2 * HELD_TEXTS_MAX + 5 }, (_, index) => 10 + index))
    for (const text of some.filter((_, index) => index % 2 === 1)) order.take(text, live(0))
    assert.ok(order.heldCount <= HELD_TEXTS_MAX)
    assert.ok((order.marks.get(ANN)?.holes.length ?? 0) <= HOLES_MAX)
  })

  it('has room for a new device once others were silent for long, and none for one from the far future', () => {
    const nowMs = 1_800_000_000_000
    const mark: DeviceMark = { high: nowMs * SEQUENCES_PER_MS, holes: [] }
    const devices = Array.from({ length: DEVICES_MARKED_MAX }, (_, index): [Did, DeviceMark] => [
      `did:key:z6Mk${index}`,
      mark
    ])
    const order = createTextOrder(new Map(devices))
    const said = (dayMs: number): Ordered => texts(ANN, dayMs * SEQUENCES_PER_MS)[0]!
    assert.deepEqual(order.take(said(nowMs), live(0, nowMs)), [])
    const laterMs = nowMs + 15 * DAY_MS
    const future = createTextOrder(new Map(devices))
    assert.equal(future.take(said(nowMs), live(0, nowMs - 5 * DAY_MS)).length, 0)
    assert.equal(future.take(said(nowMs - 5 * DAY_MS), live(0, nowMs - 5 * DAY_MS)).length, 1)
    assert.deepEqual(order.take(said(laterMs + 5 * DAY_MS), live(0, laterMs)), [])
    assert.equal(order.take(said(laterMs), live(0, laterMs)).length, 1)
    assert.deepEqual(order.takeForgotten(), [...new Map(devices).keys()])
    assert.deepEqual([order.takeForgotten(), order.marks.size], [[], 1])
  })

  it('delivers all of it once, whatever order and how often it comes in; in order where nothing was late', () => {
    const arrivals = fc.integer({ min: 1, max: 12 }).chain((count) =>
      fc.record({
        count: fc.constant(count),
        extra: fc.array(fc.nat({ max: count - 1 }), { maxLength: 10 }),
        shuffle: fc.shuffledSubarray(
          Array.from({ length: count }, (_, index) => index),
          { minLength: count }
        ),
        stepMs: fc.constantFrom(0, 1_000, 20_000)
      })
    )
    fc.assert(
      fc.property(arrivals, ({ count, extra, shuffle, stepMs }) => {
        const said = texts(ANN, ...Array.from({ length: count }, (_, index) => 10 * (index + 1)))
        // Known: its first text came before.
        const order = createTextOrder(new Map([[ANN, { high: 1, holes: [] }]]))
        const delivered: number[] = []
        let nowMs = 0
        for (const index of [...extra, ...shuffle]) {
          nowMs += stepMs
          delivered.push(...numbers(order.expire(nowMs)), ...numbers(order.take(said[index]!, live(nowMs))))
        }
        const inOrder = said.map(({ sequence }) => sequence)
        assert.deepEqual(
          [...delivered].sort((one, other) => one - other),
          inOrder
        )
        if (stepMs === 0) assert.deepEqual(delivered, inOrder)
      })
    )
  })
})
