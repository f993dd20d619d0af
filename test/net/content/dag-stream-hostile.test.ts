import assert from 'node:assert/strict'
import type { Stream } from '@libp2p/interface'
import { multiaddr } from '@multiformats/multiaddr'
import type { CID } from 'multiformats/cid'
import type { Libp2p } from 'libp2p'
import { DAG_PROTOCOL } from '../../../content/stream/constants.ts'
import { FrameReader } from '../../../content/stream/frame-reader.ts'
import { encodeFrame } from '../../../content/stream/frames.ts'
import type { Frame } from '../../../content/stream/frames.ts'
import { linksOf } from '../../../content/dag-links.ts'
import type { DagFetch } from '../../../content/stream/dag-fetch.ts'
import { patternBytes } from './exchange-nodes.ts'
import { providerOf, putFile, readDag, startRawProvider, startStreamNode } from './stream-nodes.ts'
import type { StreamNode } from './stream-nodes.ts'

const MIB = 1024 * 1024
const FILE_BYTES = 6 * MIB

/** What a hostile provider does once it was asked. */
type Attack = (o: {
  stream: Stream
  asked: readonly CID[]
  root: CID
  blocks: Map<string, Uint8Array>
}) => void

/** Answers every ask with an attack. */
async function startHostile(o: {
  attack: Attack
  honest: StreamNode
  root: CID
  onAsked: () => void
}): Promise<Libp2p> {
  const blocks = new Map<string, Uint8Array>()
  for await (const cid of o.honest.store.list()) {
    blocks.set(cid.toV1().toString(), (await o.honest.store.get(cid)) as Uint8Array)
  }
  const rootBytes = (await o.honest.store.get(o.root)) as Uint8Array
  blocks.set(o.root.toString(), rootBytes)
  return await startRawProvider((stream) => {
    const reader = new FrameReader((frame) => {
      if (frame.type !== 'ask') return
      o.attack({ stream, asked: frame.ask.roots, root: o.root, blocks })
      o.onAsked()
    })
    stream.addEventListener('message', ({ data }) => {
      for (const part of data instanceof Uint8Array ? [data] : data) reader.push(part)
    })
  })
}

const send = (stream: Stream, ...frames: readonly Frame[]): void => {
  for (const frame of frames) stream.send(encodeFrame(frame))
}
const bytesOf = (blocks: Map<string, Uint8Array>, cid: CID): Uint8Array =>
  blocks.get(cid.toString()) as Uint8Array

/** What is blamed on the peer; `undefined` where going away is no crime. */
const ATTACKS: readonly { name: string; blame: string | undefined; attack: Attack }[] = [
  { name: 'stalls', blame: undefined, attack: () => undefined },
  {
    name: 'vanishes in the middle of a block',
    blame: undefined,
    attack: ({ stream, asked, blocks }) => {
      const frame = encodeFrame({ type: 'block', bytes: bytesOf(blocks, asked[0] as CID) })
      stream.send(frame.subarray(0, frame.length / 2))
      void stream.close()
    }
  },
  {
    name: 'sends garbage',
    blame: 'malformed-message',
    attack: ({ stream }) => {
      stream.send(patternBytes(4_000, 3))
    }
  },
  {
    name: 'sends a block that is none of the DAG',
    blame: 'unwanted-block',
    attack: ({ stream }) => send(stream, { type: 'block', bytes: patternBytes(1_000, 5) })
  },
  {
    name: 'sends a block of the DAG before its turn',
    blame: 'unwanted-block',
    attack: ({ stream, root, blocks }) => {
      const [, second] = linksOf(root, bytesOf(blocks, root))
      send(
        stream,
        { type: 'block', bytes: bytesOf(blocks, root) },
        { type: 'block', bytes: bytesOf(blocks, second as CID) }
      )
    }
  },
  {
    name: 'lies about the size of a block',
    blame: 'malformed-message',
    attack: ({ stream }) => {
      stream.send(Uint8Array.of(16, 0xff, 0xff, 0xff, 0xff))
    }
  },
  {
    name: 'says that it is over before it is',
    blame: 'malformed-message',
    attack: ({ stream, root, blocks }) => {
      send(stream, { type: 'block', bytes: bytesOf(blocks, root) }, { type: 'end', reason: 'done' })
    }
  },
  {
    name: 'hands back what nobody asked back',
    blame: 'malformed-message',
    attack: ({ stream }) => send(stream, { type: 'handed-back', steps: 4_000_000 })
  },
  {
    name: 'sends what only a requester sends',
    blame: 'malformed-message',
    attack: ({ stream, root }) => send(stream, { type: 'ask', ask: { roots: [root], below: true } })
  },
  {
    name: 'has nothing of what it says it has',
    blame: undefined,
    attack: ({ stream, asked }) => {
      for (const _ of asked) send(stream, { type: 'absent' })
      send(stream, { type: 'end', reason: 'done' })
    }
  }
]

function createFetch(node: StreamNode, root: CID): DagFetch {
  return node.streams.createFetch({ root, durable: false, onStored: () => undefined })
}

describe('a provider of streams that', () => {
  for (const { name, blame, attack } of ATTACKS) {
    it(`${name} does not keep a fetch from its end`, async () => {
      await using honest = await startStreamNode()
      const root = await putFile(honest.store, { bytes: FILE_BYTES })
      const asked = Promise.withResolvers<undefined>()
      const onAsked = (): void => asked.resolve(undefined)
      const hostile = await startHostile({ attack, honest, root, onAsked })
      await using client = await startStreamNode({
        providers: async function* () {
          yield providerOf(hostile)
          await asked.promise
          yield honest.provider()
        },
        limits: { patienceMs: 30_000, stallTimeoutMs: 1_500, hedgeAfterMs: 50, sweepIntervalMs: 20 }
      })
      try {
        await using fetch = createFetch(client, root)
        fetch.follow(root)
        const blocks = await readDag(fetch, root)
        assert.equal(
          blocks.slice(1).reduce((sum, block) => sum + (block?.length ?? NaN), 0),
          FILE_BYTES
        )
        assert.equal(client.misbehaviour[0]?.reason, blame)
        assert.equal(client.misbehaviour[0]?.peerId, blame && hostile.peerId.toString())
      } finally {
        await hostile.stop()
      }
    })
  }

  it('is the only one and brings nothing is given up', async () => {
    const hostile = await startRawProvider((stream) => void stream.close())
    await using node = await startStreamNode()
    const root = await putFile(node.store, { bytes: 1 })
    await using client = await startStreamNode({ providers: () => [providerOf(hostile)] })
    await using fetch = createFetch(client, root)
    assert.equal(await fetch.fetch(root), undefined)
    await hostile.stop()
  })

  it('is the only one and says nothing is waited for no longer than patience lasts', async () => {
    const hostile = await startRawProvider(() => undefined)
    await using node = await startStreamNode()
    const root = await putFile(node.store, { bytes: 1 })
    await using client = await startStreamNode({
      providers: () => [providerOf(hostile)],
      limits: { patienceMs: 200, stallTimeoutMs: 3_600_000 }
    })
    await using fetch = createFetch(client, root)
    assert.equal(await fetch.fetch(root), undefined)
    assert.ok(fetch.expects(root), 'and is not given up')
    await hostile.stop()
  })
})

describe('a requester of streams that', () => {
  /** A stream to a node that serves one file, and what came on it. */
  async function ask(
    node: StreamNode,
    frames: readonly Uint8Array[]
  ): Promise<{ stream: Stream; closed: Promise<unknown>; libp2p: Libp2p; came: () => number }> {
    const libp2p = await startRawProvider(() => undefined)
    const stream = await libp2p.dialProtocol(
      node.libp2p.getMultiaddrs().map((address) => multiaddr(address.toString())),
      DAG_PROTOCOL
    )
    let count = 0
    stream.addEventListener('message', ({ data }) => (count += data.byteLength))
    const closed = new Promise((resolve) => stream.addEventListener('close', resolve))
    for (const frame of frames) stream.send(frame)
    return { stream, closed, libp2p, came: () => count }
  }

  for (const [name, frames] of [
    ['sends garbage', [patternBytes(500, 1)]],
    ['sends a frame of a provider', [encodeFrame({ type: 'end', reason: 'done' })]],
    [
      'wants a socket twice',
      [encodeFrame({ type: 'socket-please' }), encodeFrame({ type: 'socket-please' })]
    ],
    [
      'grants more than is sensible',
      Array.from({ length: 2 }, () => encodeFrame({ type: 'more', bytes: 2 ** 26 }))
    ]
  ] as const) {
    it(`${name} loses its channel`, async () => {
      await using node = await startStreamNode()
      const { closed, libp2p } = await ask(node, frames)
      await closed
      assert.equal(node.streams.stats().channelsServed, 0)
      await libp2p.stop()
    })
  }

  it('closes its side leaves nothing half open', async () => {
    await using node = await startStreamNode()
    const { stream, closed, libp2p } = await ask(node, [encodeFrame({ type: 'split' })])
    await stream.close()
    await closed
    assert.equal(node.streams.stats().channelsServed, 0)
    await libp2p.stop()
  })

  it('grants nothing is sent nothing, and one that asks nothing for long loses its channel', async () => {
    await using node = await startStreamNode({ limits: { idleTimeoutMs: 300 } })
    const root = await putFile(node.store, { bytes: MIB })
    const { closed, libp2p, came } = await ask(node, [
      encodeFrame({ type: 'ask', ask: { roots: [root], below: true } })
    ])
    await closed
    assert.equal(came(), 0)
    await libp2p.stop()
  })

  it('reads nothing costs little memory and loses its channel', async () => {
    await using node = await startStreamNode({ limits: { idleTimeoutMs: 600 } })
    const root = await putFile(node.store, { bytes: 48 * MIB })
    const { stream, closed, libp2p } = await ask(node, [])
    stream.maxReadBufferLength = 64 * MIB
    stream.pause()
    stream.send(encodeFrame({ type: 'more', bytes: 64 * MIB }))
    stream.send(encodeFrame({ type: 'ask', ask: { roots: [root], below: true } }))
    await Promise.race([closed, new Promise((resolve) => setTimeout(resolve, 5_000))])
    assert.equal(node.streams.stats().channelsServed, 0)
    // What the window of the stream took, and one write.
    assert.ok(node.streams.stats().bytesSent < 24 * MIB, `${node.streams.stats().bytesSent} bytes were read`)
    await libp2p.stop()
  })
})
