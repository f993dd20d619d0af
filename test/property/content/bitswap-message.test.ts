import assert from 'node:assert/strict'
import fc from 'fast-check'
import { MESSAGE_BYTES_MAX } from '../../../content/bitswap/constants.ts'
import { FrameReader } from '../../../content/bitswap/frame-reader.ts'
import { decodeMessage, encodeMessage, type BitswapMessage } from '../../../content/bitswap/message.ts'

const cidBytes = fc.uint8Array({ maxLength: 160 })
const int32 = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 })
const plain = { noNullPrototype: true }
const want = fc.record(
  {
    cid: cidBytes,
    priority: int32,
    cancel: fc.boolean(),
    type: fc.constantFrom<'block' | 'have'>('block', 'have'),
    sendDontHave: fc.boolean()
  },
  plain
)
const block = fc.record(
  { prefix: fc.uint8Array({ maxLength: 36 }), data: fc.uint8Array({ maxLength: 5_000 }) },
  plain
)
const message: fc.Arbitrary<BitswapMessage> = fc.record(
  {
    wants: fc.array(want),
    full: fc.boolean(),
    blocks: fc.array(block),
    presences: fc.array(fc.record({ cid: cidBytes, has: fc.boolean() }, plain)),
    pendingBytes: fc.nat({ max: 2 ** 31 - 1 })
  },
  plain
)

/** Cuts bytes at the given places, taken modulo the length. */
function cut(bytes: Uint8Array, places: readonly number[]): Uint8Array[] {
  const sorted = places.map((place) => place % (bytes.byteLength + 1)).sort((a, b) => a - b)
  const ends = [...sorted, bytes.byteLength]
  return ends.map((end, index) => bytes.slice(ends[index - 1] ?? 0, end))
}

describe('bitswap messages of any content', () => {
  it('are read as they were written, however the network cuts them', () => {
    fc.assert(
      fc.property(fc.array(message, { maxLength: 3 }), fc.array(fc.nat()), (messages, places) => {
        const sent = Buffer.concat(messages.flatMap((each) => encodeMessage(each)))
        const read: BitswapMessage[] = []
        let held = 0
        const budget = { take: (bytes: number) => (held += bytes), give: (bytes: number) => (held -= bytes) }
        const reader = new FrameReader({ budget, onFrame: (chunks) => read.push(decodeMessage(chunks)) })
        for (const chunk of cut(sent, places)) reader.push(chunk)
        assert.deepEqual(read, messages)
        assert.equal(held, 0)
      })
    )
  })

  it('made of garbage are refused with a code and cost no more than they carry', () => {
    const garbage = fc.oneof(
      fc.uint8Array({ maxLength: 2_000 }),
      fc.tuple(message, fc.nat(), fc.nat({ max: 255 })).map(([valid, at, byte]) => {
        const bytes = Buffer.concat(encodeMessage(valid).slice(1))
        if (bytes.byteLength > 0) bytes[at % bytes.byteLength] = byte
        return new Uint8Array(bytes)
      })
    )
    fc.assert(
      fc.property(garbage, (bytes) => {
        try {
          const read = decodeMessage([bytes])
          const carried = [...read.wants, ...read.presences].reduce((sum, { cid }) => sum + cid.byteLength, 0)
          const data = read.blocks.reduce((sum, block) => sum + block.data.byteLength, 0)
          assert.ok(carried + data <= bytes.byteLength)
        } catch (thrown) {
          assert.equal((thrown as { code?: string }).code, 'ERR_BITSWAP_MESSAGE')
        }
      }),
      { numRuns: 500 }
    )
  })

  it('arriving as a stream of garbage never make the reader hold more than one message', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 500 })), (chunks) => {
        let held = 0
        let peak = 0
        const budget = {
          take: (bytes: number) => {
            held += bytes
            peak = Math.max(peak, held)
          },
          give: (bytes: number) => (held -= bytes)
        }
        const reader = new FrameReader({ budget, onFrame: (frame) => decodeMessage(frame) })
        const sent = chunks.reduce((sum, chunk) => sum + Math.max(chunk.byteLength, 512), 0)
        try {
          for (const chunk of chunks) reader.push(chunk)
        } catch (thrown) {
          assert.equal((thrown as { code?: string }).code, 'ERR_BITSWAP_MESSAGE')
        }
        assert.ok(peak <= Math.min(sent, MESSAGE_BYTES_MAX + 512))
      })
    )
  })
})
