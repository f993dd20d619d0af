import assert from 'node:assert/strict'
import type { Peer, PeerId, PeerStore } from '@libp2p/interface'
import { peerIdFromString } from '@libp2p/peer-id'
import { multiaddr } from '@multiformats/multiaddr'
import { MemoryDatastore } from 'datastore-core'
import fc from 'fast-check'
import type { Key } from 'interface-datastore'
import { createLibp2p } from 'libp2p'
import { systemRandom } from '#contracts'
import { createKeyPair, peerIdFromDid } from '#did'
import { PEER_KNOWN_MS } from '../../../dht/constants.ts'
import { quickenPeerStore } from '../../../dht/quick-peer-store.ts'

const ECHO = '/test/echo/1.0.0'
const ADDRESS = multiaddr('/ip4/192.0.2.1/tcp/4697')

class CountingDatastore extends MemoryDatastore {
  writes = 0

  override put(key: Key, value: Uint8Array): Key {
    this.writes += 1
    return super.put(key, value) as Key
  }
}

function newPeer(): PeerId {
  return peerIdFromString(peerIdFromDid(createKeyPair(systemRandom).did))
}

interface Ground {
  readonly store: PeerStore
  readonly own: PeerId
  readonly disk: CountingDatastore
  pass(durationMs: number): void
}

async function startStore(isQuick = true): Promise<Ground> {
  const disk = new CountingDatastore()
  const { peerStore: store, peerId: own } = await createLibp2p({ start: false, datastore: disk })
  let nowMs = 0
  if (isQuick) quickenPeerStore(store, { nowMs: () => nowMs }, own)
  disk.writes = 0
  return { store, own, disk, pass: (durationMs) => (nowMs += durationMs) }
}

describe('dht/quick-peer-store', () => {
  it('writes a peer down once for many streams; stock libp2p: with each', async () => {
    const streams = async ({ store, disk }: Ground): Promise<number> => {
      const peer = newPeer()
      await store.patch(peer, { protocols: [ECHO], addresses: [{ multiaddr: ADDRESS, isCertified: true }] })
      for (let stream = 0; stream < 10; stream++) await store.merge(peer, { protocols: [ECHO] })
      return disk.writes
    }
    assert.equal(await streams(await startStore(false)), 11)
    assert.equal(await streams(await startStore()), 1)
  })

  it('notes nothing of a peer for speaking identify, which says so itself', async () => {
    const { store, own, disk } = await startStore()
    const [stranger, known] = [newPeer(), newPeer()]
    const noted = await store.merge(stranger, { protocols: ['/ipfs/id/1.0.0'] })
    assert.ok(noted.id.equals(stranger))
    assert.equal(await store.has(stranger), false)
    await store.merge(known, { multiaddrs: [ADDRESS] })
    assert.deepEqual((await store.merge(known, { protocols: ['/ipfs/id/1.0.0'] })).addresses.length, 1)
    assert.equal(disk.writes, 1)
    await store.merge(stranger, { protocols: ['/ipfs/id/1.0.0', ECHO] })
    await store.patch(known, { protocols: ['/ipfs/id/1.0.0'] })
    assert.equal(disk.writes, 3, 'what says more is written, and what identify says')
    await store.merge(own, { protocols: ['/ipfs/id/1.0.0'] })
    assert.equal(disk.writes, 4, 'what others are told of us is taken from there')
  })

  it('writes what is new at once, and addresses always: they count from when they were named last', async () => {
    const { store, disk } = await startStore()
    const peer = newPeer()
    await store.merge(peer, { protocols: [ECHO], multiaddrs: [ADDRESS] })
    await store.merge(peer, { protocols: ['/test/other'] })
    await store.merge(peer, { metadata: { name: Uint8Array.of(1) } })
    await store.merge(peer, { metadata: { name: Uint8Array.of(2) } })
    await store.merge(peer, { tags: { near: { value: 1 } } })
    await store.merge(peer, { multiaddrs: [ADDRESS] })
    assert.equal(disk.writes, 6)
    await store.merge(peer, { metadata: { name: Uint8Array.of(2) }, protocols: [ECHO] })
    assert.equal(disk.writes, 6)
  })

  it('writes the same again after a while, so that a peer that is there is not forgotten', async () => {
    const { store, disk, pass } = await startStore()
    const peer = newPeer()
    await store.merge(peer, { protocols: [ECHO] })
    pass(PEER_KNOWN_MS)
    await store.merge(peer, { protocols: [ECHO] })
    assert.equal(disk.writes, 2)
  })

  it('tells what is being written to whoever asks meanwhile', async () => {
    const { store } = await startStore()
    const peer = newPeer()
    await store.merge(peer, { protocols: [ECHO] })
    const writing = store.patch(peer, { protocols: ['/test/other'] })
    const asked = store.get(peer)
    const told = store.merge(peer, { protocols: [ECHO] })
    assert.deepEqual((await asked).protocols, ['/test/other'])
    await Promise.all([writing, told])
    assert.deepEqual((await store.get(peer)).protocols, [ECHO, '/test/other'])
  })

  it('lets nobody change what others are told', async () => {
    const { store } = await startStore()
    const peer = newPeer()
    const written = await store.merge(peer, { protocols: [ECHO], tags: { near: { value: 1 } } })
    for (const mine of [written, await store.get(peer)]) {
      mine.protocols.push('/test/never-spoken')
      mine.tags.clear()
    }
    const { protocols, tags } = await store.get(peer)
    assert.deepEqual([protocols, [...tags.keys()]], [[ECHO], ['near']])
  })

  it('forgets who was deleted', async () => {
    const { store } = await startStore()
    const peer = newPeer()
    await store.merge(peer, { protocols: [ECHO] })
    await store.delete(peer)
    await assert.rejects(store.get(peer), { name: 'NotFoundError' })
    assert.equal(await store.has(peer), false)
  })

  it('answers as the store without it, whatever is written', async () => {
    const word = fc.constantFrom('a', 'b', 'c')
    const change = fc.oneof(
      fc.record({
        how: fc.constantFrom('merge' as const, 'patch' as const, 'save' as const),
        protocols: fc.option(fc.uniqueArray(word), { nil: undefined }),
        tag: fc.option(word, { nil: undefined }),
        name: fc.option(fc.nat(2), { nil: undefined })
      }),
      fc.record({ how: fc.constantFrom('delete' as const, 'get' as const) })
    )
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(fc.nat(1), change), { maxLength: 20 }), async (changes) => {
        const peers = [newPeer(), newPeer()]
        const answers = await Promise.all(
          [true, false].map(async (isQuick) => {
            const { store } = await startStore(isQuick)
            const told: unknown[] = []
            for (const [at, { how, ...data }] of changes) {
              const peer = peers[at] ?? newPeer()
              if (how === 'get') told.push(await shown(store, peer))
              else if (how === 'delete') await store.delete(peer)
              else await store[how](peer, peerData(data))
            }
            for (const peer of peers) told.push(await shown(store, peer))
            return told
          })
        )
        assert.deepEqual(answers[0], answers[1])
      }),
      { numRuns: 40 }
    )
  })
})

function peerData(o: {
  protocols?: string[] | undefined
  tag?: string | undefined
  name?: number | undefined
}): {
  protocols?: string[]
  tags?: Record<string, { value: number }>
  metadata?: Record<string, Uint8Array>
} {
  return {
    ...(o.protocols === undefined ? {} : { protocols: o.protocols }),
    ...(o.tag === undefined ? {} : { tags: { [o.tag]: { value: 1 } } }),
    ...(o.name === undefined ? {} : { metadata: { name: Uint8Array.of(o.name) } })
  }
}

async function shown(store: PeerStore, peer: PeerId): Promise<unknown> {
  const found: Peer | undefined = await store.get(peer).catch(() => undefined)
  return found && [found.protocols, [...found.tags.keys()], [...found.metadata]]
}
