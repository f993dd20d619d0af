import assert from 'node:assert/strict'
import { systemRandom } from '#contracts'
import { certifyDevice, createKeyPair, type KeyPair } from '#did'
import { OFFERS_OF_PERSON_MAX } from '../../../replication/constants.ts'
import { OfferBook } from '../../../replication/offer-book.ts'
import { signOffer } from '../../../replication/records.ts'

const HOUR_MS = 3_600_000

describe('a book of offers', () => {
  it('knows so many of one person, also when those that ended are renewed all together', () => {
    const person = createKeyPair(systemRandom)
    const devices = Array.from({ length: 3 * OFFERS_OF_PERSON_MAX }, () => createKeyPair(systemRandom))
    const offerOf = (signer: KeyPair, issuedAtMs: number, forMs: number): Uint8Array => {
      const certificate = certifyDevice(person, { device: signer.did, issuedAtMs: 1 })
      const terms = { pool: '*', host: '', network: '', spaceBytes: 1_000, freeBytes: 1_000 } as const
      return signOffer({ signer, certificate }, { ...terms, issuedAtMs, expiresAtMs: issuedAtMs + forMs })
    }
    const book = new OfferBook(() => false)
    const take = (from: readonly KeyPair[], atMs: number, forMs: number): void => {
      const batch = { nowMs: atMs }
      for (const device of from) book.take('*', offerOf(device, atMs, forMs), batch)
    }
    for (let turn = 0; turn < 3; turn++) {
      const first = turn * OFFERS_OF_PERSON_MAX
      take(devices.slice(first, first + OFFERS_OF_PERSON_MAX), 1_000 * (turn + 1), 500)
    }
    take(devices, 10_000, HOUR_MS)
    assert.equal(book.of(['*'], 10_001).length, OFFERS_OF_PERSON_MAX)
    take(devices, 20_000, HOUR_MS)
    assert.equal(book.of(['*'], 20_001).length, OFFERS_OF_PERSON_MAX, 'what holds may be renewed')
    book.prune('*', 20_001)
    assert.equal(book.sizeOf('*'), OFFERS_OF_PERSON_MAX)
    book.prune('*', 20_000 + HOUR_MS)
    assert.equal(book.sizeOf('*'), 0, 'what ended makes no pool large')
  })
})
