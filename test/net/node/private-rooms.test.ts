import assert from 'node:assert/strict'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { startNode, type ElastosNode, type NodeInit } from '#node'
import { createTemporaryFolder } from '../../support/temporary-folder.ts'

const FREE: Pick<NodeInit, 'listen' | 'mdns'> = { listen: ['/ip4/127.0.0.1/tcp/0'], mdns: false }
const patience = (): AbortSignal => AbortSignal.timeout(60_000)

async function start(folder: string, name: string, peers: readonly ElastosNode[] = []): Promise<ElastosNode> {
  const bootstrap = peers.map((peer) => peer.host.addresses()[0] ?? '')
  return await startNode({ ...FREE, dataFolder: join(folder, name), bootstrap })
}

/** Says it to the person as soon as prekeys of theirs are found. */
async function sayTo(from: ElastosNode, person: ElastosNode['personDid'], text: string): Promise<string> {
  for (let attempt = 0; attempt < 200; attempt++) {
    try {
      return (await from.privateRooms.sayTo(person, text, { signal: patience() })).group
    } catch (thrown) {
      if (!(thrown instanceof Error && 'code' in thrown && thrown.code === 'ERR_PRIVATE_PREKEYS'))
        throw thrown
      await sleep(100)
    }
  }
  assert.fail('prekeys were never found')
}

async function until(what: string, isSo: () => boolean): Promise<void> {
  for (let attempt = 0; attempt < 300; attempt++) {
    if (isSo()) return
    await sleep(100)
  }
  assert.fail(`never: ${what}`)
}

async function heard(node: ElastosNode, text: string): Promise<void> {
  for (let attempt = 0; attempt < 300; attempt++) {
    for (const { group } of node.privateRooms.list()) {
      const texts = await node.privateRooms.texts(group)
      if (texts.some((one) => one.text === text)) return
    }
    await sleep(100)
  }
  assert.fail(`never heard: ${text}`)
}

describe('private rooms of nodes', function () {
  this.timeout(120_000)

  it('first words reach a person who was away, when who said them is gone too', async () => {
    await using folder = await createTemporaryFolder()
    await using seed = await start(folder.path, 'seed')
    let bob = await start(folder.path, 'bob', [seed])
    const { personDid } = bob
    let ann = await start(folder.path, 'ann', [seed])
    try {
      // Somebody else finds prekeys of bob: then those who give them out have them.
      await sayTo(seed, personDid, 'from the seed')
      await heard(bob, 'from the seed')
      await bob[Symbol.asyncDispose]()
      await sayTo(ann, personDid, 'are you there?')
      await until('what she said is kept for him', () => ann.privateRooms.waiting() === 0)
      await ann[Symbol.asyncDispose]()
      bob = await start(folder.path, 'bob', [seed])
      await heard(bob, 'are you there?')
      await sayTo(bob, ann.personDid, 'I am')
      ann = await start(folder.path, 'ann', [seed])
      await heard(ann, 'I am')
      assert.equal(seed.privateRooms.list().length, 1, 'the seed is in none of it')
    } finally {
      await ann[Symbol.asyncDispose]()
      await bob[Symbol.asyncDispose]()
    }
  })
})
