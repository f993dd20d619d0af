import assert from 'node:assert/strict'
import type { Stream } from '@libp2p/interface'
import { Channel } from '../../../../content/bitswap/channel.ts'
import { FrameReader } from '../../../../content/bitswap/frame-reader.ts'
import { DEFAULT_BITSWAP_LIMITS } from '../../../../content/bitswap/limits.ts'
import { decodeMessage, type BitswapMessage, type WantEntry } from '../../../../content/bitswap/message.ts'
import { createVirtualClock, type VirtualClock } from '../../../support/virtual-clock.ts'
import { rawCid, text } from './session-fixture.ts'

const LIMITS = DEFAULT_BITSWAP_LIMITS

/** As much of a libp2p stream as a channel uses; `isStuck` makes it buffer what it is given. */
class FakeStream extends EventTarget {
  protocol = '/ipfs/bitswap/1.2.0'
  status = 'open'
  writeStatus = 'writable'
  writeBufferLength = 0
  writableNeedsDrain = false
  isStuck = false
  failsToSend = false
  readonly messages: BitswapMessage[] = []
  readonly #reader: FrameReader

  constructor() {
    super()
    const budget = { take: () => undefined, give: () => undefined }
    const onFrame = (chunks: readonly Uint8Array[]): void => void this.messages.push(decodeMessage(chunks))
    this.#reader = new FrameReader({ budget, onFrame })
  }

  send(data: Uint8Array): boolean {
    if (this.failsToSend || this.writeStatus !== 'writable') throw new Error('cannot write')
    this.#reader.push(data)
    if (!this.isStuck) return true
    this.writeBufferLength += data.byteLength
    this.writableNeedsDrain = true
    return false
  }

  /** The other side takes `bytes`; as libp2p does, `drain` says only that some went. */
  drain(bytes: number): void {
    this.writeBufferLength = Math.max(0, this.writeBufferLength - bytes)
    this.writableNeedsDrain = this.writeBufferLength > 0
    this.dispatchEvent(new Event('drain'))
  }

  closeRead(): Promise<void> {
    return Promise.resolve()
  }

  close(): Promise<void> {
    this.#end('closed')
    return Promise.resolve()
  }

  abort(): void {
    this.#end('aborted')
  }

  #end(status: string): void {
    this.status = status
    this.writeStatus = 'closed'
    this.writeBufferLength = 0
    this.dispatchEvent(new Event('close'))
  }
}

interface Fixture {
  readonly channel: Channel
  readonly clock: VirtualClock
  readonly streams: FakeStream[]
  readonly lost: unknown[]
}

function createFixture(prepare: (stream: FakeStream, index: number) => void = () => undefined): Fixture {
  const clock = createVirtualClock()
  const streams: FakeStream[] = []
  const lost: unknown[] = []
  const openStream = (signal: AbortSignal): Promise<Stream> => {
    signal.throwIfAborted()
    const stream = new FakeStream()
    prepare(stream, streams.length)
    streams.push(stream)
    return Promise.resolve(stream as unknown as Stream)
  }
  const channel = new Channel({ clock, openStream, onLost: (cause) => lost.push(cause) }, LIMITS)
  return { channel, clock, streams, lost }
}

const want = (name: string, entry: Partial<WantEntry> = {}): WantEntry => {
  const cid = rawCid(text(name)).bytes
  return { cid, priority: 1, cancel: false, type: 'block', sendDontHave: true, ...entry }
}
const answer = (length: number): Pick<BitswapMessage, 'blocks' | 'presences'> => ({
  blocks: [{ prefix: Uint8Array.of(1, 0x55, 0x12, 0x20), data: new Uint8Array(length) }],
  presences: []
})

describe('sending to a peer', () => {
  it('puts the wants of one moment into one message, the latest of a block only', async () => {
    const { channel, clock, streams } = createFixture()
    channel.want(want('a', { type: 'have' }))
    channel.want(want('b'))
    channel.want(want('a'))
    channel.want(want('b', { cancel: true }))
    await clock.settle()
    assert.deepEqual(
      streams[0]?.messages.map(({ wants }) => wants.map(({ type, cancel }) => `${type} ${cancel}`)),
      [['block false', 'block true']]
    )
  })

  it('keeps one stream while there is something to send, and closes it when idle', async () => {
    const { channel, clock, streams } = createFixture()
    for (const name of ['a', 'b', 'c']) {
      channel.want(want(name))
      await clock.advance(LIMITS.streamIdleMs / 2)
    }
    assert.equal(streams.length, 1)
    await clock.advance(LIMITS.streamIdleMs)
    assert.equal(streams[0]?.status, 'closed')
    channel.want(want('d'))
    await clock.settle()
    assert.equal(streams[1]?.messages.length, 1)
  })

  it('resolves an answer only when the stream has taken all of it, and sends none before', async () => {
    const { channel, clock, streams } = createFixture((stream) => {
      stream.isStuck = true
    })
    const taken: string[] = []
    const first = channel.answer(answer(100_000)).then(() => taken.push('first'))
    const second = channel.answer(answer(100_000)).then(() => taken.push('second'))
    await clock.settle()
    const [stream] = streams as [FakeStream]
    stream.drain(40_000)
    await clock.settle()
    assert.deepEqual([stream.messages.length, taken], [1, []])
    stream.drain(Infinity)
    await clock.settle()
    assert.deepEqual([stream.messages.length, taken], [2, ['first']])
    stream.drain(Infinity)
    await Promise.all([first, second])
  })

  it('gives a peer up that takes nothing, and keeps one that takes a little again and again', async () => {
    const { channel, clock, streams, lost } = createFixture((stream) => {
      stream.isStuck = true
    })
    const sent = channel.answer(answer(100_000))
    const rejected = assert.rejects(sent, { code: 'ERR_BITSWAP_SEND' })
    for (let step = 0; step < 10; step++) {
      await clock.advance(LIMITS.sendStallTimeoutMs - 1)
      streams[0]?.drain(1_000)
    }
    assert.equal(lost.length, 0)
    await clock.advance(LIMITS.sendStallTimeoutMs + 1)
    await rejected
    assert.equal(lost.length, 1)
    assert.equal(streams[0]?.status, 'aborted')
    assert.equal(clock.pendingCount(), 0)
  })

  it('sends a message once more when the stream it had kept is dead', async () => {
    const { channel, clock, streams, lost } = createFixture()
    channel.want(want('a'))
    await clock.settle()
    const [kept] = streams as [FakeStream]
    kept.failsToSend = true
    await channel.answer(answer(10))
    assert.equal(lost.length, 0)
    assert.equal(streams[1]?.messages.length, 1)
  })

  it('reports a peer that cannot be sent to, and rejects what waits', async () => {
    const { channel, clock, lost } = createFixture((stream) => {
      stream.failsToSend = true
    })
    channel.want(want('a'))
    await assert.rejects(channel.answer(answer(10)))
    await clock.settle()
    assert.equal(lost.length, 1)
  })

  it('refuses more answers than its queue holds', async () => {
    const { channel, clock, streams } = createFixture((stream) => {
      stream.isStuck = true
    })
    const waiting: Promise<unknown>[] = []
    let refused = 0
    for (let count = 0; count < LIMITS.sendQueueMax + 10; count++) {
      waiting.push(channel.answer(answer(1)).catch(() => refused++))
    }
    await clock.settle()
    assert.equal(refused, 10)
    channel[Symbol.dispose]()
    await Promise.all(waiting)
    assert.equal(streams[0]?.status, 'aborted')
  })

  it('sends nothing and holds no timer once disposed', async () => {
    const { channel, clock, streams } = createFixture()
    channel.want(want('a'))
    await clock.settle()
    channel[Symbol.dispose]()
    channel.want(want('b'))
    await assert.rejects(channel.answer(answer(1)), { code: 'ERR_BITSWAP_SEND' })
    await clock.settle()
    assert.deepEqual([streams.length, clock.pendingCount()], [1, 0])
  })
})
