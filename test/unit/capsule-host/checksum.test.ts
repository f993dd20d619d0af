import assert from 'node:assert/strict'
import { crc32 } from 'node:zlib'
import { checksum } from '../../../capsule-host/guest/trace/checksum.ts'

describe('the checksum of what a recorded program writes', () => {
  it('is CRC-32, of little and, once that was much, of anything more', () => {
    const bytes = Uint8Array.from({ length: 100_000 }, (_none, at) => Math.imul(at, 2_654_435_761) >>> 24)
    for (let turn = 0; turn < 15; turn++) {
      for (const length of [0, 1, 7, 4096, 100_000]) {
        const piece = bytes.subarray(turn, turn + length)
        assert.equal(checksum(piece), crc32(piece))
        assert.equal(checksum(bytes, turn, Math.min(turn + length, bytes.length)), crc32(piece))
      }
    }
  })
})
