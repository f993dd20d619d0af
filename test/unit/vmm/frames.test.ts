import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { decodeExit, decodeFailed, decodeHello, encodeStart } from '../../../vmm/channel/messages.ts'
import { encodeVmFrame, VmFrameDecoder, type VmFrame, type VmFrameType } from '../../../vmm/channel/frames.ts'

interface FrameVector {
  readonly name: string
  readonly hex: string
  readonly type: number
  readonly stream: number
  readonly payload: string
}
interface MessageVector {
  readonly name: string
  readonly message: 'frame' | 'hello' | 'exit' | 'failed'
  readonly hex: string
}

const valid = vectors('valid') as {
  readonly frames: readonly FrameVector[]
  readonly start: StartVector
  readonly rehearsal: StartVector
}
type StartVector = { readonly hex: string; readonly seedByte: number } & Parameters<typeof encodeStart>[0]
const invalid = vectors('invalid') as readonly MessageVector[]

describe('frames of a machine’s channel', () => {
  for (const { name, hex, type, stream, payload } of valid.frames) {
    it(`are written and read as their vector says: ${name}`, () => {
      const bytes = Buffer.from(hex, 'hex')
      const encoded = encodeVmFrame(type as VmFrameType, stream, Buffer.from(payload, 'hex'))
      assert.equal(Buffer.from(encoded).toString('hex'), hex)
      assert.deepEqual(framesOf([bytes]), [{ type, stream, payload }])
      assert.deepEqual(framesOf([...bytes].map((byte) => Uint8Array.of(byte))), [{ type, stream, payload }])
    })
  }

  it('are cut the same wherever the bytes were cut', () => {
    const all = Buffer.from(valid.frames.map(({ hex }) => hex).join(''), 'hex')
    const expected = framesOf([all])
    assert.equal(expected.length, valid.frames.length)
    for (let cut = 0; cut <= all.length; cut += 1) {
      assert.deepEqual(framesOf([all.subarray(0, cut), all.subarray(cut)]), expected)
    }
  })

  it('tell a guest what to run, for good or once for nothing, as their vectors say', () => {
    for (const { hex, seedByte, ...start } of [valid.start, valid.rehearsal]) {
      const encoded = encodeStart({ ...start, seed: new Uint8Array(64).fill(seedByte) })
      assert.equal(Buffer.from(encoded).toString('hex'), hex)
    }
  })

  it('refuse a program that no guest could be told of', () => {
    const seed = new Uint8Array(64)
    for (const program of [
      { args: [] },
      { args: ['sh'] },
      { args: ['/bin/sh', 'a\0b'] },
      { args: ['/bin/sh'], environment: { 'A=B': '' } },
      { args: ['/bin/sh', 'x'.repeat(70_000)] },
      { args: ['/bin/sh', ...Array.from({ length: 600 }, () => '')] }
    ]) {
      assert.throws(() => encodeStart({ program, userId: 1000, seed, nowMs: 0 }), { code: 'ERR_VM_PLAN' })
    }
  })

  it('read how a program ended', () => {
    assert.deepEqual(decodeHello(Uint8Array.of(1, 2)), [1, 2])
    assert.deepEqual(decodeExit(Uint8Array.of(0, 255)), { kind: 'code', code: 255 })
    assert.deepEqual(decodeExit(Uint8Array.of(1, 9)), { kind: 'signal', signal: 9 })
    const failure = decodeFailed(Uint8Array.of(4, 2, 0, 0, 0))
    assert.equal(failure.code, 'ERR_VM_PROGRAM')
    assert.match(failure.message, /starting its program, error number 2/)
  })

  for (const { name, message, hex } of invalid) {
    it(`refuse what a guest may not say: ${name}`, () => {
      const bytes = Buffer.from(hex, 'hex')
      const read = {
        frame: () => framesOf([bytes]),
        hello: decodeHello,
        exit: decodeExit,
        failed: decodeFailed
      }
      assert.throws(() => read[message](bytes), { code: 'ERR_VM_CHANNEL' })
    })
  }
})

function framesOf(chunks: readonly Uint8Array[]): { type: number; stream: number; payload: string }[] {
  const frames: { type: number; stream: number; payload: string }[] = []
  const decoder = new VmFrameDecoder()
  const take = ({ type, stream, payload }: VmFrame): void => {
    frames.push({ type, stream, payload: Buffer.from(payload).toString('hex') })
  }
  for (const chunk of chunks) decoder.push(chunk, take)
  return frames
}

function vectors(name: string): unknown {
  return JSON.parse(
    readFileSync(new URL(`../../vectors/vm-channel/${name}.json`, import.meta.url), 'utf8')
  ) as unknown
}
