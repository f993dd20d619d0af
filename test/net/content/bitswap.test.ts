import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Stream } from '@libp2p/interface'
import type { CID } from 'multiformats/cid'
import { BITSWAP_120 } from '../../../content/bitswap/constants.ts'
import { DEFAULT_BITSWAP_LIMITS } from '../../../content/bitswap/limits.ts'
import { prefixOfCid } from '../../../content/bitswap/block-key.ts'
import { encodeMessage, type BitswapMessage } from '../../../content/bitswap/message.ts'
import { blockKey } from '../../../content/cid.ts'
import { fillBlocks, startExchangeNode, type ExchangeNode } from './exchange-nodes.ts'
import { addressesOf, EMPTY, readMessages, startRawPeer, until, type RawPeer } from './raw-peer.ts'

const MIB = 1024 * 1024
const signal = (): AbortSignal => new AbortController().signal

describe('bitswap between two nodes', () => {
  it('fetches the blocks of a root from the peer that content routing names', async () => {
    await using server = await startExchangeNode()
    await using client = await startExchangeNode({ providers: () => [server.provider()] })
    const cids = fillBlocks(server.blocks, { count: 20, length: 100_000 })
    const session = client.bitswap.createSession({ root: cids[0] as CID, signal: signal() })
    const blocks = await Promise.all(cids.map((cid) => session.fetch(cid, { signal: signal() })))
    for (const [index, cid] of cids.entries()) {
      assert.deepEqual(blocks[index], server.blocks.get(blockKey(cid)))
    }
    assert.equal(client.bitswap.stats().blocksReceived, 20)
    assert.deepEqual(session.report(), {
      providersFound: 1,
      peersAsked: 1,
      peersUnreachable: 0,
      hasRouting: true
    })
  })

  it('fetches one block from a connected peer without content routing', async () => {
    await using server = await startExchangeNode()
    await using client = await startExchangeNode()
    const [cid] = fillBlocks(server.blocks, { count: 1, length: 2 * MIB }) as [CID]
    await client.libp2p.dial(addressesOf(server))
    assert.equal((await client.bitswap.fetch(cid, { signal: signal() })).byteLength, 2 * MIB)
  })

  it('uses one stream for many blocks, closes it when idle and opens another when needed', async () => {
    // Longer than a busy machine pauses between two fetches.
    const limits = { streamIdleMs: 1_000 }
    await using server = await startExchangeNode({ limits })
    await using client = await startExchangeNode({ limits, providers: () => [server.provider()] })
    const cids = fillBlocks(server.blocks, { count: 10, length: 1_000 })
    let opened = 0
    const dialProtocol = client.libp2p.dialProtocol.bind(client.libp2p)
    client.libp2p.dialProtocol = (...args) => {
      opened++
      return dialProtocol(...args)
    }
    const session = client.bitswap.createSession({ root: cids[0] as CID, signal: signal() })
    for (const cid of cids.slice(0, 9)) await session.fetch(cid, { signal: signal() })
    assert.equal(opened, 1)
    const count = (): number =>
      client.libp2p
        .getConnections()
        .flatMap(({ streams }) => streams)
        .filter(({ protocol }) => protocol === BITSWAP_120).length
    await until(() => count() === 0)
    await session.fetch(cids[9] as CID, { signal: signal() })
    assert.equal(opened, 2)
  })

  it('serves only the peer that may have a block', async () => {
    const allowed = new Set<string>()
    await using server = await startExchangeNode({
      mayServe: (_, peerId) => Promise.resolve(allowed.has(peerId))
    })
    const providers = (): Iterable<ReturnType<ExchangeNode['provider']>> => [server.provider()]
    await using friend = await startExchangeNode({ providers })
    await using stranger = await startExchangeNode({ providers })
    allowed.add(friend.peerId)
    const [cid] = fillBlocks(server.blocks, { count: 1, length: 1_000 }) as [CID]
    assert.equal((await friend.bitswap.fetch(cid, { signal: signal() })).byteLength, 1_000)
    await assert.rejects(stranger.bitswap.fetch(cid, { signal: signal() }), { code: 'ERR_CONTENT_NOT_FOUND' })
  })

  it('sends a block that arrives while a peer waits for it', async () => {
    await using server = await startExchangeNode()
    await using client = await startExchangeNode({ providers: () => [server.provider()] })
    const [first, later] = fillBlocks(server.blocks, { count: 2, length: 1_000 }) as [CID, CID]
    const bytes = server.blocks.get(blockKey(later))
    server.blocks.delete(blockKey(later))
    const session = client.bitswap.createSession({ root: first, signal: signal() })
    await session.fetch(first, { signal: signal() })
    const fetched = session.fetch(later, { signal: signal() })
    await until(() => server.bitswap.stats().wantsHeld === 1)
    server.blocks.set(blockKey(later), bytes as Uint8Array)
    server.bitswap.notify(later)
    assert.deepEqual(await fetched, bytes)
  })

  it('fails what is open when it is stopped', async () => {
    await using server = await startExchangeNode({ onRead: () => new Promise(() => undefined) })
    const client = await startExchangeNode({ providers: () => [server.provider()] })
    const [cid] = fillBlocks(server.blocks, { count: 1, length: 1_000 }) as [CID]
    const rejected = assert.rejects(client.bitswap.fetch(cid, { signal: signal() }), /stopped/)
    await until(() => server.bitswap.stats().wantsHeld === 1)
    await client[Symbol.asyncDispose]()
    await rejected
  })
})

describe('bitswap with a hostile peer', () => {
  /** A peer that answers each want with the block, one byte changed. */
  const startFlippingPeer = (
    blocks: ReadonlyMap<string, Uint8Array>,
    cids: readonly CID[]
  ): Promise<RawPeer> => {
    const known = new Map(cids.map((cid) => [Buffer.from(cid.bytes).toString('hex'), cid]))
    let answers: Promise<Stream> | undefined
    return startRawPeer((stream, peer) => {
      readMessages(stream, ({ wants }) => {
        const [connection] = peer.libp2p.getConnections()
        if (connection === undefined) return
        answers ??= connection.newStream(BITSWAP_120)
        answers.then((open) => answer(open, wants)).catch(() => undefined)
      })
    })
    function answer(stream: Stream, wants: BitswapMessage['wants']): void {
      for (const want of wants) {
        const cid = known.get(Buffer.from(want.cid).toString('hex'))
        if (want.cancel || cid === undefined) continue
        const data = (blocks.get(blockKey(cid)) ?? new Uint8Array(1)).slice()
        data[0] = (data[0] ?? 0) ^ 1
        const message = { ...EMPTY, blocks: [{ prefix: prefixOfCid(cid), data }] }
        for (const part of encodeMessage(message)) stream.send(part)
      }
    }
  }
  it('that flips bytes gets the content from the honest one, and notes and disconnects the other', async () => {
    await using honest = await startExchangeNode()
    const cids = fillBlocks(honest.blocks, { count: 40, length: 50_000 })
    await using hostile = await startFlippingPeer(honest.blocks, cids)
    await using client = await startExchangeNode({
      providers: () => [hostile.provider(), honest.provider()]
    })
    const session = client.bitswap.createSession({ root: cids[0] as CID, signal: signal() })
    const blocks = await Promise.all(cids.map((cid) => session.fetch(cid, { signal: signal() })))
    for (const [index, cid] of cids.entries()) {
      assert.deepEqual(blocks[index], honest.blocks.get(blockKey(cid)))
    }
    assert.ok(client.misbehaviour.length >= 1)
    for (const { peerId, reason } of client.misbehaviour) {
      assert.deepEqual([peerId, reason], [hostile.libp2p.peerId.toString(), 'unwanted-block'])
    }
    await until(() => client.libp2p.getConnections(hostile.libp2p.peerId).length === 0)
  })

  it('that is the only one fails with its code', async () => {
    await using maker = await startExchangeNode()
    const [cid] = fillBlocks(maker.blocks, { count: 1, length: 50_000 }) as [CID]
    await using hostile = await startFlippingPeer(maker.blocks, [cid])
    await using client = await startExchangeNode({ providers: () => [hostile.provider()] })
    await assert.rejects(client.bitswap.fetch(cid, { signal: signal() }), { code: 'ERR_CONTENT_WRONG_BLOCK' })
    assert.equal(client.misbehaviour.at(-1)?.disconnected, true)
  })

  it('that wants 1,024 blocks of 1 MiB and reads nothing occupies a bounded number of bytes', async () => {
    await using server = await startExchangeNode()
    const cids = fillBlocks(server.blocks, { count: 64, length: MIB })
    await using greedy = await startRawPeer((stream) => {
      stream.pause()
    })
    const wants = Array.from({ length: 1_024 }, (_, index) => {
      const { bytes: cid } = cids[index % cids.length] as CID
      return { cid, priority: 1, cancel: false, type: 'block', sendDontHave: true } as const
    })
    for (let batch = 0; batch < 16; batch++) {
      const part = wants.slice(batch * 64, (batch + 1) * 64)
      await greedy.send(server, encodeMessage({ ...EMPTY, wants: part }))
      await sleep(10)
    }
    await using honest = await startExchangeNode({ providers: () => [server.provider()] })
    const session = honest.bitswap.createSession({ root: cids[0] as CID, signal: signal() })
    await Promise.all(cids.map((cid) => session.fetch(cid, { signal: signal() })))
    const { servingBytesPeak } = server.bitswap.stats()
    assert.ok(
      servingBytesPeak <= 2 * DEFAULT_BITSWAP_LIMITS.servingBytesPerPeerMax,
      `${servingBytesPeak} bytes`
    )
  })

  it('that reads nothing is given up after a while, and what it occupied is free again', async () => {
    await using server = await startExchangeNode({ limits: { sendStallTimeoutMs: 200 } })
    const cids = fillBlocks(server.blocks, { count: 32, length: MIB })
    await using greedy = await startRawPeer((stream) => {
      stream.pause()
    })
    const wants = cids.map(
      ({ bytes: cid }) => ({ cid, priority: 1, cancel: false, type: 'block', sendDontHave: true }) as const
    )
    await greedy.send(server, encodeMessage({ ...EMPTY, wants }))
    await until(() => server.bitswap.stats().servingBytes > 0)
    await until(() => server.bitswap.stats().servingBytes === 0)
    assert.equal(server.bitswap.stats().wantsHeld, 0)
  })

  it('that sends no bitswap is noted each time and disconnected in the end', async () => {
    await using node = await startExchangeNode()
    await using hostile = await startRawPeer(() => undefined)
    for (let attempt = 0; attempt < DEFAULT_BITSWAP_LIMITS.strikesMax; attempt++) {
      await hostile.send(node, [Uint8Array.of(3, 0xff, 0xff, 0xff)])
      await until(() => node.misbehaviour.length > attempt)
    }
    assert.deepEqual(
      node.misbehaviour.map(({ reason }) => reason),
      ['malformed-message', 'malformed-message', 'malformed-message']
    )
    await until(() => node.libp2p.getConnections().length === 0)
  })

  it('that begins many messages and ends none is refused at the bound', async () => {
    const limits = { receiveBytesPerPeerMax: 4 * MIB, strikesMax: 1_000 }
    await using node = await startExchangeNode({ limits })
    await using hostile = await startRawPeer(() => undefined)
    const begun = new Uint8Array(MIB)
    begun.set([0x80, 0x80, 0x80, 0x01])
    let peak = 0
    for (let attempt = 0; attempt < 12; attempt++) {
      await hostile.send(node, [begun]).catch(() => undefined)
      await sleep(20)
      peak = Math.max(peak, node.bitswap.stats().receiveBytes)
    }
    await until(() => node.misbehaviour.some(({ reason }) => reason === 'too-many-bytes'))
    assert.ok(peak <= limits.receiveBytesPerPeerMax, `${peak} bytes`)
  })
})
