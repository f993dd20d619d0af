import assert from 'node:assert/strict'
import { MemoryDatastore } from 'datastore-core'
import { silentLogger } from '#contracts'
import { createMemoryBlockStore, startContent, type Content } from '#content'
import type { ExchangeHandler, Host } from '#dht'
import { certifyDevice, createKeyPair, peerIdFromDid } from '#did'
import { FOLLOWED_COPIES, PUBLISHED_COPIES, type Replication } from '#replication'
import { createSourceHints } from '../../../node/replicas/content.ts'
import { startReplicas } from '../../../node/replicas/replicas.ts'
import { createSeededRandom } from '../../support/seeded-random.ts'
import { createVirtualClock, type VirtualClock } from '../../support/virtual-clock.ts'

const MINUTE_MS = 60_000

interface World {
  readonly clock: VirtualClock
  readonly handlers: Map<string, ExchangeHandler>
  readonly providers: Map<string, Set<string>>
}

function hostOf({ handlers, providers }: World, self: string): Pick<Host, 'exchange' | 'ownRouting'> {
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
    const file = (text: string): { path: string; content: Uint8Array }[] => [
      { path: 'a.txt', content: new TextEncoder().encode(text) }
    ]
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
  })
})
