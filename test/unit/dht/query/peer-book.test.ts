import assert from 'node:assert/strict'
import { createPeerBook } from '../../../../dht/query/peer-book.ts'

const idOf = (index: number): Uint8Array => Uint8Array.of(0, 2, index >> 8, index & 0xff)

describe('the book of peers', () => {
  it('forgets those that came up longest ago, and never ourselves', () => {
    const book = createPeerBook(10, idOf(0))
    const [own, known] = [book.of(idOf(0)), book.of(idOf(1))]
    for (let index = 2; index < 100; index += 1) book.named({ id: idOf(index), multiaddrs: [] })
    assert.equal(book.of(idOf(0)), own)
    assert.notEqual(book.of(idOf(1)), known)
  })
})
