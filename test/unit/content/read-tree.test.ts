import assert from 'node:assert/strict'
import { cidOf, RAW_CODEC } from '#content'
import { partOf } from '../../../content/read-tree.ts'
import { FRAME_HEADER_BYTES } from '../../../content/stream/constants.ts'
import { decodeFrame, encodeFrame } from '../../../content/stream/frames.ts'

describe('a part of a file', () => {
  it('that goes on to the end can be asked of a peer', () => {
    const part = partOf([], { offset: 5, length: Number.MAX_SAFE_INTEGER })
    const roots = [cidOf(RAW_CODEC, Buffer.from('a file'))]
    const bytes = encodeFrame({ type: 'ask', ask: { roots, below: true, ...part } })
    const frame = decodeFrame(bytes.subarray(0, FRAME_HEADER_BYTES), bytes.subarray(FRAME_HEADER_BYTES))
    assert.ok(frame.type === 'ask')
    assert.equal(frame.ask.range?.from, 5)
  })
})
