import assert from 'node:assert/strict'
import { withBitswap } from '@helia/bitswap'
import { withLibp2pLight, type HeliaWithLibp2p } from '@helia/libp2p'
import { unixfs } from '@helia/unixfs'
import type { ServiceMap } from '@libp2p/interface'
import { peerIdFromString } from '@libp2p/peer-id'
import { multiaddr } from '@multiformats/multiaddr'
import { MemoryBlockstore } from 'blockstore-core'
import { MemoryDatastore } from 'datastore-core'
import { createHeliaLight } from 'helia'
import { fixedSize } from 'ipfs-unixfs-importer/chunker'
import type { CID } from 'multiformats/cid'
import { blockKey } from '../../../content/cid.ts'
import { patternBytes, readFile, startExchangeNode, testLibp2pInit } from './exchange-nodes.ts'

interface HeliaNode extends AsyncDisposable {
  readonly helia: HeliaWithLibp2p<ServiceMap>
  readonly blocks: MemoryBlockstore
  provider(): { peerId: string; multiaddrs: string[] }
}

async function startHelia(): Promise<HeliaNode> {
  const blocks = new MemoryBlockstore()
  const bare = createHeliaLight({ blockstore: blocks, datastore: new MemoryDatastore() })
  const helia: HeliaWithLibp2p<ServiceMap> = withBitswap(withLibp2pLight(bare, testLibp2pInit()))
  await helia.start()
  return {
    helia,
    blocks,
    provider: () => ({
      peerId: helia.libp2p.peerId.toString(),
      multiaddrs: helia.libp2p.getMultiaddrs().map((address) => address.toString())
    }),
    [Symbol.asyncDispose]: async () => {
      await helia.stop()
    }
  }
}

async function addFile(node: HeliaNode, chunkSize: number): Promise<{ root: CID; bytes: Uint8Array }> {
  const bytes = patternBytes(8 * 1024 * 1024, chunkSize)
  const options = { chunker: fixedSize({ chunkSize }), rawLeaves: true }
  return { root: await unixfs(node.helia).addBytes(bytes, options), bytes }
}

describe('bitswap with Helia', () => {
  for (const chunkSize of [256 * 1024, 1024 * 1024]) {
    it(`fetches a file of ${chunkSize} byte blocks from Helia`, async () => {
      await using helia = await startHelia()
      await using ours = await startExchangeNode({ providers: () => [helia.provider()] })
      const { root, bytes } = await addFile(helia, chunkSize)
      const { signal } = new AbortController()
      const session = ours.bitswap.createSession({ root, signal })
      assert.equal(Buffer.compare(await readFile(session, root, signal), bytes), 0)
      assert.equal(ours.bitswap.stats().blocksUnwanted, 0)
    })

    it(`serves a file of ${chunkSize} byte blocks to Helia`, async () => {
      await using maker = await startHelia()
      const { root, bytes } = await addFile(maker, chunkSize)
      await using ours = await startExchangeNode()
      for await (const { cid, bytes: parts } of maker.blocks.getAll()) {
        const block: Uint8Array[] = []
        for await (const part of parts) block.push(part)
        ours.blocks.set(blockKey(cid), Buffer.concat(block))
      }
      await using helia = await startHelia()
      await helia.helia.libp2p.dial(ours.provider().multiaddrs.map((address) => multiaddr(address)))
      const session = helia.helia.blockstore.createSession(root, {
        providers: [peerIdFromString(ours.peerId).toCID()]
      })
      const parts: Uint8Array[] = []
      for await (const part of unixfs({ ...helia.helia, blockstore: session }).cat(root, {
        signal: AbortSignal.timeout(30_000)
      })) {
        parts.push(part)
      }
      session.close()
      assert.equal(Buffer.compare(Buffer.concat(parts), bytes), 0)
      assert.equal(ours.bitswap.stats().servingBytes, 0)
    })
  }
})
