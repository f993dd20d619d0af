import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { CID } from 'multiformats/cid'
import { createMemoryBlockStore, type BlockStore } from '#content'
import { startSteppedWire } from '../../support/slow-wire.ts'
import { createTemporaryFolder } from '../../support/temporary-folder.ts'
import { patternBytes } from './exchange-nodes.ts'
import { startFaultyStreamNode } from './faulty-peers.ts'
import { startStreamNode, type StreamNode } from './stream-nodes.ts'
import { startWholeNode } from './whole-nodes.ts'
import type { Provider } from '../../../content/bitswap/peer-search.ts'

const MIB = 1024 * 1024
const QUIET_MS = 100
const ATTEMPTS = 2
const FILE_BYTES = 6 * MIB + 5
const DEEP = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h']

/** A file deep in a folder, another beside it and one above. */
async function addTree(store: BlockStore): Promise<CID> {
  await using node = await startWholeNode({ store })
  const { cid } = await node.content.addFiles([
    { path: `${DEEP.join('/')}/file`, content: patternBytes(FILE_BYTES, 1) },
    { path: `${DEEP.join('/')}/other`, content: patternBytes(20_000, 2) },
    { path: 'near', content: patternBytes(20_000, 3) }
  ])
  return cid
}

async function bytesIn(store: BlockStore): Promise<number> {
  let bytes = 0
  for await (const cid of store.list()) bytes += (await store.get(cid))?.length ?? 0
  return bytes
}

describe('of a part of a DAG', () => {
  let store: BlockStore
  let root: CID

  before(async () => {
    store = createMemoryBlockStore()
    root = await addTree(store)
  })

  async function getFrom(
    providers: readonly { provider(): Provider }[],
    path: string,
    range?: { offset: number; length: number }
  ): Promise<{ bytes: Uint8Array; fetched: number }> {
    await using folder = await createTemporaryFolder()
    await using node = await startWholeNode({ providers: () => providers.map((peer) => peer.provider()) })
    const output = join(folder.path, 'got')
    await node.content.get(`${root.toString()}/${path}`, {
      output,
      ...(range === undefined ? {} : { range })
    })
    return { bytes: await readFile(output), fetched: await bytesIn(node.store) }
  }

  it('only what is at the path is fetched', async () => {
    await using server = await startStreamNode({ store })
    const { bytes, fetched } = await getFrom([server], `${DEEP.join('/')}/file`)
    assert.ok(Buffer.from(patternBytes(FILE_BYTES, 1)).equals(bytes))
    assert.ok(fetched > FILE_BYTES && fetched < FILE_BYTES + 10_000, `${fetched} bytes`)
  })

  it('only the blocks of the range are fetched', async () => {
    await using server = await startStreamNode({ store })
    const range = { offset: 2 * MIB - 3, length: 10 }
    const { bytes, fetched } = await getFrom([server], `${DEEP.join('/')}/file`, range)
    assert.deepEqual([...bytes], [...patternBytes(FILE_BYTES, 1).subarray(2 * MIB - 3, 2 * MIB + 7)])
    assert.ok(fetched < 2 * MIB + 64 * 1024, `${fetched} bytes`)
  })

  it('a range ends where the file does, and is empty behind it', async () => {
    await using server = await startStreamNode({ store })
    const path = `${DEEP.join('/')}/file`
    const last = await getFrom([server], path, { offset: FILE_BYTES - 2, length: 100 })
    assert.deepEqual([...last.bytes], [...patternBytes(FILE_BYTES, 1).subarray(-2)])
    assert.equal((await getFrom([server], path, { offset: FILE_BYTES, length: 100 })).bytes.length, 0)
  })

  it('a range of a folder is refused', async () => {
    await using server = await startStreamNode({ store })
    await assert.rejects(getFrom([server], 'a', { offset: 0, length: 1 }), { code: 'ERR_NOT_A_FILE' })
  })

  for (const range of [undefined, { offset: 1, length: FILE_BYTES - 1 }]) {
    it(`${range === undefined ? 'a path' : 'a range'} is fetched although a provider vanishes in it`, async () => {
      await using faulty = await startFaultyStreamNode('vanishes', store)
      await using server = await startStreamNode({ store })
      const nodes: StreamNode[] = [faulty, server]
      const { bytes } = await getFrom(nodes, `${DEEP.join('/')}/file`, range)
      assert.ok(Buffer.from(patternBytes(FILE_BYTES, 1).subarray(range?.offset ?? 0)).equals(bytes))
    })
  }

  it('a long path takes no more round trips than a short one', async () => {
    const [short, long] = [await tripsTo('near'), await tripsTo(`${DEEP.join('/')}/other`)]
    assert.ok(long <= short, `${long} beside ${short}`)
  })

  async function tripsTo(path: string): Promise<number> {
    let least = Infinity
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      await using server = await startStreamNode({ store })
      const [address] = server.libp2p.getMultiaddrs()
      const to = Number(address?.getComponents().find(({ name }) => name === 'tcp')?.value)
      await using wire = await startSteppedWire({ to, quietMs: QUIET_MS })
      const { peerId } = server.provider()
      const multiaddrs = [`/ip4/127.0.0.1/tcp/${wire.port}/p2p/${peerId}`]
      await getFrom([{ provider: () => ({ peerId, multiaddrs }) }], path)
      least = Math.min(least, wire.flights() / 2)
    }
    return least
  }
})
