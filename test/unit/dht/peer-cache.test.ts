import assert from 'node:assert/strict'
import { MemoryDatastore } from 'datastore-core'
import { Key } from 'interface-datastore'
import { systemRandom } from '#contracts'
import { createKeyPair, peerIdFromDid } from '#did'
import { peerIdFromString } from '@libp2p/peer-id'
import { PEERS_CACHED_MAX } from '../../../dht/constants.ts'
import { cachePeers } from '../../../dht/peer-cache.ts'

const OWN = newPeerId()

function newPeerId(): string {
  return peerIdFromDid(createKeyPair(systemRandom).did)
}

function keyOf(peerId: string): Key {
  return new Key(`/peers/${peerIdFromString(peerId).toCID().toString()}`)
}

/** A datastore that counts what is read and written. */
class CountingDatastore extends MemoryDatastore {
  readonly reads: string[] = []
  readonly writes: string[] = []

  override get(key: Key): Uint8Array {
    this.reads.push(key.toString())
    return super.get(key) as Uint8Array
  }

  override put(key: Key, value: Uint8Array): Key {
    this.writes.push(key.toString())
    return super.put(key, value) as Key
  }
}

describe('dht/peer-cache', () => {
  it('reads a peer once, and hands on what is written at once', async () => {
    const inner = new CountingDatastore()
    const key = keyOf(newPeerId())
    inner.put(key, Uint8Array.of(1))
    const peers = cachePeers(inner, OWN)
    assert.deepEqual(await peers.get(key), Uint8Array.of(1))
    assert.deepEqual(await peers.get(key), Uint8Array.of(1))
    assert.equal(inner.reads.length, 1)
    await peers.put(key, Uint8Array.of(2))
    assert.deepEqual(await peers.get(key), Uint8Array.of(2))
    assert.deepEqual(inner.get(key), Uint8Array.of(2))
  })

  it('forgets what is deleted, and says that what was never there is not found', async () => {
    const inner = new CountingDatastore()
    const key = keyOf(newPeerId())
    const peers = cachePeers(inner, OWN)
    await peers.put(key, Uint8Array.of(1))
    await peers.delete(key)
    await assert.rejects(async () => await peers.get(key), { name: 'NotFoundError' })
    assert.equal(await inner.has(key), false)
  })

  it('keeps the own record in memory only, and forgets it with the process', async () => {
    const inner = new CountingDatastore()
    inner.put(keyOf(OWN), Uint8Array.of(9))
    inner.writes.length = 0
    const peers = cachePeers(inner, OWN)
    await assert.rejects(async () => await peers.get(keyOf(OWN)), { name: 'NotFoundError' })
    await peers.put(keyOf(OWN), Uint8Array.of(1))
    assert.deepEqual(await peers.get(keyOf(OWN)), Uint8Array.of(1))
    assert.deepEqual(inner.writes, [])
  })

  it('holds so many peers and no more, those met last', async () => {
    const inner = new CountingDatastore()
    const peers = cachePeers(inner, OWN)
    await peers.put(keyOf(OWN), Uint8Array.of(0))
    const keys = Array.from({ length: PEERS_CACHED_MAX + 10 }, () => keyOf(newPeerId()))
    for (const key of keys) await peers.put(key, Uint8Array.of(1))
    for (const key of keys.slice(-100)) await peers.get(key)
    assert.equal(inner.reads.length, 0)
    for (const key of keys.slice(0, 10)) await peers.get(key)
    assert.equal(inner.reads.length, 10)
    assert.deepEqual(await peers.get(keyOf(OWN)), Uint8Array.of(0))
  })

  it('leaves everything else alone', async () => {
    const inner = new CountingDatastore()
    const peers = cachePeers(inner, OWN)
    await peers.put(new Key('/pins/a'), Uint8Array.of(1))
    await peers.get(new Key('/pins/a'))
    await peers.get(new Key('/pins/a'))
    assert.equal(inner.reads.length, 2)
    assert.equal((await Array.fromAsync(peers.query({ prefix: '/pins' }))).length, 1)
  })
})
