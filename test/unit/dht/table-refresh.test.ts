import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { generateKeyPair } from '@libp2p/crypto/keys'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { silentLogger, systemClock, systemRandom } from '#contracts'
import {
  CLOSEST_PEERS,
  TABLE_FIRST_REFRESH_DELAY_MS,
  TABLE_REFRESH_INTERVAL_MS,
  TABLE_REFRESH_TURNS
} from '../../../dht/constants.ts'
import type { DhtTable } from '../../../dht/dht-service.ts'
import {
  commonPrefixBits,
  isBucketsTurn,
  planRefresh,
  randomKeyInBucket,
  startTableRefresh
} from '../../../dht/table-refresh.ts'
import { startStockNode } from '../../net/dht/stock-node.ts'
import { createVirtualClock } from '../../support/virtual-clock.ts'

/** A Kademlia id that shares exactly `prefixBits` leading bits with `own`. */
function sharing(own: Uint8Array, prefixBits: number): Uint8Array {
  const id = Uint8Array.from(own)
  const byte = prefixBits >> 3
  id[byte] = (id[byte] ?? 0) ^ (0x80 >> (prefixBits & 7))
  return id
}

const own = createHash('sha256').update('own').digest()

describe('routing table refresh', () => {
  it('counts shared bits', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), fc.nat(255), (id, prefixBits) => {
        assert.equal(commonPrefixBits(id, sharing(id, prefixBits)), prefixBits)
      })
    )
    assert.equal(commonPrefixBits(own, own), 256)
  })

  it('stock kad-dht: a table of peers up to 6 bits near is taken for one bucket; ours: all are looked into', async () => {
    await using stock = await startStockNode({ listen: [] })
    const dht = stock.services.dht as unknown as {
      routingTable: { kb: { root: { peers: object[] }; localPeer: { kadId: Uint8Array } } }
      routingTableRefresh: { _maxCommonPrefix(): number }
    }
    const { kb } = dht.routingTable
    const others: Uint8Array[] = []
    for (let peer = 0; peer < 21; peer += 1) {
      const kadId = sharing(kb.localPeer.kadId, peer % 7)
      const peerId = peerIdFromPrivateKey(await generateKeyPair('Ed25519'))
      kb.root.peers.push({ kadId, peerId, lastPing: Date.now() })
      others.push(kadId)
    }
    assert.equal(dht.routingTableRefresh._maxCommonPrefix(), 0)
    // the 3 peers nearest share 6 bits; before them lie the buckets 0 to 6
    assert.deepEqual(planRefresh(kb.localPeer.kadId, others, 3), [0, 1, 2, 3, 4, 5, 6])
  })

  it('leaves to the lookup of ourselves what that finds anyway, and stays within a bound', () => {
    assert.deepEqual(planRefresh(own, [], 20), [])
    assert.deepEqual(planRefresh(own, [sharing(own, 3)], 20), [])
    assert.deepEqual(planRefresh(own, [sharing(own, 9), sharing(own, 1), sharing(own, 0)], 2), [0, 1])
    const near = Array.from({ length: 20 }, () => sharing(own, 200))
    assert.ok(planRefresh(own, near, 20).length <= 16)
  })

  it('finds a key for each bucket it plans', () => {
    for (let prefixBits = 0; prefixBits <= 10; prefixBits += 1) {
      const key = randomKeyInBucket(own, prefixBits, systemRandom)
      assert.ok(key)
      assert.equal(commonPrefixBits(own, createHash('sha256').update(key).digest()), prefixBits)
    }
  })

  it('looks into all buckets at first, and then into each once in so many rounds', () => {
    const turnsOf = (bucket: number, from: number): number[] =>
      Array.from({ length: TABLE_REFRESH_TURNS }, (_, index) => from + index).filter((round) =>
        isBucketsTurn(round, bucket)
      )
    for (let bucket = 0; bucket < 14; bucket += 1) {
      assert.ok(isBucketsTurn(0, bucket))
      for (const from of [1, 2, 3, 100]) assert.equal(turnsOf(bucket, from).length, 1)
    }
  })

  it('asks each of those nearest to us, and of buckets farther away only some', async () => {
    const asked: { isOwn: boolean; isThorough: boolean | undefined }[] = []
    const ownKey = Buffer.from('own')
    const others = Array.from({ length: 60 }, (_, peer) => sharing(own, peer % 3))
    await using refresh = startTableRefresh({
      queries: {
        lookup: async (key, _, { isThorough } = {}) => {
          asked.push({ isOwn: Buffer.compare(key, ownKey) === 0, isThorough })
          return await Promise.resolve([])
        }
      },
      table: {
        ownKadId: () => own,
        kadIds: () => others,
        size: () => 0,
        onAdd: nobodyComes
      } as Partial<DhtTable> as DhtTable,
      ...{ ownKey, clock: systemClock, random: systemRandom, logger: silentLogger }
    })
    assert.equal(await refresh.refresh(new AbortController().signal), 4)
    assert.deepEqual(asked[0], { isOwn: true, isThorough: true })
    assert.deepEqual(
      asked.slice(1),
      Array.from({ length: 3 }, () => ({ isOwn: false, isThorough: false }))
    )
  })
  it('begins anew with all buckets as long as it knows too few to look into any, and then goes by turns', async () => {
    const clock = createVirtualClock()
    const buckets = 3
    let others: Uint8Array[] = []
    let asked = 0
    await using _refresh = startTableRefresh({
      queries: {
        lookup: async () => {
          asked += 1
          return await Promise.resolve([])
        }
      },
      table: {
        ownKadId: () => own,
        kadIds: () => others,
        size: () => 1,
        onAdd: nobodyComes
      } as Partial<DhtTable> as DhtTable,
      ...{ ownKey: Buffer.from('own'), clock, random: systemRandom, logger: silentLogger }
    })
    /** How many buckets are looked into, beside ourselves, in each of so many rounds. */
    const rounds = async (count: number): Promise<number[]> => {
      const each: number[] = []
      while (each.length < count) {
        asked = 0
        await clock.advance(TABLE_REFRESH_INTERVAL_MS)
        each.push(asked - 1)
      }
      return each
    }
    const many = Array.from({ length: 60 }, (_, peer) => sharing(own, peer % buckets))
    others = many.slice(0, CLOSEST_PEERS - 1)
    await clock.advance(TABLE_FIRST_REFRESH_DELAY_MS)
    assert.deepEqual(await rounds(2), [0, 0], 'too few are known')
    const turns = [
      buckets,
      ...Array.from({ length: TABLE_REFRESH_TURNS }, () => buckets / TABLE_REFRESH_TURNS)
    ]
    others = many
    assert.deepEqual(await rounds(turns.length), turns)
    others = many.slice(0, 1)
    assert.deepEqual(await rounds(1), [0], 'as in an outage')
    others = many
    assert.deepEqual(await rounds(turns.length), turns, 'everybody there is new')
  })
})

function nobodyComes(): Disposable {
  return { [Symbol.dispose]: () => undefined }
}
