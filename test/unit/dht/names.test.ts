import assert from 'node:assert/strict'
import { MemoryDatastore } from 'datastore-core'
import { ipnsNameFromDid } from '#did'
import { nameKey, sealNameRecord, verifyNameRecord } from '../../../dht/name-record.ts'
import {
  NAME_RENEW_BEFORE_MS,
  NAME_REPUT_INTERVAL_MS,
  NAME_VALIDITY_MS
} from '../../../dht/name-constants.ts'
import type { ShelfDatastore } from '../../../dht/shelf.ts'
import { cidOf, createMemoryDht, numberedKey, startMemoryNames } from '../../support/memory-names.ts'
import { createVirtualClock } from '../../support/virtual-clock.ts'

const alice = numberedKey(1)
const mallory = numberedKey(2)
const key = nameKey(alice.did)
const { signal } = new AbortController()

describe('dht/names', () => {
  it('publishes a name that another device resolves by did and by IPNS name', async () => {
    const [dht, clock] = [createMemoryDht(3), createVirtualClock()]
    await using publisher = startMemoryNames(dht, clock)
    await using reader = startMemoryNames(dht, clock)
    const value = await cidOf('one')
    const published = await publisher.publish(alice, { value, signal, firstPublish: true })
    assert.equal(published.sequence, 1n)
    assert.equal(published.storedBy, 3)
    for (const name of [alice.did, ipnsNameFromDid(alice.did)]) {
      const resolved = await reader.resolve(name, { signal })
      assert.equal(resolved.value.toString(), value.toString())
      assert.deepEqual(
        [resolved.sequence, resolved.fromCache, resolved.peersAsked, resolved.resolvedAtMs],
        [1n, false, 3, clock.nowMs()]
      )
    }
  })

  it('says how fresh an answer is: who agreed, when it was signed and until when it is valid', async () => {
    const [dht, clock] = [createMemoryDht(4), createVirtualClock()]
    await using publisher = startMemoryNames(dht, clock)
    await using reader = startMemoryNames(dht, clock)
    await publisher.publish(alice, { value: await cidOf('one'), signal, firstPublish: true })
    const signedAtMs = clock.nowMs()
    await clock.advance(60_000)
    const [first] = dht.peers
    first?.records.clear()
    const resolved = await reader.resolve(alice.did, { signal })
    const { peersAsked, peersAgreed, validUntilMs } = resolved
    assert.deepEqual(
      [peersAsked, peersAgreed, resolved.signedAtMs, validUntilMs],
      [4, 3, signedAtMs, signedAtMs + NAME_VALIDITY_MS]
    )
    // what other implementations sign does not say when
    const value = await cidOf('two')
    const other = await sealNameRecord(alice, { value, sequence: 2n, validUntilMs: clock.nowMs() + 1_000 })
    for (const peer of dht.peers.slice(0, 2)) dht.plant(peer, key, other.bytes)
    const newer = await reader.resolve(alice.did, { signal })
    assert.deepEqual([newer.peersAgreed, newer.signedAtMs], [2, undefined])
  })

  it('refuses to publish with a key whose latest record it does not know', async () => {
    const [dht, clock] = [createMemoryDht(3), createVirtualClock()]
    await using names = startMemoryNames(dht, clock)
    const value = await cidOf('one')
    await assert.rejects(names.publish(alice, { value, signal }), { code: 'ERR_NAME_UNRESOLVED' })
    for (const peer of dht.peers) peer.isReachable = false
    const alone = names.publish(alice, { value, signal, firstPublish: true })
    await assert.rejects(alone, { code: 'ERR_DHT_NO_PEERS' })
    assert.deepEqual(
      [...dht.peers.values()].map((peer) => peer.records.size),
      [0, 0, 0]
    )
  })

  it('continues behind what another device of the same person has published', async () => {
    const [dht, clock] = [createMemoryDht(3), createVirtualClock()]
    await using laptop = startMemoryNames(dht, clock)
    await using phone = startMemoryNames(dht, clock)
    for (const text of ['one', 'two', 'three']) {
      await laptop.publish(alice, { value: await cidOf(text), signal, firstPublish: true })
    }
    const published = await phone.publish(alice, { value: await cidOf('four'), signal })
    assert.equal(published.sequence, 4n)
    const stale = laptop.publish(alice, { value: await cidOf('five'), signal, basedOn: 3n })
    await assert.rejects(stale, { code: 'ERR_NAME_CHANGED' })
  })

  it('continues behind a record that has expired', async () => {
    const [dht, clock] = [createMemoryDht(1), createVirtualClock()]
    const old = await sealNameRecord(alice, {
      value: await cidOf('old'),
      sequence: 41n,
      validUntilMs: clock.nowMs() - 1
    })
    dht.plant(dht.peers[0], key, old.bytes)
    await using names = startMemoryNames(dht, clock)
    await assert.rejects(names.resolve(alice.did, { signal }), { code: 'ERR_NAME_EXPIRED' })
    const published = await names.publish(alice, { value: await cidOf('new'), signal })
    assert.equal(published.sequence, 42n)
  })

  it('never goes back: an older record is refused, over a restart too, and the newer one is put back', async () => {
    const [dht, clock] = [createMemoryDht(2), createVirtualClock()]
    const datastore = new MemoryDatastore()
    const at = async (sequence: bigint): Promise<Uint8Array> =>
      (
        await sealNameRecord(alice, {
          value: await cidOf('x'),
          sequence,
          validUntilMs: clock.nowMs() + 1_000
        })
      ).bytes
    {
      await using names = startMemoryNames(dht, clock, { datastore })
      dht.plant(dht.peers[0], key, await at(6n))
      assert.equal((await names.resolve(alice.did, { signal })).sequence, 6n)
    }
    for (const peer of dht.peers) dht.plant(peer, key, await at(5n))
    await using names = startMemoryNames(dht, clock, { datastore })
    await assert.rejects(names.resolve(alice.did, { signal }), { code: 'ERR_NAME_STALE' })
    assert.equal((await names.resolve(alice.did, { signal })).sequence, 6n)
  })

  it('serves what it has seen while nobody answers, until that expires', async () => {
    const [dht, clock] = [createMemoryDht(2), createVirtualClock()]
    await using publisher = startMemoryNames(dht, clock)
    await using reader = startMemoryNames(dht, clock)
    await publisher.publish(alice, { value: await cidOf('one'), signal, firstPublish: true })
    await reader.resolve(alice.did, { signal })
    for (const peer of dht.peers) peer.isReachable = false
    const cached = await reader.resolve(alice.did, { signal })
    assert.deepEqual([cached.fromCache, cached.peersAsked, cached.sequence], [true, 0, 1n])
    clock.shiftWallClock(NAME_VALIDITY_MS)
    await assert.rejects(reader.resolve(alice.did, { signal }), { code: 'ERR_NAME_EXPIRED' })
    await assert.rejects(reader.resolve(mallory.did, { signal }), { code: 'ERR_DHT_NO_PEERS' })
  })

  it('says why records were refused when none of them counts, and takes a good one among bad ones', async () => {
    const [dht, clock] = [createMemoryDht(3), createVirtualClock()]
    await using names = startMemoryNames(dht, clock)
    const init = { value: await cidOf('x'), sequence: 1n, validUntilMs: clock.nowMs() + 1_000 }
    const forged = await sealNameRecord(mallory, { ...init, sequence: 99n })
    await assert.rejects(names.resolve(alice.did, { signal }), { code: 'ERR_NAME_NOT_FOUND' })
    dht.plant(dht.peers[0], key, forged.bytes)
    await assert.rejects(names.resolve(alice.did, { signal }), { code: 'ERR_NAME_SIGNER' })
    dht.plant(dht.peers[1], key, new Uint8Array(11_000))
    await assert.rejects(names.resolve(alice.did, { signal }), { code: 'ERR_NAME_TOO_LARGE' })
    dht.plant(dht.peers[2], key, (await sealNameRecord(alice, init)).bytes)
    assert.equal((await names.resolve(alice.did, { signal })).sequence, 1n)
  })

  it('never uses a sequence for two values when it crashes between writing down and putting', async () => {
    const [dht, clock] = [createMemoryDht(2), createVirtualClock()]
    const datastore = new MemoryDatastore()
    {
      await using names = startMemoryNames(dht, clock, { datastore })
      await names.publish(alice, { value: await cidOf('one'), signal, firstPublish: true })
      for (const peer of dht.peers) peer.isStoring = false
      const lost = names.publish(alice, { value: await cidOf('lost'), signal })
      await assert.rejects(lost, { code: 'ERR_DHT_NOT_STORED' })
    }
    for (const peer of dht.peers) peer.isStoring = true
    await using names = startMemoryNames(dht, clock, { datastore })
    const published = await names.publish(alice, { value: await cidOf('three'), signal })
    assert.equal(published.sequence, 3n)
  })

  it('puts nothing anywhere when the record could not be written down', async () => {
    const [dht, clock] = [createMemoryDht(2), createVirtualClock()]
    const datastore = new MemoryDatastore()
    const full: ShelfDatastore = {
      get: (k) => datastore.get(k),
      has: (k) => datastore.has(k),
      delete: (k) => datastore.delete(k),
      queryKeys: (query) => datastore.queryKeys(query),
      put: () => Promise.reject(new Error('no space left on device'))
    }
    await using names = startMemoryNames(dht, clock, { datastore: full })
    const refused = names.publish(alice, { value: await cidOf('one'), signal, firstPublish: true })
    await assert.rejects(refused, /no space left/)
    assert.equal(
      dht.peers.every((peer) => peer.records.size === 0),
      true
    )
  })

  it('refuses to go on with a stored record that cannot be read', async () => {
    const [dht, clock] = [createMemoryDht(2), createVirtualClock()]
    const datastore = new MemoryDatastore()
    {
      await using names = startMemoryNames(dht, clock, { datastore })
      await names.publish(alice, { value: await cidOf('one'), signal, firstPublish: true })
    }
    for await (const { key: stored } of datastore.query({})) await datastore.put(stored, Uint8Array.of(1))
    await using names = startMemoryNames(dht, clock, { datastore })
    const refused = names.publish(alice, { value: await cidOf('two'), signal })
    await assert.rejects(refused, { code: 'ERR_NAME_STORE' })
  })

  it('gives concurrent publishes of one process different sequences', async () => {
    const [dht, clock] = [createMemoryDht(2), createVirtualClock()]
    await using names = startMemoryNames(dht, clock)
    const values = await Promise.all(['a', 'b', 'c'].map(cidOf))
    const all = values.map((value) => names.publish(alice, { value, signal, firstPublish: true }))
    const sequences = (await Promise.all(all)).map(({ sequence }) => sequence)
    assert.deepEqual(sequences, [1n, 2n, 3n])
  })

  it('puts own and followed names again by itself and renews own records before they expire', async () => {
    const [dht, clock] = [createMemoryDht(2), createVirtualClock()]
    const datastore = new MemoryDatastore()
    await using publisher = startMemoryNames(dht, clock, { datastore, signers: [alice] })
    await using follower = startMemoryNames(dht, clock)
    const first = await publisher.publish(alice, { value: await cidOf('one'), signal, firstPublish: true })
    await follower.resolve(alice.did, { signal })
    await follower.follow(alice.did)
    for (const peer of dht.peers) peer.records.clear()
    await clock.advance(NAME_REPUT_INTERVAL_MS)
    assert.equal(
      dht.peers.every((peer) => peer.records.size === 1),
      true
    )

    for (const peer of dht.peers) peer.records.clear()
    assert.deepEqual(await follower.republish({ signal }), { stored: 1, failed: 0 })
    assert.equal(
      dht.peers.every((peer) => peer.records.size === 1),
      true
    )

    clock.shiftWallClock(NAME_VALIDITY_MS - NAME_RENEW_BEFORE_MS)
    await publisher.republish({ signal })
    const held = verifyNameRecord(alice.did, dht.peers[0]?.records.values().next().value ?? new Uint8Array())
    assert.equal(held.sequence, first.sequence)
    assert.equal(held.validUntilMs > first.validUntilMs, true)
    await follower.unfollow(alice.did)
    assert.deepEqual(await follower.republish({ signal }), { stored: 0, failed: 0 })
  })

  it('ends operations and timers when it is closed or the caller gives up', async () => {
    const clock = createVirtualClock()
    const dht = createMemoryDht(1)
    const hanging = {
      ...dht.routing,
      find: async function* () {
        yield* []
        await new Promise(() => undefined)
      }
    }
    const names = startMemoryNames({ ...dht, routing: hanging }, clock)
    const controller = new AbortController()
    const given = names.resolve(alice.did, { signal: controller.signal })
    controller.abort(new Error('changed my mind'))
    await assert.rejects(given, /changed my mind/)
    const closed = names.resolve(alice.did, { signal })
    await names[Symbol.asyncDispose]()
    await assert.rejects(closed, { code: 'ERR_HOST_CLOSED' })
    assert.equal(clock.pendingCount(), 0)
  })

  it('does not wait for ever for a DHT that hangs', async () => {
    const clock = createVirtualClock()
    const dht = createMemoryDht(1)
    const hanging = {
      ...dht.routing,
      find: async function* () {
        yield* []
        await new Promise(() => undefined)
      }
    }
    await using names = startMemoryNames({ ...dht, routing: hanging }, clock)
    const outcome = assert.rejects(names.resolve(alice.did, { signal }), { code: 'ERR_DHT_NO_PEERS' })
    await clock.advance(30_000)
    await outcome
  })
})
