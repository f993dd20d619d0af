import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { bytesOfNames, nameOf } from '../../../replication/offer-names.ts'

describe('names of offers', () => {
  it('are the first eight bytes of a hash', () => {
    const digests = ['one', 'two', 'three'].map((text) => createHash('sha256').update(text).digest())
    const names = bytesOfNames(digests.map((digest) => nameOf(digest.toString('latin1'))))
    const first = digests.map((digest) => digest.subarray(0, 8))
    assert.deepEqual(names, Uint8Array.from(Buffer.concat(first)))
  })
})
