import assert from 'node:assert/strict'
import { createPeerBook, nearestOf, nearestPeers } from '../../../../dht/query/peer-book.ts'

const idOf = (index: number): Uint8Array => Uint8Array.of(0, 2, index >> 8, index & 0xff)

describe('the book of peers', () => {
  it('forgets those that came up longest ago, and never ourselves', () => {
    const book = createPeerBook(10, idOf(0))
    const [own, known] = [book.of(idOf(0)), book.of(idOf(1))]
    for (let index = 2; index < 100; index += 1) book.named({ id: idOf(index), multiaddrs: [] })
    assert.equal(book.of(idOf(0)), own)
    assert.notEqual(book.of(idOf(1)), known)
  })

  it('finds the nearest of a table as a plain search does, whatever comes first', () => {
    const book = createPeerBook(1_000)
    const peers = Array.from({ length: 300 }, (_, index) => book.of(idOf(index)))
    for (const count of [0, 1, 20, 299, 300, 400]) {
      for (let target = 300; target < 320; target += 1) {
        const { kadId } = book.of(idOf(target))
        const ids = (found: readonly { peerId: string }[]): string[] => found.map(({ peerId }) => peerId)
        assert.deepEqual(ids(nearestPeers(kadId, peers, count)), ids(nearestOf(kadId, peers, count)))
        assert.deepEqual(
          ids(nearestPeers(kadId, peers.toReversed(), count)),
          ids(nearestOf(kadId, peers, count))
        )
      }
    }
  })
})
