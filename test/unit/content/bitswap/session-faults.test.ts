import assert from 'node:assert/strict'
import type { CID } from 'multiformats/cid'
import { DEFAULT_BITSWAP_LIMITS } from '../../../../content/bitswap/limits.ts'
import {
  blockOf,
  createSessionFixture,
  giveMany,
  rawCid,
  settle,
  text,
  type SessionFixture
} from './session-fixture.ts'

const LIMITS = DEFAULT_BITSWAP_LIMITS
const signal = (): AbortSignal => new AbortController().signal

describe('a session without a helpful peer', () => {
  const fails = (
    title: string,
    o: { code: string; hasRouting?: boolean; prepare(f: SessionFixture): void }
  ): void => {
    it(`fails with ${o.code}: ${title}`, async () => {
      const f = createSessionFixture()
      o.prepare(f)
      const root = rawCid(text('root'))
      const session = f.createSession(root, { hasRouting: o.hasRouting ?? true })
      const fetched = settle(f, session.fetch(root, { signal: signal() }))
      await assert.rejects(fetched, { name: 'ContentError', code: o.code })
      assert.ok(f.clock.monotonicMs() < 3 * LIMITS.searchTimeoutMs, `${f.clock.monotonicMs()} ms`)
      await f.clock.advance(LIMITS.searchTimeoutMs)
      assert.equal(f.clock.pendingCount(), 0)
    })
  }

  fails('nobody is connected and there is no content routing', {
    code: 'ERR_ROUTING_OFF',
    hasRouting: false,
    prepare: () => undefined
  })
  fails('content routing knows nobody', { code: 'ERR_CONTENT_NO_PROVIDERS', prepare: () => undefined })
  fails('content routing knows nobody and the connected peer has nothing', {
    code: 'ERR_CONTENT_NO_PROVIDERS',
    prepare: (f) => {
      f.addPeer('neighbour')
      f.connected.add('neighbour')
    }
  })
  fails('content routing fails', {
    code: 'ERR_CONTENT_NO_PROVIDERS',
    prepare: (f) => {
      f.providers = () => {
        throw new Error('no DHT peers')
      }
    }
  })
  fails('the provider cannot be reached', {
    code: 'ERR_PROVIDER_UNREACHABLE',
    prepare: (f) => {
      f.addPeer('gone', { isReachable: false })
      f.providers = () => ['gone']
    }
  })
  fails('the provider does not have it after all', {
    code: 'ERR_CONTENT_NOT_FOUND',
    prepare: (f) => {
      f.addPeer('forgetful')
      f.providers = () => ['forgetful']
    }
  })
  fails('the provider never answers', {
    code: 'ERR_CONTENT_NOT_FOUND',
    prepare: (f) => {
      f.addPeer('silent', { behaviour: 'silent' })
      f.providers = () => ['silent']
    }
  })
  fails('the provider accepts connections and no streams', {
    code: 'ERR_CONTENT_NOT_FOUND',
    prepare: (f) => {
      f.addPeer('resetting', { behaviour: 'resetting', delayMs: 3_000 })
      f.providers = () => ['resetting']
    }
  })
  fails('the only provider sends wrong blocks', {
    code: 'ERR_CONTENT_WRONG_BLOCK',
    prepare: (f) => {
      f.give(f.addPeer('hostile', { behaviour: 'flipping' }), text('root'))
      f.providers = () => ['hostile']
    }
  })
})

describe('a session that is sent wrong blocks', () => {
  it('gets each block from the honest peer, notes the other and disconnects it', async () => {
    const f = createSessionFixture()
    const hostile = f.addPeer('hostile', { behaviour: 'flipping', delayMs: 1 })
    const honest = f.addPeer('honest', { delayMs: 20 })
    const cids = giveMany(f, [hostile, honest], 30)
    f.providers = () => ['hostile', 'honest']
    const session = f.createSession(cids[0] as CID)
    const blocks = await settle(f, Promise.all(cids.map((cid) => session.fetch(cid, { signal: signal() }))))
    assert.deepEqual(
      blocks,
      cids.map((_, index) => text(`block ${index}`))
    )
    assert.ok(
      f.misbehaviour.every(({ peerId, reason }) => peerId === 'hostile' && reason === 'unwanted-block')
    )
    assert.equal(f.misbehaviour.at(-1)?.disconnected, true)
    assert.ok(!f.connected.has('hostile'))
    assert.ok(f.clock.monotonicMs() < LIMITS.wantTimeoutMs, 'no want waited for a timeout')
  })

  it('does not take a late block for a wrong one, nor the same block twice for two asks', async () => {
    const f = createSessionFixture()
    const [slow, fast] = [f.addPeer('slow', { delayMs: 9_000 }), f.addPeer('fast')]
    const root = f.give(slow, text('root'))
    f.give(fast, text('root'))
    f.providers = () => ['slow', 'fast']
    await settle(f, f.createSession(root).fetch(root, { signal: signal() }))
    await f.clock.advance(10_000)
    assert.equal(f.misbehaviour.length, 0)
    assert.equal(f.client.stats().blocksLate, 1)
  })

  it('notes blocks that were asked for once and come again and again', async () => {
    const f = createSessionFixture()
    const peer = f.addPeer('peer')
    const root = f.give(peer, text('root'))
    f.providers = () => ['peer']
    await settle(f, f.createSession(root).fetch(root, { signal: signal() }))
    for (let count = 0; count < LIMITS.strikesMax; count++) {
      f.say('peer', { blocks: [blockOf(root, text('root'))] })
    }
    assert.equal(f.misbehaviour.at(-1)?.disconnected, true)
  })

  it('reads no more of a message after its sender was disconnected for it', () => {
    const f = createSessionFixture()
    const gifts = Array.from({ length: 40 }, (_, index) => text(`gift ${index}`))
    f.say('stranger', { blocks: gifts.map((gift) => blockOf(rawCid(gift), gift)) })
    assert.equal(f.misbehaviour.length, LIMITS.strikesMax)
  })

  it('notes a block under a hash that is never asked for', () => {
    const f = createSessionFixture()
    const prefix = Uint8Array.of(1, 0x55, 0x1e, 0x20)
    f.say('stranger', { blocks: [{ prefix, data: text('blake3') }] })
    assert.equal(f.misbehaviour[0]?.reason, 'unknown-hash')
  })

  it('notes blocks from peers that were asked nothing, without hashing them', () => {
    const f = createSessionFixture()
    f.say('stranger', { blocks: [blockOf(rawCid(text('gift')), text('gift'))] })
    assert.deepEqual(f.misbehaviour, [
      { peerId: 'stranger', reason: 'unwanted-block', strikes: 1, disconnected: false }
    ])
  })

  it('leaves a peer alone for a while after it was disconnected', async () => {
    const f = createSessionFixture()
    const hostile = f.addPeer('hostile', { behaviour: 'flipping' })
    const root = f.give(hostile, text('root'))
    f.providers = () => ['hostile']
    const first = f.createSession(root).fetch(root, { signal: signal() })
    await assert.rejects(settle(f, first), { code: 'ERR_CONTENT_WRONG_BLOCK' })
    const count = hostile.received.length
    await assert.rejects(settle(f, f.createSession(root).fetch(root, { signal: signal() })))
    assert.equal(hostile.received.length, count)
    await f.clock.advance(LIMITS.backoffMs)
    hostile.behaviour = 'honest'
    const later = f.createSession(root).fetch(root, { signal: signal() })
    assert.deepEqual(await settle(f, later), text('root'))
  })
})
