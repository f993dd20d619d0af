import assert from 'node:assert/strict'
import { createBareTable } from '../../../dht/bare-table.ts'
import { createPeerBook, nearestOf } from '../../../dht/query/peer-book.ts'

const idOf = (index: number): Uint8Array => Uint8Array.of(0, 2, 0, index)

describe('a routing table that stands by itself', () => {
  it('has each peer once, and never ourselves, also when the book has forgotten both', () => {
    const book = createPeerBook(2)
    const table = createBareTable(book.of(idOf(0)), book)
    table.add(book.of(idOf(1)))
    for (const index of [2, 3]) book.of(idOf(index))
    table.add(book.of(idOf(0)))
    table.add(book.of(idOf(1)))
    assert.equal(table.size(), 1)
    assert.ok(table.has(book.of(idOf(1))))
    table.drop(book.of(idOf(1)))
    assert.equal(table.size(), 0)
  })

  it('finds the nearest of all in it, those left out that are not to be named', () => {
    const book = createPeerBook()
    const own = book.of(idOf(0))
    const table = createBareTable(own, book, 12)
    const offered = Array.from({ length: 250 }, (_, index) => book.of(idOf(index + 1)))
    for (const peer of offered) table.add(peer)
    for (const peer of offered.slice(0, 10)) table.drop(peer)
    const held = offered.filter((peer) => table.has(peer))
    assert.equal(held.length, table.size())
    assert.ok(held.length > 30)
    for (const target of [own, ...offered]) {
      const except = [own, held[target.kadBits % held.length] ?? own, target]
      const others = held.filter((peer) => !except.includes(peer))
      for (const count of [1, 6, 20, 300]) {
        assert.deepEqual(table.nearest(target.kadId, count, except), nearestOf(target.kadId, others, count))
      }
    }
  })
})
