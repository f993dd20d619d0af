/** What hostile peers can do to a real node over the wire. */
import assert from 'node:assert/strict'
import { MessageType } from '@libp2p/kad-dht'
import type { QueryEvent } from '@libp2p/kad-dht'
import type { PeerId } from '@libp2p/interface'
import { Libp2pRecord } from '@libp2p/record'
import { multiaddr } from '@multiformats/multiaddr'
import { MemoryDatastore } from 'datastore-core'
import { Key } from 'interface-datastore'
import { base32 } from 'multiformats/bases/base32'
import { varint } from 'multiformats'
import { systemRandom } from '#contracts'
import { nameKey, openNameRecord, RECORD_BYTES_MAX, sealNameRecord } from '#dht'
import type { Host } from '#dht'
import { createKeyPair, peerIdFromDid } from '#did'
import { peerIdFromString } from '@libp2p/peer-id'
import { cidOf } from '../../support/memory-names.ts'
import { startTestHost, until } from './hosts.ts'
import { startStockNode } from './stock-node.ts'
import type { StockNode } from './stock-node.ts'

const { signal } = new AbortController()
const HOUR_MS = 3_600_000

/** How stock kad-dht talks to one peer, beyond its declared interface. */
interface KadNetwork {
  sendMessage(to: PeerId, message: object, options: object): AsyncIterable<QueryEvent>
  sendRequest(to: PeerId, message: object, options: object): AsyncIterable<QueryEvent>
}

/** A hostile peer that is connected to a node: stock kad-dht checks nothing of what it is told to send. */
async function startMallory(victim: Host): Promise<StockNode> {
  const mallory = await startStockNode({ dht: { clientMode: true } })
  await mallory.dial(multiaddr(victim.addresses()[0] ?? ''))
  await until(
    () => (mallory.services.dht as unknown as { routingTable: { size: number } }).routingTable.size > 0
  )
  return mallory
}

/** Sends a message and says whether it was taken, or answered when it is a question. */
async function say(
  mallory: StockNode,
  victim: Host,
  message: { readonly type: MessageType; readonly [field: string]: unknown }
): Promise<boolean> {
  const { network } = mallory.services.dht as unknown as { readonly network: KadNetwork }
  const to = peerIdFromString(victim.peerId)
  const options = { signal, path: { index: -1, queued: 0, running: 0, total: 0 } }
  const isQuestion = message.type === MessageType.GET_PROVIDERS
  const events = isQuestion
    ? network.sendRequest(to, message, options)
    : network.sendMessage(to, message, options)
  let isTaken = false
  for await (const event of events) if (event.name === 'PEER_RESPONSE') isTaken = true
  return isTaken
}

async function providersNamed(asker: Host, text: string): Promise<string[]> {
  const found = await Array.fromAsync(asker.routing.findProviders(await cidOf(text), { signal }))
  return found.map(({ peerId }) => peerId)
}

describe('hostile peers of the DHT', () => {
  it('cannot announce anybody but themselves', async () => {
    await using seed = await startTestHost({ role: 'seed' })
    await using alice = await startTestHost({ bootstrapPeers: seed.addresses() })
    await alice.ready(signal)
    await using mallory = await startMallory(seed)
    const key = (await cidOf('film')).multihash.bytes
    const address = multiaddr('/ip4/127.0.0.1/tcp/1').bytes
    for (const victim of [alice.peerId, peerIdFromDid(createKeyPair(systemRandom).did)]) {
      const providers = [{ id: peerIdFromString(victim).toMultihash().bytes, multiaddrs: [address] }]
      await say(mallory, seed, { type: MessageType.ADD_PROVIDER, key, providers })
    }
    assert.deepEqual(await providersNamed(seed, 'film'), [])
    assert.deepEqual(await providersNamed(alice, 'film'), [])
  })

  it('cannot drown a node in announcements and questions: it still answers everybody else', async () => {
    const datastore = new MemoryDatastore()
    await using seed = await startTestHost({ role: 'seed', datastore })
    await using alice = await startTestHost({ bootstrapPeers: seed.addresses() })
    await using bob = await startTestHost({ bootstrapPeers: seed.addresses() })
    await alice.routing.provide(await cidOf('song'))
    await using mallory = await startMallory(seed)
    const own = [
      { id: mallory.peerId.toMultihash().bytes, multiaddrs: [multiaddr('/ip4/127.0.0.1/tcp/1').bytes] }
    ]
    const keys = await Promise.all(
      Array.from({ length: 150 }, async (_, index) => (await cidOf(`flood ${index}`)).multihash.bytes)
    )
    const flood = Promise.all(
      keys.map(async (key) => {
        await say(mallory, seed, { type: MessageType.ADD_PROVIDER, key, providers: own })
        await say(mallory, seed, { type: MessageType.GET_PROVIDERS, key })
      })
    )
    assert.deepEqual(await providersNamed(bob, 'song'), [alice.peerId])
    await flood
    assert.deepEqual(await providersNamed(bob, 'song'), [alice.peerId])
    const held = await Array.fromAsync(datastore.queryKeys({ prefix: '/elastos-dht/provider/' }))
    assert.ok(held.length <= keys.length + 1, String(held.length))
  })

  it('can have a record stored that is as large as is allowed, and none that is larger', async () => {
    const datastore = new MemoryDatastore()
    await using seed = await startTestHost({ role: 'seed', datastore })
    const publisher = createKeyPair(systemRandom)
    const key = nameKey(publisher.did)
    const diskKey = new Key(`/elastos-dht/record/${base32.baseEncode(key)}`)
    const sealed = async (sequence: bigint, bytes: number): Promise<Uint8Array> => {
      const value = await cidOf('value')
      const record = await sealNameRecord(publisher, { value, sequence, validUntilMs: Date.now() + HOUR_MS })
      return padded(record.bytes, bytes)
    }
    for (const [sequence, bytes, isTaken] of [
      [1n, RECORD_BYTES_MAX, true],
      [2n, RECORD_BYTES_MAX + 1, false],
      [3n, 60_000, false]
    ] as const) {
      await using mallory = await startMallory(seed)
      let acknowledged = 0
      const record = await sealed(sequence, bytes)
      try {
        for await (const event of mallory.services.dht.put(key, record)) {
          if (event.name === 'PEER_RESPONSE' && event.messageName === 'PUT_VALUE') acknowledged += 1
        }
      } catch {
        // stock kad-dht throws when nobody took it
      }
      assert.equal(acknowledged, Number(isTaken), `${bytes} bytes`)
    }
    const held = Libp2pRecord.deserialize(await datastore.get(diskKey)).value
    assert.equal(openNameRecord(publisher.did, held, Date.now()).sequence, 1n)
  })
})

/** The same record with a field that nobody knows, so that it has so many bytes. */
function padded(record: Uint8Array, bytes: number): Uint8Array {
  const head = Uint8Array.of(0xa2, 0x06)
  for (let length = bytes - record.length; length > 0; length -= 1) {
    const size = varint.encodeTo(length, new Uint8Array(varint.encodingLength(length)))
    if (record.length + head.length + size.length + length === bytes) {
      return Buffer.concat([record, head, size, new Uint8Array(length)])
    }
  }
  throw new Error('expected room for a field')
}
