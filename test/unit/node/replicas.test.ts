import assert from 'node:assert/strict'
import * as dagCbor from '@ipld/dag-cbor'
import { MemoryDatastore } from 'datastore-core'
import type { CID } from 'multiformats/cid'
import { silentLogger } from '#contracts'
import { createMemoryBlockStore, KEPT_FOR_OTHERS, startContent, type Content } from '#content'
import type { ExchangeHandler, Host } from '#dht'
import { certifyDevice, createKeyPair, peerIdFromDid } from '#did'
import { FOLLOWED_COPIES, PUBLISHED_COPIES, type Replication } from '#replication'
import { createReplicaContent, createSourceHints } from '../../../node/replicas/content.ts'
import { startReplicas } from '../../../node/replicas/replicas.ts'
import { createSeededRandom } from '../../support/seeded-random.ts'
import { createVirtualClock, type VirtualClock } from '../../support/virtual-clock.ts'

const MINUTE_MS = 60_000

interface World {
  readonly clock: VirtualClock
  readonly handlers: Map<string, ExchangeHandler>
  readonly providers: Map<string, Set<string>>
}

function hostOf(
  { handlers, providers }: World,
  self: string
): Pick<Host, 'exchange' | 'metrics' | 'ownRouting'> {
  const routing = {
    provideQuick: async (cid: { toString(): string }) => {
      await Promise.resolve()
      providers.set(cid.toString(), (providers.get(cid.toString()) ?? new Set<string>()).add(self))
      return { stored: 1 }
    },
    findProviders: async function* (cid: { toString(): string }) {
      for (const peerId of providers.get(cid.toString()) ?? [])
        yield await Promise.resolve({ peerId, multiaddrs: [] })
    }
  }
  return {
    metrics: () => ({ tableSize: handlers.size }) as unknown as ReturnType<Host['metrics']>,
    ownRouting: routing as unknown as Host['ownRouting'],
    exchange: {
      request: async (peerId, _protocol, bytes) => {
        const handler = handlers.get(peerId)
        if (handler === undefined) throw new Error('unreachable')
        return await handler({ peerId: self, bytes, signal: new AbortController().signal })
      },
      serve: async (_protocol, handler) => {
        handlers.set(self, handler)
        return await Promise.resolve({ [Symbol.asyncDispose]: async () => await Promise.resolve() })
      }
    }
  }
}

function file(text: string): { path: string; content: Uint8Array }[] {
  return [{ path: 'a.txt', content: new TextEncoder().encode(text) }]
}

describe('replicas of a node', () => {
  it('gives what is published a goal once somebody would keep it, and what is private none', async () => {
    await using stack = new AsyncDisposableStack()
    const world: World = { clock: createVirtualClock(), handlers: new Map(), providers: new Map() }
    const random = createSeededRandom(7)
    const start = async (): Promise<{ content: Content; replication: Replication; person: string }> => {
      const [person, device] = [createKeyPair(random), createKeyPair(random)]
      const shared = { clock: world.clock, random, logger: silentLogger, datastore: new MemoryDatastore() }
      const blocks = createMemoryBlockStore()
      const content = stack.use(
        await startContent({ ...shared, routing: 'off', blocks, isDenied: () => false })
      )
      const certificate = certifyDevice(person, { device: device.did, issuedAtMs: 1 })
      const replication = stack.use(
        await startReplicas({
          ...{ ...shared, content, hints: createSourceHints(), isDenied: () => false },
          host: hostOf(world, peerIdFromDid(device.did)),
          keystore: { device, certificate }
        })
      )
      return { content, replication, person: person.did }
    }
    const publisher = await start()
    const shown = await publisher.content.addFiles(file('shown'))
    const hidden = await publisher.content.addFiles(file('hidden'), { private: true })
    await world.clock.advance(2 * MINUTE_MS)
    assert.equal(publisher.replication.hasGoal(shown.cid.toString()), false, 'nobody would keep it')

    const follower = await start()
    await follower.replication.offer({ spaceBytes: 2 ** 30, isVolunteer: true })
    await world.clock.advance(15 * MINUTE_MS)
    const { goal } = publisher.replication.status(shown.cid.toString())
    assert.equal(goal.copies, PUBLISHED_COPIES)
    assert.ok(goal.isPublic && FOLLOWED_COPIES < PUBLISHED_COPIES)
    assert.equal(publisher.replication.hasGoal(hidden.cid.toString()), false)

    // what names and signs it too, but nothing that opens something else, and no longer than it counts
    const put = async (value: object): Promise<CID> =>
      (await publisher.content.putBlock(dagCbor.encode(value), { codec: 'dag-cbor', public: true })).cid
    const [index, opening] = [await put({ index: 1 }), await put({ opens: hidden.cid })]
    await world.clock.advance(2 * MINUTE_MS)
    assert.equal(publisher.replication.status(index.toString()).goal.copies, PUBLISHED_COPIES)
    assert.equal(publisher.replication.hasGoal(opening.toString()), false)
    assert.equal(await publisher.content.mayServe(hidden.cid, 'anybody'), false)
    await publisher.content.unpin(index)
    await world.clock.advance(2 * MINUTE_MS)
    assert.equal(publisher.replication.status(index.toString()).goal.copies, 0)

    await publisher.content.pin(shown.cid, { private: true })
    await world.clock.advance(2 * MINUTE_MS)
    const after = publisher.replication.status(shown.cid.toString()).goal
    assert.deepEqual([after.isPublic, after.copies], [false, PUBLISHED_COPIES])
  })
})

describe('content that is kept for others', () => {
  const access = { isPublic: true, readers: [] }
  const options = { access, sources: [], bytesMax: 1_000, signal: new AbortController().signal }

  async function openContent(): Promise<Content> {
    const shared = { clock: createVirtualClock(), random: createSeededRandom(3), logger: silentLogger }
    const stores = { datastore: new MemoryDatastore(), blocks: createMemoryBlockStore() }
    return await startContent({ ...shared, ...stores, routing: 'off', isDenied: () => false })
  }

  it('is not opened to everybody when its owner made it private, and not kept when they unpinned it', async () => {
    await using content = await openContent()
    const { cid } = await content.addFiles(file('mine'), { private: true })
    const replicas = createReplicaContent(content, createSourceHints())
    await replicas.hold(cid.toString(), { ...options, isOwn: true, isCopy: false })
    assert.equal(content.pinned(cid)?.isPublic, false)
    await content.unpin(cid)
    await replicas.hold(cid.toString(), { ...options, isOwn: true, isCopy: false })
    assert.equal(content.pinned(cid), undefined)
  })

  it('stays when the user pinned it too, whatever becomes of the copy', async () => {
    await using content = await openContent()
    const { cid } = await content.addFiles(file('both'))
    await content.unpin(cid)
    const replicas = createReplicaContent(content, createSourceHints())
    await replicas.hold(cid.toString(), { ...options, isOwn: false, isCopy: true })
    await content.pin(cid)
    await replicas.forget(cid.toString())
    assert.notEqual(content.pinned(cid), undefined)
  })

  it('leaves the disk too, once enough was let go', async () => {
    await using content = await openContent()
    let collections = 0
    const pin = { name: KEPT_FOR_OTHERS }
    const large = {
      pinned: () => pin,
      unpin: async () => await Promise.resolve(),
      blocksOf: async function* () {
        yield await Promise.resolve({ bytes: 200 * 2 ** 20 })
      },
      gc: async () => await Promise.resolve(collections++)
    }
    const { cid } = await content.addFiles(file('large'))
    const replicas = createReplicaContent(large as unknown as Content, createSourceHints())
    await replicas.forget(cid.toString())
    assert.equal(collections, 0)
    await replicas.forget(cid.toString())
    assert.equal(collections, 1)
  })

  it('goes when nothing counts it any more after the node was killed', async () => {
    const shared = { clock: createVirtualClock(), random: createSeededRandom(3), logger: silentLogger }
    await using content = await openContent()
    const { cid } = await content.addFiles(file('lost'), { name: KEPT_FOR_OTHERS })
    const mine = await content.addFiles(file('mine'), { private: true })
    const [person, device] = [createKeyPair(shared.random), createKeyPair(shared.random)]
    const certificate = certifyDevice(person, { device: device.did, issuedAtMs: 1 })
    await using _replication = await startReplicas({
      ...{ ...shared, content, hints: createSourceHints(), isDenied: () => false },
      datastore: new MemoryDatastore(),
      host: hostOf({ clock: shared.clock, handlers: new Map(), providers: new Map() }, 'self'),
      keystore: { device, certificate }
    })
    assert.equal(content.pinned(cid), undefined)
    assert.notEqual(content.pinned(mine.cid), undefined)
  })
})
