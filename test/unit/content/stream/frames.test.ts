import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { CID } from 'multiformats/cid'
import { cidOf, RAW_CODEC } from '#content'
import { FrameReader } from '../../../../content/stream/frame-reader.ts'
import { encodeFrame } from '../../../../content/stream/frames.ts'
import type { Frame } from '../../../../content/stream/frames.ts'

interface Vector {
  readonly name: string
  readonly hex: string
}

const vectors = (file: string): (Vector & { readonly frame?: unknown })[] =>
  JSON.parse(
    readFileSync(join(import.meta.dirname, '../../../vectors/dag-stream', file), 'utf8')
  ) as (Vector & { readonly frame?: unknown })[]

/** Frames as text, so that a vector shows them. */
function shown(frame: Frame): unknown {
  return JSON.parse(
    JSON.stringify(frame, (_key, value: unknown) => {
      const cid = CID.asCID(value)
      if (cid !== null) return cid.toString()
      return value instanceof Uint8Array ? Buffer.from(value).toString('hex') : value
    })
  )
}

function read(bytes: Uint8Array, pieceBytes = bytes.length): Frame[] {
  const frames: Frame[] = []
  const reader = new FrameReader((frame) => frames.push(frame))
  for (let at = 0; at < bytes.length; at += pieceBytes) reader.push(bytes.subarray(at, at + pieceBytes))
  assert.ok(reader.isBetween, 'a frame is unfinished')
  return frames
}

const digest = fc.uint8Array({ minLength: 32, maxLength: 32 })
const cid = fc.uint8Array({ maxLength: 64 }).map((bytes) => cidOf(RAW_CODEC, bytes))
const anyFrame: fc.Arbitrary<Frame> = fc.oneof(
  fc.record({
    type: fc.constant('ask' as const),
    ask: fc.record({
      roots: fc.array(cid, { minLength: 1, maxLength: 20 }),
      below: fc.boolean(),
      path: fc.array(fc.string({ maxLength: 60 }), { maxLength: 5 }),
      range: fc.option(
        fc.record({ from: fc.nat(), bytes: fc.integer({ min: 1, max: 1 << 30 }) }).map(({ from, bytes }) => ({
          from,
          to: from + bytes
        })),
        { nil: undefined }
      )
    })
  }),
  fc.record({ type: fc.constant('more' as const), bytes: fc.nat({ max: 1 << 26 }) }),
  fc.record({ type: fc.constant('handed-back' as const), steps: fc.nat() }),
  fc.record({ type: fc.constant('block' as const), bytes: fc.uint8Array({ maxLength: 40_000 }) }),
  fc.record({
    type: fc.constant('end' as const),
    reason: fc.constantFrom('done' as const, 'limit' as const)
  }),
  fc.record({ type: fc.constant('socket-hello' as const), fingerprint: digest }),
  fc.record({ type: fc.constant('socket-token' as const), fingerprint: digest, token: digest }),
  fc.record({
    type: fc.constantFrom('split' as const, 'absent' as const, 'socket-please' as const, 'socket-no' as const)
  })
)

describe('frames of a DAG stream', () => {
  it('are what the vectors say', () => {
    for (const { name, hex, frame } of vectors('valid.json')) {
      const [decoded, ...rest] = read(Buffer.from(hex, 'hex'))
      assert.ok(decoded !== undefined && rest.length === 0, name)
      assert.deepEqual(shown(decoded), frame, name)
      assert.equal(Buffer.from(encodeFrame(decoded)).toString('hex'), hex, name)
    }
  })

  it('are refused where the vectors say so', () => {
    for (const { name, hex } of vectors('invalid.json')) {
      assert.throws(() => read(Buffer.from(hex, 'hex')), { code: 'ERR_DAG_STREAM_FRAME' }, name)
    }
  })

  it('come back as they were, however they are cut', () => {
    fc.assert(
      fc.property(
        fc.array(anyFrame, { maxLength: 8 }),
        fc.integer({ min: 1, max: 5_000 }),
        (frames, pieceBytes) => {
          const bytes = Buffer.concat(frames.map(encodeFrame))
          assert.deepEqual(read(bytes, pieceBytes).map(shown), frames.map(shown))
        }
      ),
      { numRuns: 200 }
    )
  })

  it('are read or refused, never anything else, whatever comes', () => {
    const mutated = fc
      .tuple(
        fc.array(anyFrame, { minLength: 1, maxLength: 3 }),
        fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 4 })
      )
      .map(([frames, changes]) => {
        const bytes = Buffer.concat(frames.map(encodeFrame))
        for (const [at, value] of changes) bytes[at % bytes.length] = value
        return bytes
      })
    fc.assert(
      fc.property(fc.oneof(mutated, fc.uint8Array({ maxLength: 500 })), (bytes) => {
        try {
          new FrameReader(() => undefined).push(bytes)
        } catch (thrown) {
          assert.equal((thrown as { code?: unknown }).code, 'ERR_DAG_STREAM_FRAME')
        }
      }),
      { numRuns: 500 }
    )
  })

  it('hold a block in one piece that later frames do not touch', () => {
    const blocks = Array.from({ length: 12 }, (_, index) => new Uint8Array(600_000).fill(index + 1))
    const bytes = Buffer.concat(blocks.map((block) => encodeFrame({ type: 'block', bytes: block })))
    const frames = read(bytes, 65_536)
    for (const [index, frame] of frames.entries()) {
      assert.ok(frame.type === 'block')
      assert.deepEqual(frame.bytes, blocks[index])
    }
  })
})
