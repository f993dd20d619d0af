import assert from 'node:assert/strict'
import { join } from 'node:path'
import { CID } from 'multiformats/cid'
import { startProcess } from '../../support/process.ts'
import { fillBlocks, startExchangeNode, type ExchangeNode } from './exchange-nodes.ts'
import { startGreedyPeer, type Appetite } from './greedy-peers.ts'
import type { Reachable } from './raw-peer.ts'

const MIB = 1024 * 1024
const WAIT = { timeoutMs: 60_000 }

async function fetchAll(client: ExchangeNode, cids: readonly CID[]): Promise<number> {
  const { signal } = new AbortController()
  const session = client.bitswap.createSession({ root: cids[0] as CID, signal })
  const startedAt = performance.now()
  const blocks = await Promise.all(cids.map((cid) => session.fetch(cid, { signal })))
  assert.equal(blocks.length, cids.length)
  return performance.now() - startedAt
}

describe('a node with a bandwidth cap', () => {
  for (const direction of ['upload', 'download'] as const) {
    it(`keeps to it when it ${direction}s`, async () => {
      const cap = { flow: { [direction]: { total: 4 * MIB } } }
      await using server = await startExchangeNode(direction === 'upload' ? cap : {})
      await using other = await startExchangeNode()
      const cids = fillBlocks(server.blocks, { count: 24, length: 512 * 1024 })
      for (const [key, bytes] of server.blocks) other.blocks.set(key, bytes)
      const providers = direction === 'upload' ? [server] : [server, other]
      await using client = await startExchangeNode({
        ...(direction === 'download' ? cap : {}),
        providers: () => providers.map((node) => node.provider())
      })
      const tookMs = await fetchAll(client, cids)
      // A burst of a quarter of a second, and a message of 4 MiB from each of both peers, may go ahead.
      assert.ok(tookMs > 700, `12 MiB at 4 MiB a second took ${tookMs} ms`)
      assert.equal(client.bitswap.stats().blocksReceived, 24)
      const { flow } = direction === 'upload' ? server : client
      const { sentBytes, receivedBytes, uploadMax, downloadMax } = flow.status()
      assert.ok((direction === 'upload' ? sentBytes : receivedBytes) >= 12 * MIB)
      assert.equal(direction === 'upload' ? uploadMax : downloadMax, 4 * MIB)
    })
  }
})

describe('a node that greedy peers want 1,024 blocks of', () => {
  it('grows by a bounded number of bytes, and serves others all the same', async () => {
    const args = [join(import.meta.dirname, 'serving-program.ts')]
    await using child = await startProcess({ command: process.execPath, args })
    const ready = await child.event('ready', WAIT)
    const cids = (ready['cids'] as string[]).map((text) => CID.parse(text))
    const server: Reachable = {
      provider: () => ({ peerId: String(ready['peerId']), multiaddrs: ready['multiaddrs'] as string[] })
    }
    await using stack = new AsyncDisposableStack()
    const appetites: Appetite[] = [
      'reads nothing',
      'reads now and then',
      'reads nothing',
      'reads now and then'
    ]
    for (const appetite of appetites) stack.use(await startGreedyPeer(server, cids, appetite))
    await using honest = await startExchangeNode({ providers: () => [server.provider()] })
    await fetchAll(honest, cids)
    child.write('memory\n')
    const { grownMib } = await child.event('memory', WAIT)
    // What five peers may have under way each, in buffers of the program and of libp2p below it, and as much garbage.
    assert.ok(Number(grownMib) < 160, `the process grew by ${Number(grownMib)} MiB`)
  }).timeout(60_000)
})
