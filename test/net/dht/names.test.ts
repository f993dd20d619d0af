import assert from 'node:assert/strict'
import { Libp2pRecord } from '@libp2p/record'
import { MemoryDatastore } from 'datastore-core'
import { Key } from 'interface-datastore'
import { base32 } from 'multiformats/bases/base32'
import { systemClock, systemRandom } from '#contracts'
import { nameKey, sealNameRecord } from '#dht'
import type { Host } from '#dht'
import { createKeyPair, ipnsNameFromDid } from '#did'
import type { Did } from '#did'
import { cidOf } from '../../support/memory-names.ts'
import { startTestHost } from './hosts.ts'

const { signal } = new AbortController()
const HOUR_MS = 3_600_000

/** Puts a record into a peer's disk behind its back, as one of its own making would have it. */
async function plant(datastore: MemoryDatastore, did: Did, record: Uint8Array): Promise<void> {
  const key = nameKey(did)
  const stored = new Libp2pRecord(key, record, new Date(systemClock.nowMs())).serialize()
  await datastore.put(new Key(`/elastos-dht/record/${base32.baseEncode(key)}`), stored.subarray())
}

describe('names between real nodes', () => {
  it('a node resolves what another published, each time the latest', async () => {
    await using seed = await startTestHost({ role: 'seed' })
    const bootstrapPeers = seed.addresses()
    await using alice = await startTestHost({ bootstrapPeers })
    await using bob = await startTestHost({ bootstrapPeers })
    const publisher = createKeyPair(systemRandom)
    await assert.rejects(bob.names.resolve(publisher.did, { signal }), { code: 'ERR_NAME_NOT_FOUND' })
    const refused = alice.names.publish(publisher, { value: await cidOf('one'), signal })
    await assert.rejects(refused, { code: 'ERR_NAME_UNRESOLVED' })
    for (const text of ['one', 'two']) {
      const value = await cidOf(text)
      await alice.names.publish(publisher, { value, signal, firstPublish: true })
      const resolved = await bob.names.resolve(ipnsNameFromDid(publisher.did), { signal })
      assert.equal(resolved.value.toString(), value.toString())
    }
  })

  it('a node with nobody to ask says so', async () => {
    await using host = await startTestHost()
    const publisher = createKeyPair(systemRandom)
    await assert.rejects(host.names.resolve(publisher.did, { signal }), { code: 'ERR_DHT_NO_PEERS' })
    const publishing = host.names.publish(publisher, { value: await cidOf('x'), signal, firstPublish: true })
    await assert.rejects(publishing, { code: 'ERR_DHT_NO_PEERS' })
  })

  it('an older, a foreign and an expired record are refused, each with its code', async () => {
    const publisher = createKeyPair(systemRandom)
    const init = { value: await cidOf('x'), validUntilMs: systemClock.nowMs() + HOUR_MS }
    const readerKey = createKeyPair(systemRandom)
    const readerStore = new MemoryDatastore()
    const resolveFrom = async (record: Uint8Array): Promise<bigint> => {
      const datastore = new MemoryDatastore()
      await plant(datastore, publisher.did, record)
      await using server = await startTestHost({ role: 'seed', datastore })
      await using reader = await startReader(server)
      return (await reader.names.resolve(publisher.did, { signal })).sequence
    }
    const startReader = (server: Host): Promise<Host> =>
      startTestHost({ bootstrapPeers: server.addresses(), keyPair: readerKey, datastore: readerStore })

    const foreign = await sealNameRecord(createKeyPair(systemRandom), { ...init, sequence: 9n })
    await assert.rejects(resolveFrom(foreign.bytes), { code: 'ERR_NAME_SIGNER' })
    const expired = await sealNameRecord(publisher, {
      ...init,
      validUntilMs: systemClock.nowMs() - 1,
      sequence: 1n
    })
    await assert.rejects(resolveFrom(expired.bytes), { code: 'ERR_NAME_EXPIRED' })
    const third = await sealNameRecord(publisher, { ...init, sequence: 3n })
    assert.equal(await resolveFrom(third.bytes), 3n)
    const second = await sealNameRecord(publisher, { ...init, sequence: 2n })
    await assert.rejects(resolveFrom(second.bytes), { code: 'ERR_NAME_STALE' })
  })
})
