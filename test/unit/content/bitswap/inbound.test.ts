import assert from 'node:assert/strict'
import type { Stream } from '@libp2p/interface'
import { silentLogger } from '#contracts'
import { Inbound } from '../../../../content/bitswap/inbound.ts'
import { DEFAULT_BITSWAP_LIMITS } from '../../../../content/bitswap/limits.ts'
import { encodeMessage } from '../../../../content/bitswap/message.ts'
import { BITSWAP_120 } from '../../../../content/bitswap/constants.ts'
import { createFlow } from '../../../../content/flow/index.ts'
import { cidOf, RAW_CODEC } from '../../../../content/cid.ts'
import { createVirtualClock } from '../../../support/virtual-clock.ts'
import { utf8 } from '../fixture.ts'

/** As much of a stream as is read from. */
class ReadStream extends EventTarget {
  readStatus: 'readable' | 'paused' = 'readable'
  maxReadBufferLength = 0
  readBufferLength = 0

  pause(): void {
    this.readStatus = 'paused'
  }

  resume(): void {
    this.readStatus = 'readable'
  }

  async close(): Promise<void> {
    await Promise.resolve()
  }

  deliver(data: Uint8Array): void {
    this.dispatchEvent(Object.assign(new Event('message'), { data }))
  }
}

const wantOf = (text: string): Uint8Array => {
  const { bytes: cid } = cidOf(RAW_CODEC, utf8(text))
  const want = { cid, priority: 1, cancel: false, type: 'block', sendDontHave: true } as const
  return Buffer.concat(
    encodeMessage({ wants: [want], full: false, blocks: [], presences: [], pendingBytes: 0 }, BITSWAP_120)
  )
}

describe('what peers send over bitswap', () => {
  it('is read on only when the bytes and all requests of a chunk were waited for', async () => {
    const clock = createVirtualClock()
    const init = { download: { total: 1_000 }, limits: { requests: { peer: 5 } } }
    using flow = createFlow({ clock, logger: silentLogger }, init)
    let messages = 0
    const inbound = new Inbound(
      {
        onMessage: () => messages++,
        onProgress: () => undefined,
        onRefused: () => assert.fail('refused'),
        openFlow: (peerId, abandon) => flow.open({ peerId, protocol: 'bitswap', abandon })
      },
      DEFAULT_BITSWAP_LIMITS
    )
    const stream = new ReadStream()
    inbound.accept(stream as unknown as Stream, 'peer')
    const chunk = Buffer.concat(Array.from({ length: 100 }, (_, index) => wantOf(String(index))))
    // The bytes alone would be waited for only for some seconds.
    stream.deliver(chunk)
    await clock.advance(5_000)
    assert.equal(stream.readStatus, 'readable')
    stream.deliver(chunk)
    assert.equal(messages, 200)
    await clock.advance(10_000)
    assert.equal(stream.readStatus, 'paused')
    await clock.advance(10_000)
    assert.equal(stream.readStatus, 'readable')
  })
})
