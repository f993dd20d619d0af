import assert from 'node:assert/strict'
import { CID } from 'multiformats/cid'
import * as Digest from 'multiformats/hashes/digest'
import { DEFAULT_BITSWAP_LIMITS } from '../../../../content/bitswap/limits.ts'
import {
  asksOf,
  createSessionFixture,
  giveMany,
  isCancelled,
  rawCid,
  settle,
  text
} from './session-fixture.ts'

const LIMITS = DEFAULT_BITSWAP_LIMITS
const signal = (): AbortSignal => new AbortController().signal
const MINUTE_MS = 60_000

describe('a session', () => {
  it('fetches from the provider that content routing names', async () => {
    const f = createSessionFixture()
    const provider = f.addPeer('provider')
    const root = f.give(provider, text('root'))
    f.providers = () => ['provider']
    const session = f.createSession(root)
    assert.deepEqual(await settle(f, session.fetch(root, { signal: signal() })), text('root'))
    assert.deepEqual(session.report(), {
      providersFound: 1,
      peersAsked: 1,
      peersUnreachable: 0,
      hasRouting: true
    })
  })

  it('costs nothing before the first fetch', async () => {
    const f = createSessionFixture()
    f.connected.add('neighbour')
    const neighbour = f.addPeer('neighbour')
    f.createSession(rawCid(text('root')))
    await f.clock.advance(MINUTE_MS)
    assert.equal(neighbour.received.length + f.searches.length, 0)
  })

  it('asks connected peers, and needs no content routing when one has the root', async () => {
    const f = createSessionFixture()
    const [with_, without] = [f.addPeer('with'), f.addPeer('without')]
    const root = f.give(with_, text('root'))
    for (const name of ['with', 'without']) f.connected.add(name)
    const session = f.createSession(root)
    assert.deepEqual(await settle(f, session.fetch(root, { signal: signal() })), text('root'))
    await f.clock.advance(MINUTE_MS)
    assert.equal(f.searches.length, 0)
    assert.ok(without.received.every(({ type, cancel }) => type === 'have' || cancel))
  })

  it('asks a peer that connects while it searches', async () => {
    const f = createSessionFixture()
    const peer = f.addPeer('newcomer')
    const root = f.give(peer, text('root'))
    const fetched = f.createSession(root, { hasRouting: false }).fetch(root, { signal: signal() })
    await f.clock.advance(100)
    f.connected.add('newcomer')
    f.client.meet('newcomer')
    await f.clock.advance(50)
    assert.deepEqual(await fetched, text('root'))
  })

  it('asks content routing as well when the connected peer is slow', async () => {
    const f = createSessionFixture()
    const [slow, fast] = [f.addPeer('slow', { delayMs: 1_500 }), f.addPeer('fast', { delayMs: 5 })]
    const cids = giveMany(f, [slow, fast], 200)
    f.connected.add('slow')
    f.providers = () => ['fast']
    const session = f.createSession(cids[0] as CID)
    await settle(f, Promise.all(cids.map((cid) => session.fetch(cid, { signal: signal() }))))
    assert.ok(fast.sent > 100, `fast ${fast.sent}, slow ${slow.sent}`)
  })

  it('asks the faster peer for more', async () => {
    const f = createSessionFixture()
    const [fast, slow] = [f.addPeer('fast', { delayMs: 20 }), f.addPeer('slow', { delayMs: 200 })]
    const cids = giveMany(f, [fast, slow], 1_000)
    f.providers = () => ['fast', 'slow']
    const session = f.createSession(cids[0] as CID)
    await settle(f, Promise.all(cids.map((cid) => session.fetch(cid, { signal: signal() }))))
    assert.ok(fast.sent > 4 * slow.sent, `fast ${fast.sent}, slow ${slow.sent}`)
    assert.ok(slow.sent > 0)
  })

  it('asks a peer for no more than its window at a time', async () => {
    const f = createSessionFixture({ windowInitial: 4, windowMax: 8 })
    const provider = f.addPeer('provider')
    const cids = giveMany(f, [provider], 100)
    f.providers = () => ['provider']
    const session = f.createSession(cids[0] as CID)
    await settle(f, Promise.all(cids.map((cid) => session.fetch(cid, { signal: signal() }))))
    assert.ok(provider.openPeak <= 8, `${provider.openPeak} at a time`)
  })

  it('asks another peer for what one does not have', async () => {
    const f = createSessionFixture()
    const [part, whole] = [f.addPeer('part', { delayMs: 1 }), f.addPeer('whole', { delayMs: 30 })]
    const cids = giveMany(f, [whole], 20)
    const root = f.give(part, text('root'))
    f.give(whole, text('root'))
    f.providers = () => ['part', 'whole']
    const session = f.createSession(root)
    await settle(f, Promise.all([root, ...cids].map((cid) => session.fetch(cid, { signal: signal() }))))
    assert.equal(f.misbehaviour.length, 0)
  })

  it('asks another peer after a silence, and the silent one no more after several', async () => {
    const f = createSessionFixture()
    const [silent, honest] = [f.addPeer('silent', { behaviour: 'silent' }), f.addPeer('honest')]
    const cids = giveMany(f, [silent, honest], 40)
    f.providers = () => ['silent', 'honest']
    const session = f.createSession(cids[0] as CID)
    await settle(f, Promise.all(cids.map((cid) => session.fetch(cid, { signal: signal() }))))
    assert.equal(honest.sent, 40)
    for (const cid of cids) assert.ok(asksOf(silent, cid) === 0 || isCancelled(silent, cid))
  })

  it('waits for a slow peer as long as bytes come', async () => {
    const f = createSessionFixture()
    const slow = f.addPeer('slow', { delayMs: 30_000 })
    const root = f.give(slow, text('root'))
    f.providers = () => ['slow']
    const session = f.createSession(root)
    const fetched = session.fetch(root, { signal: signal() })
    for (let second = 0; second < 31; second++) {
      await f.clock.advance(1_000)
      f.client.progress('slow', 1)
    }
    assert.deepEqual(await settle(f, fetched), text('root'))
    assert.equal(asksOf(slow, root), 1)
  })

  it('asks an idle peer for a block that a slow one keeps', async () => {
    const f = createSessionFixture()
    const [slow, fast] = [f.addPeer('slow', { delayMs: 20_000 }), f.addPeer('fast')]
    const root = f.give(slow, text('root'))
    f.give(fast, text('root'))
    f.providers = (cid) => (cid.equals(root) ? ['slow', 'fast'] : [])
    const session = f.createSession(root)
    const fetched = session.fetch(root, { signal: signal() })
    await f.clock.advance(LIMITS.wantTimeoutMs / 2)
    assert.deepEqual(await settle(f, fetched), text('root'))
    assert.ok(f.clock.monotonicMs() < LIMITS.wantTimeoutMs)
    assert.ok(isCancelled(slow, root))
  })

  it('looks for more providers, of the very block, when none of its peers has it', async () => {
    const f = createSessionFixture()
    const [first, other] = [f.addPeer('first'), f.addPeer('other')]
    const root = f.give(first, text('root'))
    const leaf = f.give(other, text('leaf'))
    f.providers = (cid) => (cid.equals(root) ? ['first'] : ['other'])
    const session = f.createSession(root)
    await settle(f, session.fetch(root, { signal: signal() }))
    assert.deepEqual(await settle(f, session.fetch(leaf, { signal: signal() })), text('leaf'))
  })

  it('goes on with others when a peer vanishes', async () => {
    const f = createSessionFixture()
    const [a, b] = [f.addPeer('a', { delayMs: 100 }), f.addPeer('b', { delayMs: 100 })]
    const cids = giveMany(f, [a, b], 50)
    f.providers = () => ['a', 'b']
    const session = f.createSession(cids[0] as CID)
    const fetched = Promise.all(cids.map((cid) => session.fetch(cid, { signal: signal() })))
    await f.clock.advance(150)
    f.disconnect('a')
    a.isReachable = false
    await settle(f, fetched)
  })

  it('finds a peer again that came back', async () => {
    const f = createSessionFixture()
    const peer = f.addPeer('peer', { delayMs: 100 })
    const root = f.give(peer, text('root'))
    f.providers = () => ['peer']
    const session = f.createSession(root)
    const fetched = session.fetch(root, { signal: signal() })
    await f.clock.advance(90)
    f.disconnect('peer')
    assert.deepEqual(await settle(f, fetched), text('root'))
  })

  it('resolves two sessions that want the same block with one that comes', async () => {
    const f = createSessionFixture()
    const peer = f.addPeer('peer')
    const root = f.give(peer, text('root'))
    f.providers = () => ['peer']
    const sessions = [f.createSession(root), f.createSession(root)]
    const fetched = Promise.all(sessions.map((session) => session.fetch(root, { signal: signal() })))
    assert.deepEqual(await settle(f, fetched), [text('root'), text('root')])
    assert.equal(f.misbehaviour.length, 0)
  })

  it('takes an identity CID for its own block and refuses a hash that it cannot verify', async () => {
    const f = createSessionFixture()
    const session = f.createSession(rawCid(text('root')))
    const inline = CID.createV1(0x55, Digest.create(0x00, text('inline')))
    assert.deepEqual(await session.fetch(inline, { signal: signal() }), text('inline'))
    const unknown = CID.createV1(0x55, Digest.create(0x1052, new Uint8Array(32)))
    await assert.rejects(session.fetch(unknown, { signal: signal() }), { code: 'ERR_CID_UNSUPPORTED' })
    assert.equal(f.searches.length, 0)
  })

  it('needs nobody for the empty block, which Kubo does not send', async () => {
    const f = createSessionFixture()
    const empty = rawCid(new Uint8Array(0))
    const session = f.createSession(empty, { hasRouting: false })
    assert.equal((await session.fetch(empty, { signal: signal() })).byteLength, 0)
  })

  it('refuses more fetches at a time than its limit', async () => {
    const f = createSessionFixture({ sessionWantsMax: 2 })
    const session = f.createSession(rawCid(text('root')), { hasRouting: false })
    const open = ['a', 'b'].map((name) => session.fetch(rawCid(text(name)), { signal: signal() }))
    await assert.rejects(session.fetch(rawCid(text('c')), { signal: signal() }), { code: 'ERR_BITSWAP_BUSY' })
    const results = await settle(f, Promise.allSettled(open))
    assert.ok(results.every(({ status }) => status === 'rejected'))
  })
})

describe('a session that is aborted', () => {
  it('rejects with the reason, tells its peers and leaves no timer', async () => {
    const f = createSessionFixture()
    const peer = f.addPeer('peer', { delayMs: 5_000 })
    const root = f.give(peer, text('root'))
    f.providers = () => ['peer']
    const controller = new AbortController()
    const session = f.createSession(root, { signal: controller.signal })
    const fetched = session.fetch(root, { signal: signal() })
    const rejected = assert.rejects(fetched, /changed my mind/)
    await f.clock.advance(1_000)
    controller.abort(new Error('changed my mind'))
    await rejected
    await f.clock.advance(10_000)
    assert.ok(isCancelled(peer, root))
    assert.equal(f.clock.pendingCount(), 0)
    await assert.rejects(session.fetch(root, { signal: signal() }), /changed my mind/)
  })

  it('while it searches ends the search', async () => {
    const f = createSessionFixture()
    const controller = new AbortController()
    f.providers = () => Array.from({ length: 1_000 }, (_, index) => `nobody ${index}`)
    const root = rawCid(text('root'))
    const fetched = f.createSession(root, { signal: controller.signal }).fetch(root, { signal: signal() })
    const rejected = assert.rejects(fetched, /enough/)
    await f.clock.advance(100)
    controller.abort(new Error('enough'))
    await rejected
    await f.clock.advance(100)
    assert.equal(f.searches.length, 1)
    await f.clock.advance(MINUTE_MS)
    assert.equal(f.clock.pendingCount(), 0)
  })

  it('for one of two callers serves the other', async () => {
    const f = createSessionFixture()
    const peer = f.addPeer('peer', { delayMs: 500 })
    const root = f.give(peer, text('root'))
    f.providers = () => ['peer']
    const session = f.createSession(root)
    const controller = new AbortController()
    const aborted = assert.rejects(session.fetch(root, { signal: controller.signal }), /leaving/)
    const kept = session.fetch(root, { signal: signal() })
    await f.clock.advance(200)
    controller.abort(new Error('leaving'))
    await aborted
    assert.deepEqual(await settle(f, kept), text('root'))
  })

  it('for its only caller cancels that want and keeps the session', async () => {
    const f = createSessionFixture()
    const peer = f.addPeer('peer', { delayMs: 500 })
    const [root, leaf] = [f.give(peer, text('root')), f.give(peer, text('leaf'))]
    f.providers = () => ['peer']
    const session = f.createSession(root)
    const controller = new AbortController()
    const aborted = assert.rejects(session.fetch(root, { signal: controller.signal }), /leaving/)
    await f.clock.advance(200)
    controller.abort(new Error('leaving'))
    await aborted
    assert.ok(isCancelled(peer, root))
    assert.deepEqual(await settle(f, session.fetch(leaf, { signal: signal() })), text('leaf'))
  })
})
