import assert from 'node:assert/strict'
import { systemRandom } from '#contracts'
import { createKeyPair, type Did } from '#did'
import { HOLDERS_OF_ROOT_MAX } from '../../../replication/constants.ts'
import { LeaseBook } from '../../../replication/lease-book.ts'

const ROOT = 'bafkqaaa'

function holds(book: LeaseBook, holder: Did, { nowMs, untilMs }: { nowMs: number; untilMs: number }): void {
  const lease = { holder, set: 'a', demand: 0, issuedAtMs: nowMs, expiresAtMs: untilMs }
  book.note({ lease, set: { roots: [ROOT], isSingle: true }, untilMs }, nowMs)
}

describe('a book of leases', () => {
  it('has room for who holds a root now, however many held it before', () => {
    const book = new LeaseBook()
    book.follow(ROOT)
    for (let count = 0; count < HOLDERS_OF_ROOT_MAX; count++) {
      holds(book, createKeyPair(systemRandom).did, { nowMs: count, untilMs: count + 100 })
    }
    const late = createKeyPair(systemRandom).did
    holds(book, late, { nowMs: 1_000, untilMs: 1_100 })
    assert.deepEqual([...book.live(ROOT, 1_000).keys()], [late])
  })

  it('remembers nobody who holds nothing that is followed', () => {
    const book = new LeaseBook()
    const stranger = createKeyPair(systemRandom).did
    holds(book, stranger, { nowMs: 1_000, untilMs: 1_100 })
    assert.deepEqual(book.heard(0), [])
    assert.equal(book.rootsOf(stranger, 'a'), undefined)
  })
})
