import assert from 'node:assert/strict'
import { silentLogger } from '#contracts'
import type { CID } from 'multiformats/cid'
import type { Answer } from '../../../../content/bitswap/channel.ts'
import { DEFAULT_BITSWAP_LIMITS } from '../../../../content/bitswap/limits.ts'
import type { WantEntry } from '../../../../content/bitswap/message.ts'
import { Server, type ServerLimits } from '../../../../content/bitswap/server.ts'
import { blockKey, cidOf } from '../../../../content/cid.ts'
import { createVirtualClock, type VirtualClock } from '../../../support/virtual-clock.ts'

const MIB = 1024 * 1024
const RAW = 0x55

interface Sent {
  readonly peerId: string
  readonly answer: Answer
  /** What the peer's stream does: takes the bytes. */
  take(): void
  /** What happens to it when the peer is dropped. */
  fail(cause: Error): void
}

interface Fixture {
  readonly server: Server
  readonly clock: VirtualClock
  readonly blocks: Map<string, Uint8Array>
  readonly sent: Sent[]
  readonly read: string[]
  readonly abandoned: string[]
  put(bytes: Uint8Array): CID
  want(peerId: string, cids: readonly CID[], o?: Partial<WantEntry>): void
  /** What a peer was told, in order. */
  told(peerId: string): string[]
}

function createFixture(
  o: {
    limits?: Partial<ServerLimits>
    mayServe?: (cid: CID, peerId: string) => boolean
    /** True when every stream takes all at once. */
    isFast?: boolean
    whileReading?: () => Promise<void>
  } = {}
): Fixture {
  const clock = createVirtualClock()
  const blocks = new Map<string, Uint8Array>()
  const sent: Sent[] = []
  const read: string[] = []
  const abandoned: string[] = []
  const server = new Server(
    {
      clock,
      logger: silentLogger,
      mayServe: (cid, peerId) => Promise.resolve(o.mayServe?.(cid, peerId) ?? true),
      store: {
        has: (cid) => Promise.resolve(blocks.has(blockKey(cid))),
        get: async (cid) => {
          read.push(blockKey(cid))
          const found = blocks.get(blockKey(cid))
          await o.whileReading?.()
          return found
        }
      },
      send: (peerId, answer) => {
        const { promise, resolve, reject } = Promise.withResolvers<void>()
        sent.push({ peerId, answer, take: resolve, fail: reject })
        if (o.isFast === true) resolve()
        return promise
      },
      abandon: (peerId) => {
        abandoned.push(peerId)
        for (const each of sent) if (each.peerId === peerId) each.fail(new Error('dropped'))
      }
    },
    { ...DEFAULT_BITSWAP_LIMITS, ...o.limits }
  )
  return {
    server,
    clock,
    blocks,
    sent,
    read,
    abandoned,
    put: (bytes) => {
      const cid = cidOf(RAW, bytes)
      blocks.set(blockKey(cid), bytes)
      return cid
    },
    want: (peerId, cids, entry = {}) => {
      const wants = cids.map(({ bytes }): WantEntry => {
        return { cid: bytes, priority: 1, cancel: false, type: 'block', sendDontHave: true, ...entry }
      })
      server.receive(peerId, { wants, full: false })
    },
    told: (peerId) =>
      sent
        .filter((each) => each.peerId === peerId)
        .flatMap(({ answer }) => [
          ...answer.blocks.map(({ data }) => `block ${Buffer.from(data).toString('utf8')}`),
          ...answer.presences.map(({ has }) => (has ? 'have' : 'dont-have'))
        ])
  }
}

const text = (value: string): Uint8Array => new TextEncoder().encode(value)
const megabyte = (index: number): Uint8Array => {
  const bytes = new Uint8Array(MIB)
  new DataView(bytes.buffer).setUint32(0, index)
  return bytes
}

describe('serving blocks', () => {
  it('holds a bounded number of bytes for a peer that wants 1,024 blocks of 1 MiB and takes none', async () => {
    const { server, clock, read, sent, put, want } = createFixture()
    const cids = Array.from({ length: 1_024 }, (_, index) => put(megabyte(index)))
    want('greedy', cids)
    await clock.settle()
    const { servingBytesPeak } = server.stats()
    assert.ok(servingBytesPeak <= DEFAULT_BITSWAP_LIMITS.servingBytesPerPeerMax, `${servingBytesPeak} bytes`)
    assert.ok(read.length < 8, `${read.length} blocks were read`)
    while (sent.length < 1_024) {
      for (const each of sent) each.take()
      await clock.settle()
    }
    for (const each of sent) each.take()
    await clock.settle()
    const { blocksSent, servingBytes, wantsHeld, servingBytesPeak: peak } = server.stats()
    assert.deepEqual(
      { blocksSent, servingBytes, wantsHeld },
      { blocksSent: 1_024, servingBytes: 0, wantsHeld: 0 }
    )
    assert.ok(peak <= DEFAULT_BITSWAP_LIMITS.servingBytesPerPeerMax)
  })

  it('holds a bounded number of bytes for all peers, and drops the stalled for one who waits', async () => {
    const { server, clock, abandoned, put, want, told } = createFixture()
    const cids = Array.from({ length: 20 }, (_, index) => put(megabyte(index)))
    for (let peer = 0; peer < 40; peer++) want(`slow ${peer}`, cids)
    await clock.settle()
    assert.ok(server.stats().servingBytesPeak <= DEFAULT_BITSWAP_LIMITS.servingBytesMax)
    await clock.advance(DEFAULT_BITSWAP_LIMITS.contendedStallMs + 1)
    want('honest', [put(text('small'))])
    await clock.settle()
    assert.ok(abandoned.length > 0)
    assert.ok(!abandoned.includes('honest'))
    assert.deepEqual(told('honest'), ['block small'])
  })

  it('gives a newcomer its turn before a greedy peer has all it wants', async () => {
    const { clock, sent, put, want } = createFixture({ isFast: true, limits: { storeReadsMax: 1 } })
    want(
      'greedy',
      Array.from({ length: 50 }, (_, index) => put(megabyte(index)))
    )
    want('newcomer', [put(text('one'))])
    await clock.settle()
    const place = sent.findIndex(({ peerId }) => peerId === 'newcomer')
    assert.ok(place >= 0 && place < 4, `the newcomer was number ${place}`)
  })

  for (const type of ['block', 'have'] as const) {
    for (const sendDontHave of [true, false]) {
      it(`treats a forbidden block as a missing one (${type}, ${sendDontHave})`, async () => {
        const isSecret = (cid: CID): boolean => blockKey(cid) === blockKey(cidOf(RAW, text('secret')))
        const fixture = createFixture({ isFast: true, mayServe: (cid) => !isSecret(cid) })
        const secret = fixture.put(text('secret'))
        const missing = cidOf(RAW, text('missing'))
        fixture.want('asks for the secret', [secret], { type, sendDontHave })
        fixture.want('asks for the missing', [missing], { type, sendDontHave })
        await fixture.clock.settle()
        // The block arrives once more, as when it is pinned privately: nobody is told.
        fixture.server.notify(secret)
        await fixture.clock.settle()
        assert.deepEqual(fixture.told('asks for the secret'), sendDontHave ? ['dont-have'] : [])
        assert.deepEqual(fixture.told('asks for the secret'), fixture.told('asks for the missing'))
        assert.ok(!fixture.read.includes(blockKey(secret)))
      })
    }
  }

  it('serves a block only to the peer that may have it', async () => {
    const { clock, put, want, told } = createFixture({
      isFast: true,
      mayServe: (_, peerId) => peerId === 'friend'
    })
    const cid = put(text('shared'))
    want('friend', [cid])
    want('stranger', [cid])
    await clock.settle()
    assert.deepEqual(told('friend'), ['block shared'])
    assert.deepEqual(told('stranger'), ['dont-have'])
  })

  it('sends a block to those who waited for it when it arrives', async () => {
    const { server, clock, put, want, told } = createFixture({ isFast: true })
    const bytes = text('late')
    const cid = cidOf(RAW, bytes)
    want('block', [cid])
    want('have', [cid], { type: 'have', sendDontHave: false })
    await clock.settle()
    put(bytes)
    server.notify(cid)
    await clock.settle()
    assert.deepEqual(told('block'), ['dont-have', 'block late'])
    assert.deepEqual(told('have'), ['have'])
    assert.equal(server.stats().wantsHeld, 0)
  })

  it('says once that a peer has a block that both sides were just talking about', async () => {
    const { server, clock, put, want, told } = createFixture({ isFast: true })
    const cid = put(text('known'))
    want('peer', [cid], { type: 'have' })
    server.notify(cid)
    await clock.settle()
    assert.deepEqual(told('peer'), ['have'])
  })

  it('does not miss a block that arrives while it is being looked up', async () => {
    const lookup = Promise.withResolvers<void>()
    const fixture = createFixture({ isFast: true, whileReading: () => lookup.promise })
    const { server, clock, put, want, told } = fixture
    const cid = cidOf(RAW, text('racing'))
    want('peer', [cid], { sendDontHave: false })
    await clock.settle()
    put(text('racing'))
    server.notify(cid)
    lookup.resolve()
    await clock.settle()
    assert.deepEqual(told('peer'), ['block racing'])
  })

  it('forgets what is cancelled and what a full wantlist leaves out', async () => {
    const { server, clock, put, want, told } = createFixture({ isFast: true })
    const [one, two, three] = ['one', 'two', 'three'].map((name) => cidOf(RAW, text(name))) as [CID, CID, CID]
    want('peer', [one, two], { sendDontHave: false })
    await clock.settle()
    want('peer', [one], { cancel: true })
    assert.equal(server.stats().wantsHeld, 1)
    const entry = {
      cid: three.bytes,
      priority: 1,
      cancel: false,
      type: 'block',
      sendDontHave: false
    } as const
    server.receive('peer', { wants: [entry], full: true })
    await clock.settle()
    for (const name of ['one', 'two', 'three']) server.notify(put(text(name)))
    await clock.settle()
    assert.deepEqual(told('peer'), ['block three'])
  })

  it('remembers a bounded number of wants and gives up the oldest that it could not answer', async () => {
    const { server, clock, put, want, told } = createFixture({
      isFast: true,
      limits: { wantsPerPeerMax: 100 }
    })
    const cids = Array.from({ length: 1_000 }, (_, index) => cidOf(RAW, text(`${index}`)))
    for (const cid of cids) {
      want('peer', [cid], { sendDontHave: false })
      await Promise.resolve()
    }
    await clock.settle()
    want('peer', [put(text('there'))])
    await clock.settle()
    assert.ok(server.stats().wantsHeld <= 100)
    assert.deepEqual(told('peer'), ['block there'])
  })

  it('answers a presence at once and the block when that is asked for afterwards', async () => {
    const { clock, put, want, told } = createFixture({ isFast: true })
    const cid = put(text('both'))
    want('peer', [cid], { type: 'have' })
    await clock.settle()
    want('peer', [cid], { type: 'block' })
    await clock.settle()
    assert.deepEqual(told('peer'), ['have', 'block both'])
  })

  it('answers what has a higher priority first', async () => {
    const { server, clock, put, told } = createFixture({ isFast: true })
    const entry = { cancel: false, type: 'block', sendDontHave: true } as const
    const [low, high] = [put(text('low')), put(text('high'))]
    const wants = [
      { ...entry, cid: low.bytes, priority: -5 },
      { ...entry, cid: high.bytes, priority: 5 }
    ]
    server.receive('peer', { wants, full: false })
    await clock.settle()
    assert.deepEqual(told('peer'), ['block high', 'block low'])
  })

  it('takes a store that fails, and a block above the limit, for a missing block', async () => {
    const { clock, blocks, put, want, told } = createFixture({ isFast: true })
    const tooLarge = cidOf(RAW, text('names something larger'))
    blocks.set(blockKey(tooLarge), new Uint8Array(2 * MIB + 1))
    const failing = put(text('failing'))
    const get = blocks.get.bind(blocks)
    blocks.get = (key) => {
      if (key === blockKey(failing)) throw new Error('the disk fails')
      return get(key)
    }
    want('peer', [tooLarge, failing, put(text('fine'))])
    await clock.settle()
    assert.deepEqual(told('peer').sort(), ['block fine', 'dont-have', 'dont-have'])
  })

  it('holds nothing more for a peer that is gone', async () => {
    const { server, clock, sent, put, want } = createFixture()
    want(
      'peer',
      Array.from({ length: 20 }, (_, index) => put(megabyte(index)))
    )
    await clock.settle()
    server.forget('peer')
    for (const each of sent) each.take()
    await clock.settle()
    const count = sent.length
    await clock.advance(60_000)
    assert.equal(sent.length, count)
    const { servingBytes, wantsHeld } = server.stats()
    assert.deepEqual({ servingBytes, wantsHeld }, { servingBytes: 0, wantsHeld: 0 })
  })

  it('refuses a wantlist with an entry that is no CID', () => {
    const { server } = createFixture()
    const wants = [
      { cid: Uint8Array.of(1, 2, 3), priority: 1, cancel: false, type: 'block', sendDontHave: true } as const
    ]
    assert.throws(() => server.receive('peer', { wants, full: false }), { code: 'ERR_BITSWAP_MESSAGE' })
  })
})
