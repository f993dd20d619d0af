import assert from 'node:assert/strict'
import fc from 'fast-check'
import { createRecent } from '#contracts'
import { BookPeer } from '../../../../dht/query/peer-book.ts'
import { createPeerIndex, idText } from '../../../../dht/query/peer-index.ts'

/** Ids that begin, and mostly end, alike: many of them have the same number. */
const id = fc
  .tuple(fc.nat(5), fc.nat(3))
  .map(([first, last]) => Uint8Array.of(0, first, 1, 2, 3, 4, 5, 6, 7, 8, last))

describe('the index of peers', () => {
  it('has those that a map by text has, whatever comes and is read in whatever order', () => {
    const step = fc.record({ id, isAdded: fc.boolean() })
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 12 }), fc.array(step, { maxLength: 60 }), (peersMax, steps) => {
        const index = createPeerIndex(peersMax)
        const plain = createRecent<BookPeer>(peersMax)
        for (const { id, isAdded } of steps) {
          const framed = Uint8Array.of(9, ...id, 9)
          const known = plain.get(idText(id))
          assert.equal(index.get(framed, 1, id.length + 1), known)
          if (!isAdded || known !== undefined) continue
          const peer = new BookPeer(id)
          index.add(peer)
          plain.set(idText(id), peer)
        }
      })
    )
  })
})
