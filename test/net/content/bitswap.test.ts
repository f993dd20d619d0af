import assert from 'node:assert/strict'
import type { CID } from 'multiformats/cid'
import { blockKey } from '../../../content/cid.ts'
import { fillBlocks, startExchangeNode } from './exchange-nodes.ts'

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
})
