import assert from 'node:assert/strict'
import { generateKeyPair } from '@libp2p/crypto/keys'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import type { PeerId } from '@libp2p/interface'
import { systemRandom } from '#contracts'
import { commonPrefixBits } from '../../../dht/table-refresh.ts'
import { divideOwnPath } from '../../../dht/table-shape.ts'
import { startStockNode } from '../../net/dht/stock-node.ts'

const BUCKET = 20
const LEVELS = 14

interface Contact {
  readonly kadId: Uint8Array
  readonly peerId: PeerId
  readonly lastPing: number
}

interface Table {
  readonly localPeer: { readonly kadId: Uint8Array }
  _add(peer: Contact): Promise<void>
  toIterable(): Iterable<Contact>
}

/** An id that shares exactly so many leading bits with another, the rest by chance. */
function sharing(own: Uint8Array, bits: number): Uint8Array {
  const id = Uint8Array.from(systemRandom.bytes(own.length))
  for (let bit = 0; bit <= bits; bit += 1) {
    const mask = 0x80 >> (bit & 7)
    const ownBit = (own[bit >> 3] ?? 0) & mask
    const wanted = bit === bits ? ownBit ^ mask : ownBit
    id[bit >> 3] = ((id[bit >> 3] ?? 0) & ~mask) | wanted
  }
  return id
}

/** How many peers of each count of shared bits a table has, after so many of each wanted in. */
async function filled(isDivided: boolean): Promise<number[]> {
  await using stock = await startStockNode({ listen: [] })
  const { dht } = stock.services
  if (isDivided) divideOwnPath(dht)
  const { kb } = (dht as unknown as { routingTable: { kb: Table } }).routingTable
  const own = kb.localPeer.kadId
  const peerId = peerIdFromPrivateKey(await generateKeyPair('Ed25519'))
  for (let bits = 0; bits < LEVELS; bits += 1) {
    for (let peer = 0; peer < 24 * BUCKET; peer += 1) {
      await kb._add({ kadId: sharing(own, bits), peerId, lastPing: Date.now() })
    }
  }
  const shared = Array.from({ length: LEVELS }, () => 0)
  for (const { kadId } of kb.toIterable()) {
    const bits = commonPrefixBits(own, kadId)
    shared[bits] = (shared[bits] ?? 0) + 1
  }
  return shared
}

describe('the shape of the routing table', function () {
  this.timeout(30_000)

  it('keeps a bucket of peers at each distance from ourselves, and not many far away', async () => {
    const shared = await filled(true)
    // the far half has eight of sixteen parts, the next quarter four, and so on
    assert.deepEqual(
      shared,
      [8, 4, 2, ...Array.from({ length: LEVELS - 3 }, () => 1)].map((parts) => parts * BUCKET)
    )
  })

  it('stock kad-dht: whoever is nearer than 6 bits shares one bucket', async () => {
    const shared = await filled(false)
    const near = shared.slice(6).reduce((sum, count) => sum + count, 0)
    assert.equal(near, BUCKET)
  })
})
