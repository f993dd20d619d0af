import assert from 'node:assert/strict'
import fc from 'fast-check'
import {
  ChannelStream,
  SenderFailed,
  type StreamWire
} from '../../../../capsule-host/broker/channel-stream.ts'
import { refusal } from '../../../../capsule-host/broker/refusal.ts'

interface Pair {
  readonly near: ChannelStream
  readonly far: ChannelStream
  /** Most items that were on their way or waiting at the far end at a time. */
  readonly peak: () => number
}

/** Two ends of one stream, each of which hears the other at once. */
function pair(): Pair {
  let onTheWay = 0
  let peak = 0
  const wireTo = (other: () => ChannelStream, isCounted: boolean): StreamWire => ({
    next: (item) => {
      if (isCounted) peak = Math.max(peak, ++onTheWay)
      other().take(item)
      return true
    },
    credit: (count) => {
      if (!isCounted) onTheWay -= count
      other().allow(count)
    },
    end: (code) => other().takeEnd(code),
    close: () => other().takeClose()
  })
  const near: ChannelStream = new ChannelStream(
    wireTo(() => far, true),
    { sendable: 4, receivable: 4 }
  )
  const far: ChannelStream = new ChannelStream(
    wireTo(() => near, false),
    { sendable: 4, receivable: 4 }
  )
  return { near, far, peak: () => peak }
}

async function collect(source: AsyncIterable<unknown>, pauseEvery = 0): Promise<unknown[]> {
  const items: unknown[] = []
  for await (const item of source) {
    items.push(item)
    if (pauseEvery > 0 && items.length % pauseEvery === 0) await new Promise(setImmediate)
  }
  return items
}

async function* numbers(count: number, pauseEvery = 0): AsyncGenerator<number> {
  for (let at = 0; at < count; at++) {
    if (pauseEvery > 0 && at % pauseEvery === 0) await new Promise(setImmediate)
    yield at
  }
}

const codeOf = (): ReturnType<typeof refusal> => refusal('ERR_PROVIDER_FAILED')

describe('a stream of the runtime channel', () => {
  it('brings everything both ways, in order, never more than was allowed', async () => {
    const amount = fc.integer({ min: 0, max: 60 })
    const pace = fc.integer({ min: 0, max: 5 })
    await fc.assert(
      fc.asyncProperty(amount, amount, fc.tuple(pace, pace, pace), async (there, back, [one, two, three]) => {
        const { near, far, peak } = pair()
        const pumping = [near.pump(numbers(there, one), codeOf), far.pump(numbers(back, two), codeOf)]
        const got = await Promise.all([collect(far.received(), three), collect(near.received())])
        await Promise.all(pumping)
        assert.deepEqual(got, [
          Array.from({ length: there }, (_, at) => at),
          Array.from({ length: back }, (_, at) => at)
        ])
        assert(peak() <= 4, String(peak()))
        assert(near.closed.aborted && far.closed.aborted)
      }),
      { numRuns: 100 }
    )
  })

  it('brings what came before its failure, and then the code', async () => {
    const { near, far } = pair()
    async function* failing(): AsyncGenerator<number> {
      yield 1
      throw new Error('disk')
    }
    void near.pump(failing(), codeOf)
    const items: unknown[] = []
    await assert.rejects(
      async () => {
        for await (const item of far.received()) items.push(item)
      },
      (thrown) => thrown instanceof SenderFailed && thrown.code === 'ERR_PROVIDER_FAILED'
    )
    assert.deepEqual(items, [1])
  })

  it('lets go of its source when nobody wants more of it', async () => {
    const { near, far } = pair()
    let isReturned = false
    const source = {
      [Symbol.asyncIterator]: () => ({
        next: async () => await new Promise<never>(() => undefined),
        return: async () => {
          isReturned = true
          return await Promise.resolve({ done: true as const, value: undefined })
        }
      })
    }
    void near.pump(source, codeOf)
    far.stopReceiving()
    await new Promise(setImmediate)
    assert(isReturned)
    assert(near.closed.aborted)
  })

  it('ends both ways when its other end is gone', async () => {
    const { near } = pair()
    const reading = collect(near.received())
    near.drop(refusal('ERR_PROVIDER_GONE'))
    await assert.rejects(reading, { code: 'ERR_PROVIDER_GONE' })
  })
})
