import assert from 'node:assert/strict'
import fc from 'fast-check'
import { encodeFrame, FRAME, FrameDecoder, FrameTooLargeError } from '../../../capsule-host/guest/frames.ts'
import { GuestInput, InputOverflowError } from '../../../capsule-host/guest/streams.ts'
import { createRefusingChannel } from '../../../capsule-host/process/channel.ts'
import { Rate } from '../../../capsule-host/process/rate.ts'
import { StdinPump } from '../../../capsule-host/process/stdin-pump.ts'
import invalid from '../../vectors/capsule-channel/invalid.json' with { type: 'json' }
import valid from '../../vectors/capsule-channel/valid.json' with { type: 'json' }
import { createVirtualClock } from '../../support/virtual-clock.ts'

describe('frames', () => {
  it('come out as they went in, however the pipe cuts them', () => {
    const payloads = fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 8 })
    const cutsOf = fc.array(fc.integer({ min: 1, max: 90 }), { minLength: 1 })
    fc.assert(
      fc.property(payloads, cutsOf, (sent, cuts) => {
        const pipe = Buffer.concat(sent.map((payload) => encodeFrame(FRAME.stdout, payload)))
        const decoder = new FrameDecoder()
        const got: Uint8Array[] = []
        for (let offset = 0, turn = 0; offset < pipe.byteLength; turn++) {
          const size = cuts[turn % cuts.length]!
          for (const { payload } of decoder.push(pipe.subarray(offset, offset + size))) got.push(payload)
          offset += size
        }
        assert.deepEqual(got, sent)
      })
    )
  })

  it('that announce more than they may are refused before they come', () => {
    const head = Buffer.alloc(5)
    head.writeUInt32LE(64 * 1024 + 1, 1)
    assert.throws(() => new FrameDecoder().push(head), FrameTooLargeError)
  })
})

describe('input on its way to a program', () => {
  it('is never more than its window', () => {
    const input = new GuestInput({ windowBytes: 8 })
    input.push(new Uint8Array(8))
    assert.throws(() => input.push(new Uint8Array(1)), InputOverflowError)
  })

  it('is dropped after its end', () => {
    const input = new GuestInput({ windowBytes: 8 })
    input.end()
    input.push(new Uint8Array(4))
    assert.equal(input.readableBytes, 0)
    assert(input.isDrained)
  })
})

describe('the pump of standard input', () => {
  const collect = (): { sent: string[]; target: { send(bytes: Uint8Array): void; end(): void } } => {
    const sent: string[] = []
    return {
      sent,
      target: { send: (bytes) => sent.push(Buffer.from(bytes).toString()), end: () => sent.push('END') }
    }
  }
  async function* source(...texts: string[]): AsyncGenerator<Uint8Array> {
    for (const text of texts) yield Buffer.from(text)
  }

  it('sends no more than was asked for', async () => {
    const { sent, target } = collect()
    const pump = new StdinPump(source('abcdef'), target)
    const running = pump.run()
    await new Promise(setImmediate)
    assert.deepEqual(sent, [])
    pump.want(4, 100)
    await new Promise(setImmediate)
    assert.deepEqual(sent, ['abcd'])
    pump.want(100, 100)
    await running
    assert.deepEqual(sent, ['abcd', 'ef', 'END'])
  })

  it('believes no more than the window, whatever is asked for', async () => {
    const { sent, target } = collect()
    const pump = new StdinPump(source('x'.repeat(50)), target)
    void pump.run()
    pump.want(0xffff_ffff, 10)
    await new Promise(setImmediate)
    assert.equal(sent.join('').length, 10)
    pump.stop()
  })

  it('ends the input of a capsule when its source fails', async () => {
    const { sent, target } = collect()
    const pump = new StdinPump(
      (async function* () {
        yield Buffer.from('a')
        throw new Error('unplugged')
      })(),
      target
    )
    pump.want(100, 100)
    await pump.run()
    assert.deepEqual(sent, ['a', 'END'])
  })

  it('lets go of its source when it is stopped, and sends nothing more', async () => {
    const { sent, target } = collect()
    let isReturned = false
    const pump = new StdinPump(
      {
        [Symbol.asyncIterator]: () => ({
          next: async () => ({ done: false, value: Buffer.from('a') }),
          return: async () => ((isReturned = true), { done: true, value: undefined })
        })
      },
      target
    )
    const running = pump.run()
    pump.stop()
    await running
    assert(isReturned)
    assert.deepEqual(sent, [])
  })
})

describe('the rate of output', () => {
  it('lets a second pass at once and holds back what is over', async () => {
    const clock = createVirtualClock()
    const rate = new Rate(clock, 1000)
    const { signal } = new AbortController()
    await rate.take(1000, signal)
    let hasPassed = false
    const taken = rate.take(500, signal).then(() => (hasPassed = true))
    await clock.advance(499)
    assert.equal(hasPassed, false)
    await clock.advance(1)
    await taken
  })

  it('is given up with its capsule', async () => {
    const stop = new AbortController()
    const rate = new Rate(createVirtualClock(), 1)
    const taken = rate.take(100, stop.signal)
    stop.abort(new Error('ended'))
    await assert.rejects(taken)
  })
})

describe('the runtime channel', () => {
  const nobody = { send: () => undefined }

  for (const { comment, sent, answers } of valid) {
    it(`answers ${comment}`, () => {
      let said = ''
      const channel = createRefusingChannel({ send: (bytes) => void (said += Buffer.from(bytes).toString()) })
      channel.push(Buffer.from(`${sent}\n`))
      const lines = said.split('\n')
      assert.equal(lines.pop(), '')
      assert.deepEqual(
        lines.map((line) => JSON.parse(line) as unknown),
        answers
      )
    })
  }

  for (const { comment, code, sent } of invalid) {
    it(`is broken by ${comment}`, () => {
      assert.throws(() => createRefusingChannel(nobody).push(Buffer.from(`${sent}\n`)), { code })
    })
  }

  it('is broken by a line that is too long, before it ends', () => {
    const channel = createRefusingChannel(nobody)
    channel.push(new Uint8Array(64 * 1024).fill(0x20))
    assert.throws(() => channel.push(new Uint8Array(1).fill(0x20)), { code: 'ERR_CAPSULE_CHANNEL' })
  })
})
