import assert from 'node:assert/strict'
import { streamPair } from '@libp2p/utils'
import { encodeMessage } from '../../../../dht/query/codec.ts'
import { KAD_MESSAGE } from '../../../../dht/query/index.ts'
import { Link } from '../../../../dht/query/link.ts'

const { signal } = new AbortController()
const PING = encodeMessage({ type: KAD_MESSAGE.ping })

describe('a stream of the DHT', () => {
  it('fails whoever waits on it at once when an answer is none', async () => {
    const [near, far] = await streamPair()
    const link = new Link(near, { nowMs: 0, onLost: () => undefined })
    const asked = [link.ask(PING, 0, signal), link.ask(PING, 0, signal)]
    // two bytes that say a type which does not exist
    far.send(Uint8Array.of(2, 0x08, 0x09))
    for (const answer of asked) await assert.rejects(answer, { code: 'ERR_REQUEST_FAILED' })
    assert.equal(link.pending, 0)
    assert.ok(!link.isOpen)
  })

  it('ends at once when its peer has not ended its side since it was closed', async () => {
    const [near, far] = await streamPair()
    // the peer goes on writing
    far.addEventListener('remoteCloseWrite', () => undefined)
    const lost = Promise.withResolvers<Link>()
    const link = new Link(near, { nowMs: 0, onLost: lost.resolve })
    link.close()
    await new Promise((resolve) => setImmediate(resolve))
    assert.ok(link.isOpen, 'an orderly end takes two')
    link.close()
    assert.equal(await lost.promise, link)
    assert.equal(near.status, 'aborted')
  })
})
