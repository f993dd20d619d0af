import assert from 'node:assert/strict'
import { systemRandom } from '#contracts'
import { createPeerBook } from '../../../../dht/query/peer-book.ts'
import { createTableView } from '../../../../dht/query/table-view.ts'

const BOOK_PEERS_MAX = 8

describe('a view of the routing table', () => {
  it('knows who is in it, also after so many others were named that the book forgot them', () => {
    const ids = [systemRandom.bytes(38), systemRandom.bytes(38)]
    const book = createPeerBook(BOOK_PEERS_MAX)
    const offered: string[] = []
    using view = createTableView(
      {
        size: () => ids.length,
        ids: () => ids,
        offer: (peerId) => offered.push(peerId),
        remove: () => undefined,
        onChange: () => ({ [Symbol.dispose]: () => undefined })
      },
      book
    )
    const [first] = ids
    assert.ok(first)
    assert.ok(view.has(book.of(first)))
    for (let named = 0; named <= BOOK_PEERS_MAX; named += 1) book.of(systemRandom.bytes(38))
    assert.ok(view.has(book.of(first)))
    view.offer(book.of(first))
    assert.deepEqual(offered, [])
    const stranger = book.of(systemRandom.bytes(38))
    assert.ok(!view.has(stranger))
    view.offer(stranger)
    assert.equal(offered.length, 1)
    assert.deepEqual(
      view.nearest(book.of(first).kadId, 5).map(({ id }) => Buffer.from(id).toString('hex')),
      ids.toSorted((a) => (a === first ? -1 : 1)).map((id) => Buffer.from(id).toString('hex'))
    )
  })
})
