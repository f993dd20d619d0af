import assert from 'node:assert/strict'
import { BITSWAP_100, BITSWAP_110, MESSAGE_WANTS_MAX } from '../../../../content/bitswap/constants.ts'
import { FrameReader } from '../../../../content/bitswap/frame-reader.ts'
import {
  decodeMessage,
  encodeMessage,
  type BitswapMessage,
  type WantEntry
} from '../../../../content/bitswap/message.ts'
import invalid from '../../../vectors/bitswap/invalid.json' with { type: 'json' }
import valid from '../../../vectors/bitswap/valid.json' with { type: 'json' }

type VectorMessage = (typeof valid)[number]['message']

const EMPTY: BitswapMessage = { wants: [], full: false, blocks: [], presences: [], pendingBytes: 0 }
const CID_BYTES = Buffer.from(`01551220${'ab'.repeat(32)}`, 'hex')
const WANT: WantEntry = { cid: CID_BYTES, priority: 1, cancel: false, type: 'have', sendDontHave: true }

function readFrames(bytes: Uint8Array): BitswapMessage[] {
  const messages: BitswapMessage[] = []
  const budget = { take: () => undefined, give: () => undefined }
  using reader = new FrameReader({ budget, onFrame: (chunks) => messages.push(decodeMessage(chunks)) })
  reader.push(bytes)
  return messages
}

function toVector(message: BitswapMessage): unknown {
  const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
  return {
    wants: message.wants.map((want) => ({ ...want, cid: hex(want.cid) })),
    full: message.full,
    blocks: message.blocks.map(({ prefix, data }) => ({
      prefix: prefix === undefined ? null : hex(prefix),
      data: hex(data)
    })),
    presences: message.presences.map((presence) => ({ ...presence, cid: hex(presence.cid) })),
    pendingBytes: message.pendingBytes
  }
}

function fromVector(message: VectorMessage): BitswapMessage {
  const bytes = (hex: string): Uint8Array => Buffer.from(hex, 'hex')
  return {
    wants: message.wants.map((want) => ({ ...want, cid: bytes(want.cid) }) as WantEntry),
    full: message.full,
    blocks: message.blocks.map(({ prefix, data }) => ({
      prefix: prefix === null ? undefined : bytes(prefix),
      data: bytes(data)
    })),
    presences: message.presences.map(({ cid, has }) => ({ cid: bytes(cid), has })),
    pendingBytes: message.pendingBytes
  }
}

describe('bitswap messages', () => {
  for (const { comment, frame, message, canonical } of valid) {
    it(`are read: ${comment}`, () => {
      assert.deepEqual(readFrames(Buffer.from(frame, 'hex')).map(toVector), [message])
    })
    if (!canonical) continue
    it(`are written: ${comment}`, () => {
      assert.equal(Buffer.concat(encodeMessage(fromVector(message))).toString('hex'), frame)
    })
  }

  for (const { comment, frame } of invalid) {
    it(`are refused: ${comment}`, () => {
      assert.throws(() => readFrames(Buffer.from(frame, 'hex')), {
        name: 'ContentError',
        code: 'ERR_BITSWAP_MESSAGE'
      })
    })
  }

  it('follow one another on a stream', () => {
    const one = Buffer.concat(encodeMessage({ ...EMPTY, wants: [WANT] }))
    const messages = readFrames(Buffer.concat([one, Buffer.from([0]), one]))
    assert.deepEqual(
      messages.map(({ wants }) => wants.length),
      [1, 0, 1]
    )
  })

  it('alias block data when written and own it when read', () => {
    const data = new Uint8Array(100_000).fill(7)
    const parts = encodeMessage({ ...EMPTY, blocks: [{ prefix: Uint8Array.of(1, 0x55, 0x12, 0x20), data }] })
    assert.ok(parts.includes(data))
    const sent = Buffer.concat(parts)
    const [read] = readFrames(sent)
    sent.fill(0)
    assert.deepEqual(read?.blocks[0]?.data, data)
    assert.equal(read.blocks[0].data.buffer.byteLength, data.byteLength)
  })

  it('are refused before they are sent when a block or the whole is too large', () => {
    const blockOf = (length: number): BitswapMessage['blocks'][number] => ({
      prefix: Uint8Array.of(1, 0x55, 0x12, 0x20),
      data: new Uint8Array(length)
    })
    const big = 2 * 1024 * 1024
    encodeMessage({ ...EMPTY, blocks: [blockOf(big)] })
    assert.throws(() => encodeMessage({ ...EMPTY, blocks: [blockOf(big + 1)] }), {
      code: 'ERR_BITSWAP_MESSAGE'
    })
    assert.throws(() => encodeMessage({ ...EMPTY, blocks: [blockOf(big), blockOf(big)] }), {
      code: 'ERR_BITSWAP_MESSAGE'
    })
  })

  it('give no more wants than the limit, however many a peer sends', () => {
    const wants = Array.from({ length: MESSAGE_WANTS_MAX + 100 }, () => WANT)
    const [message] = readFrames(Buffer.concat(encodeMessage({ ...EMPTY, wants })))
    assert.equal(message?.wants.length, MESSAGE_WANTS_MAX)
  })

  it('leave out what an older dialect does not know', () => {
    const message: BitswapMessage = {
      wants: [WANT],
      full: false,
      blocks: [{ prefix: Uint8Array.of(1, 0x55, 0x12, 0x20), data: Uint8Array.of(1, 2, 3) }],
      presences: [{ cid: CID_BYTES, has: true }],
      pendingBytes: 5
    }
    const [v110] = readFrames(Buffer.concat(encodeMessage(message, BITSWAP_110)))
    assert.deepEqual(v110?.wants, [
      { ...WANT, cid: new Uint8Array(CID_BYTES), type: 'block', sendDontHave: false }
    ])
    assert.equal(v110.presences.length, 0)
    assert.equal(v110.blocks[0]?.prefix?.byteLength, 4)
    const [v100] = readFrames(Buffer.concat(encodeMessage(message, BITSWAP_100)))
    assert.deepEqual(v100?.blocks, [{ prefix: undefined, data: Uint8Array.of(1, 2, 3) }])
  })
})
