import assert from 'node:assert/strict'
import type { Stream } from '@libp2p/interface'
import { peerIdFromString } from '@libp2p/peer-id'
import { systemRandom } from '#contracts'
import { createKeyPair, peerIdFromDid } from '#did'
import { encodeMessage } from '../../../../dht/query/codec.ts'
import {
  IDLE_CHECK_INTERVAL_MS,
  IDLE_INBOUND_STREAM_MS,
  REQUEST_BYTES_MAX
} from '../../../../dht/query/constants.ts'
import { KAD_MESSAGE } from '../../../../dht/query/index.ts'
import { startInboundStreams } from '../../../../dht/query/inbound.ts'
import type { AnswerMessage, InboundStreams } from '../../../../dht/query/inbound.ts'
import { createPeerBook } from '../../../../dht/query/peer-book.ts'
import { createVirtualClock } from '../../../support/virtual-clock.ts'
import type { VirtualClock } from '../../../support/virtual-clock.ts'

/** A stream that says when there is room to write. */
class FakeStream extends EventTarget {
  sent = 0
  hasRoom = true
  /** Whether the peer ends its side when we end ours. */
  isPolite = true
  readStatus = 'readable'
  status = 'open'
  #drained = Promise.withResolvers<void>()

  send(): boolean {
    this.sent += 1
    return this.hasRoom
  }

  async onDrain(): Promise<void> {
    await this.#drained.promise
  }

  drain(): void {
    this.hasRoom = true
    this.#drained.resolve()
  }

  pause(): void {
    this.readStatus = 'paused'
  }

  resume(): void {
    this.readStatus = 'readable'
  }

  abort(): void {
    this.status = 'aborted'
    this.dispatchEvent(new Event('close'))
  }

  // as a stream of libp2p: what is unsent is waited for
  async close(): Promise<void> {
    if (!this.hasRoom) {
      await this.#drained.promise
      return
    }
    if (!this.isPolite) return
    this.status = 'closed'
    this.dispatchEvent(new Event('close'))
  }

  say(data: Uint8Array): void {
    this.dispatchEvent(Object.assign(new Event('message'), { data }))
  }
}

const PING = encodeMessage({ type: KAD_MESSAGE.ping })

function pings(count: number): Uint8Array {
  return Buffer.alloc(count * PING.length, PING)
}

interface Lab extends Disposable {
  readonly stream: FakeStream
  readonly clock: VirtualClock
}

function lab(answer: AnswerMessage = (_peer, message) => message): Lab {
  const clock = createVirtualClock()
  const inbound: InboundStreams = startInboundStreams({ book: createPeerBook(), answer, clock })
  const stream = new FakeStream()
  const remotePeer = peerIdFromString(peerIdFromDid(createKeyPair(systemRandom).did))
  inbound.serve(stream as unknown as Stream, { remotePeer })
  return { stream, clock, [Symbol.dispose]: () => inbound[Symbol.dispose]() }
}

describe('streams that peers open', () => {
  it('are answered however many messages come at once', () => {
    using net = lab()
    net.stream.say(pings(200_000))
    assert.equal(net.stream.sent, 200_000)
    assert.equal(net.stream.status, 'open')
  })

  it('are not read while their peer does not read, and are when it does', async () => {
    using net = lab()
    net.stream.hasRoom = false
    net.stream.say(pings(1))
    for (let said = 0; said <= REQUEST_BYTES_MAX; said += 1_000 * PING.length) net.stream.say(pings(1_000))
    assert.equal(net.stream.readStatus, 'paused')
    assert.equal(net.stream.sent, 1)
    net.stream.drain()
    await net.clock.settle()
    assert.equal(net.stream.readStatus, 'readable')
    assert.equal(net.stream.sent, 1 + 1_000 * Math.ceil((REQUEST_BYTES_MAX + 1) / (1_000 * PING.length)))
  })

  it('end when they are not used, also when what was sent is not read', async () => {
    using idle = lab()
    idle.stream.say(pings(1))
    using stuck = lab()
    stuck.stream.hasRoom = false
    stuck.stream.say(pings(2))
    for (const net of [idle, stuck])
      await net.clock.advance(IDLE_INBOUND_STREAM_MS + 2 * IDLE_CHECK_INTERVAL_MS)
    assert.equal(idle.stream.status, 'closed')
    assert.equal(stuck.stream.status, 'aborted')
  })

  it('end when no whole message comes, however often a part of one does', async () => {
    using net = lab()
    const message = pings(1)
    const untilMs = IDLE_INBOUND_STREAM_MS + 2 * IDLE_CHECK_INTERVAL_MS
    const parts = [...message.subarray(0, -1)].map((byte) => Uint8Array.of(byte))
    for (const part of parts) {
      net.stream.say(part)
      await net.clock.advance(untilMs / parts.length)
    }
    assert.equal(net.stream.status, 'closed')
  })

  it('end when their peer does not end its side', async () => {
    using net = lab()
    net.stream.isPolite = false
    net.stream.say(pings(1))
    await net.clock.advance(IDLE_INBOUND_STREAM_MS + 3 * IDLE_CHECK_INTERVAL_MS)
    assert.equal(net.stream.status, 'aborted')
  })

  it('end once what was asked before their end has been answered', async () => {
    const answered = Promise.withResolvers<undefined>()
    using net = lab(async () => await answered.promise)
    net.stream.say(pings(1))
    net.stream.dispatchEvent(new Event('remoteCloseWrite'))
    assert.equal(net.stream.status, 'open')
    answered.resolve(undefined)
    await net.clock.settle()
    assert.equal(net.stream.status, 'closed')
  })
})
