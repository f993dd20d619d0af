import assert from 'node:assert/strict'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { startNode, type ElastosNode, type NodeInit } from '#node'
import { createTemporaryFolder } from '../../support/temporary-folder.ts'

const FREE: Pick<NodeInit, 'listen' | 'mdns'> = { listen: ['/ip4/127.0.0.1/tcp/0'], mdns: false }

describe('first contact', () => {
  it('a node that started before its seed meets it when the seed comes, and after a restart of both', async function () {
    this.timeout(60_000)
    await using folder = await createTemporaryFolder()
    const startSeed = async (httpPort: number): Promise<ElastosNode> =>
      await startNode({
        ...FREE,
        dataFolder: join(folder.path, 'seed'),
        seed: { httpPort, metricsPort: 0, isDevelopment: true }
      })
    const first = await startSeed(0)
    const url = String(first.status().bootstrapUrl)
    await first[Symbol.asyncDispose]()

    const dataFolder = join(folder.path, 'node')
    {
      await using node = await startNode({ ...FREE, dataFolder, bootstrap: [url] })
      assert.equal(node.host.peers().length, 0)
      await using seed = await startSeed(Number(new URL(url).port))
      await connected(node, seed)
    }
    // The seed was remembered: the next start finds it with nothing said.
    await using seed = await startSeed(Number(new URL(url).port))
    await using node = await startNode({ ...FREE, dataFolder })
    await connected(node, seed)
  })
})

describe('where a node is', () => {
  it('stays the same over a restart, so that two who met find each other with everybody else gone', async function () {
    this.timeout(60_000)
    await using folder = await createTemporaryFolder()
    const start = async (name: string, init: Partial<NodeInit> = {}): Promise<ElastosNode> =>
      await startNode({ mdns: false, dataFolder: join(folder.path, name), ...init })
    const addresses: string[][] = []
    {
      await using ann = await start('ann')
      await using ben = await start('ben', { bootstrap: [ann.host.addresses()[0] ?? ''] })
      await connected(ben, ann)
      addresses.push(ann.host.addresses(), ben.host.addresses())
    }
    await using ben = await start('ben')
    await using ann = await start('ann')
    assert.deepEqual([ann.host.addresses(), ben.host.addresses()], addresses)
    await connected(ann, ben)
  })
})

async function connected(node: ElastosNode, seed: ElastosNode): Promise<void> {
  for (let attempt = 0; attempt < 200; attempt++) {
    if (node.host.peers().some(({ peerId }) => peerId === seed.host.peerId)) return
    await sleep(100)
  }
  assert.fail('the node never met its seed')
}
