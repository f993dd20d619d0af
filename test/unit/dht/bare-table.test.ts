import assert from 'node:assert/strict'
import { createBareTable } from '../../../dht/bare-table.ts'
import { createPeerBook } from '../../../dht/query/peer-book.ts'

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
})
