import assert from 'node:assert/strict'
import type { Stream } from '@libp2p/interface'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p, type Libp2p } from 'libp2p'
import type { CID } from 'multiformats/cid'
import { createMemoryBlockStore } from '#content'
import { linksOf } from '../../../content/dag-links.ts'
import { startSteppedWire } from '../../support/slow-wire.ts'
import { testLibp2pInit } from '../content/exchange-nodes.ts'
import { putFile, startStreamNode } from '../content/stream-nodes.ts'
import { startTestHost } from './hosts.ts'

const ECHO = '/test/echo/1.0.0'
/** Long enough for a busy machine to have sent all that follows from what has come. */
const QUIET_MS = 100
/** A busy machine can make it look like more. */
const ATTEMPTS = 3
const LEAF_BYTES = 1024 * 1024

async function startStock(): Promise<Libp2p & AsyncDisposable> {
  const libp2p = await createLibp2p(testLibp2pInit())
  return Object.assign(libp2p, { [Symbol.asyncDispose]: async () => await libp2p.stop() })
}

async function echo(libp2p: Libp2p): Promise<void> {
  await libp2p.handle(ECHO, (stream) => {
    stream.addEventListener('message', ({ data }) => stream.send(data))
  })
}

async function firstByte(stream: Stream): Promise<Uint8Array> {
  return await new Promise((resolve, reject) => {
    stream.addEventListener('message', ({ data }) => resolve(Uint8Array.from(data.subarray())))
    stream.addEventListener('close', ({ error }) => reject(error ?? new Error('closed')))
  })
}

async function ask(from: Libp2p, o: { to: Libp2p; port?: number; eagerly: boolean }): Promise<Uint8Array> {
  const port = o.port ?? portOf(o.to)
  const connection = await from.dial(multiaddr(`/ip4/127.0.0.1/tcp/${port}/p2p/${o.to.peerId.toString()}`))
  const stream = await connection.newStream(ECHO, { negotiateFully: !o.eagerly })
  const answer = firstByte(stream)
  stream.send(Uint8Array.of(42))
  return await answer
}

function bytesOf(block: Uint8Array | undefined): Uint8Array {
  if (block === undefined) throw new Error('expected the block, got none')
  return block
}

function portOf(libp2p: Libp2p): number {
  return Number(
    libp2p
      .getMultiaddrs()[0]
      ?.getComponents()
      .find(({ name }) => name === 'tcp')?.value
  )
}

/** Round trips from a dial to the end of `work`, that of TCP included. */
async function roundTrips(to: Libp2p, work: (port: number) => Promise<unknown>): Promise<number> {
  let least = Infinity
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    await using wire = await startSteppedWire({ to: portOf(to), quietMs: QUIET_MS })
    await work(wire.port)
    least = Math.min(least, 1 + wire.flights() / 2)
    if (least <= 3) break
  }
  return least
}

describe('from a dial to the first byte', () => {
  it('stock libp2p: five round trips', async () => {
    await using asked = await startStock()
    await echo(asked)
    const trips = await roundTrips(asked, async (port) => {
      await using asking = await startStock()
      await ask(asking, { to: asked, port, eagerly: false })
    })
    assert.ok(trips >= 5, `the library waits less now (${trips}): dht/eager-negotiation.ts can go`)
  })

  it('of an echo: three', async () => {
    await using asked = await startTestHost()
    await echo(asked.libp2p)
    const trips = await roundTrips(asked.libp2p, async (port) => {
      await using asking = await startTestHost()
      await ask(asking.libp2p, { to: asked.libp2p, port, eagerly: true })
    })
    assert.equal(trips, 3)
  })

  it('of content over our streams: three', async () => {
    await using stack = new AsyncDisposableStack()
    const asked = stack.use(await startTestHost())
    const store = createMemoryBlockStore()
    stack.use(await startStreamNode({ libp2p: asked.libp2p, store }))
    const root = await putFile(store, { bytes: 3_000_000 })
    const trips = await roundTrips(asked.libp2p, async (port) => {
      await using asking = await startTestHost()
      const { peerId } = asked
      const provider = { peerId, multiaddrs: [`/ip4/127.0.0.1/tcp/${port}/p2p/${peerId}`] }
      await using node = await startStreamNode({ libp2p: asking.libp2p, providers: () => [provider] })
      await using fetch = node.streams.createFetch({ root, durable: false, onStored: () => undefined })
      fetch.follow(root)
      const [first] = linksOf(root, bytesOf(await fetch.fetch(root)))
      assert.equal(bytesOf(await fetch.fetch(first as CID)).length, LEAF_BYTES)
    })
    assert.equal(trips, 3)
  })
})

describe('a node that does not wait for what a peer will say', () => {
  for (const eagerly of [true, false]) {
    it(`talks with stock peers, streams ${eagerly ? 'opened at once' : 'negotiated'}`, async () => {
      await using ours = await startTestHost()
      await using stock = await startStock()
      await echo(stock)
      await echo(ours.libp2p)
      assert.deepEqual(await ask(ours.libp2p, { to: stock, eagerly }), Uint8Array.of(42))
      assert.deepEqual(await ask(stock, { to: ours.libp2p, eagerly: false }), Uint8Array.of(42))
    })
  }

  it('hears that a peer does not speak the protocol', async () => {
    await using ours = await startTestHost()
    await using stock = await startStock()
    await assert.rejects(ask(ours.libp2p, { to: stock, eagerly: true }), { name: 'UnsupportedProtocolError' })
    const connections = ours.libp2p.getConnections(stock.peerId)
    assert.equal(connections[0]?.status, 'open')
  })
})
