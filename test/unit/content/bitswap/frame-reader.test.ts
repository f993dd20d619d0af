import assert from 'node:assert/strict'
import { FrameReader, type ReceiveBudget } from '../../../../content/bitswap/frame-reader.ts'

/** A budget that counts and refuses above `max`. */
function createBudget(max = Infinity): ReceiveBudget & { held: number; peak: number } {
  const budget = {
    held: 0,
    peak: 0,
    take: (bytes: number) => {
      if (budget.held + bytes > max) throw new Error('too much')
      budget.held += bytes
      budget.peak = Math.max(budget.peak, budget.held)
    },
    give: (bytes: number) => {
      budget.held -= bytes
    }
  }
  return budget
}

describe('reading frames', () => {
  it('holds nothing for a length alone, so that a peer must send what it wants to occupy', () => {
    const budget = createBudget()
    using reader = new FrameReader({ budget, onFrame: () => undefined })
    reader.push(Uint8Array.of(0x80, 0x80, 0x80, 0x02))
    assert.equal(budget.held, 0)
    reader.push(new Uint8Array(100_000))
    assert.equal(budget.held, 100_000)
  })

  it('counts a tiny chunk for more than its bytes', () => {
    const budget = createBudget(10_000)
    using reader = new FrameReader({ budget, onFrame: () => undefined })
    reader.push(Uint8Array.of(0x80, 0x80, 0x80, 0x02))
    assert.throws(() => {
      for (let sent = 0; sent < 10_000; sent++) reader.push(Uint8Array.of(1))
    }, /too much/)
    assert.ok(budget.peak <= 10_000)
  })

  it('gives back what it held when a message is whole or the stream ends', () => {
    const budget = createBudget()
    const sizes: number[] = []
    using reader = new FrameReader({
      budget,
      onFrame: (chunks) => sizes.push(chunks.reduce((sum, chunk) => sum + chunk.byteLength, 0))
    })
    reader.push(Uint8Array.of(4, 1, 2))
    assert.ok(budget.held > 0)
    reader.push(Uint8Array.of(3, 4, 2, 5))
    assert.deepEqual(sizes, [4])
    reader[Symbol.dispose]()
    assert.equal(budget.held, 0)
  })

  it('keeps no large buffer alive for a small part of it', () => {
    let kept: readonly Uint8Array[] = []
    using reader = new FrameReader({
      budget: createBudget(),
      onFrame: (chunks) => {
        kept = chunks
      }
    })
    reader.push(Uint8Array.of(3))
    reader.push(new Uint8Array(65_536).subarray(10, 11))
    reader.push(new Uint8Array(2))
    assert.equal(kept[0]?.buffer.byteLength, 1)
  })
})
