import assert from 'node:assert/strict'
import { createScreenMemory } from '../../../node/screen-memory.ts'

const KEPT = 64 * 1024

describe('the memory of a screen', () => {
  it('is all that was written while that is little, in one write or in many', () => {
    const memory = createScreenMemory()
    assert.equal(memory.replay().byteLength, 0)
    const words = Array.from({ length: 3_000 }, (_, at) => `${at} `)
    for (const word of words) memory.note(Buffer.from(word))
    assert.equal(Buffer.from(memory.replay()).toString(), words.join(''))
  })

  it('is the end of it when it is much, however it came', () => {
    for (const length of [1, 7, 1_023, 1_024, 1_025, 40_000, KEPT, KEPT + 1, 3 * KEPT]) {
      const memory = createScreenMemory()
      const text = Array.from({ length: 100_000 / 8 }, (_, at) => `${String(at).padStart(7)}\n`).join('')
      const whole = Buffer.from(text)
      for (let start = 0; start < whole.byteLength; start += length) {
        memory.note(whole.subarray(start, start + length))
      }
      // Begins with a whole line.
      const end = whole.subarray(-KEPT)
      assert.deepEqual(Buffer.from(memory.replay()), end.subarray(end.indexOf('\n')), `pieces of ${length}`)
    }
  })

  it('is not what the caller does with its bytes later', () => {
    const memory = createScreenMemory()
    const bytes = Buffer.from('x'.repeat(2_000))
    memory.note(bytes)
    bytes.fill('y')
    assert.match(Buffer.from(memory.replay()).toString(), /^x+$/)
  })
})
