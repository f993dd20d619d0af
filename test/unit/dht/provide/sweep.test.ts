import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { MemoryDatastore } from 'datastore-core'
import { silentLogger, systemRandom } from '#contracts'
import { createAnnouncementBook } from '../../../../dht/provide/announcement-book.ts'
import type { AnnouncementBook } from '../../../../dht/provide/announcement-book.ts'
import { SLOTS } from '../../../../dht/provide/constants.ts'
import { hexPrefixesOf, placeOf } from '../../../../dht/provide/key-space.ts'
import { createSweep } from '../../../../dht/provide/sweep.ts'
import { addPass, NO_PASS } from '../../../../dht/provide/sweep-state.ts'
import type { SweepPass } from '../../../../dht/provide/sweep-state.ts'
import { createSimulatedDht } from '../../../support/simulated-dht.ts'
import type { SimulatedDht } from '../../../support/simulated-dht.ts'
import { createVirtualClock } from '../../../support/virtual-clock.ts'

const { signal } = new AbortController()

function multihashes(count: number): Uint8Array[] {
  return Array.from({ length: count }, (_, index) =>
    Buffer.concat([Uint8Array.of(0x12, 0x20), createHash('sha256').update(`content ${index}`).digest()])
  )
}

async function bookOf(contents: readonly Uint8Array[]): Promise<AnnouncementBook> {
  const book = createAnnouncementBook({ datastore: new MemoryDatastore(), prefix: '/dht' })
  for (const multihash of contents) await book.note(multihash, 1)
  return book
}

/** Announces everything in the book once. */
async function announceAll(network: SimulatedDht, book: AnnouncementBook): Promise<SweepPass> {
  const sweep = createSweep({
    network,
    book,
    renew: async (multihash, atMs) => {
      await book.note(multihash, atMs)
      return true
    },
    clock: createVirtualClock(),
    random: systemRandom,
    logger: silentLogger
  })
  const { total } = await book.slots()
  let pass = NO_PASS
  for (let slot = 0; slot < SLOTS; slot += 1) {
    if ((total[slot] ?? 0) > 0) pass = addPass(pass, await sweep.announce(slot, () => true, signal))
  }
  return pass
}

/** What part of the records is with peers that are truly among the closest, of all that should be. */
function recall(network: SimulatedDht, contents: readonly Uint8Array[]): number {
  let held = 0
  let wanted = 0
  for (const multihash of contents) {
    const place = Buffer.from(placeOf(multihash)).toString('hex')
    for (const { peerId } of network.nearest(multihash)) {
      if (network.isDead(peerId)) continue
      wanted += 1
      if (network.heldBy(peerId).has(place)) held += 1
    }
  }
  return held / wanted
}

describe('announcing by region', () => {
  for (const [peerCount, contentCount, lookupsMax] of [
    [600, 700, 80],
    [100, 500, 20],
    [12, 200, 1]
  ] as const) {
    it(`${contentCount} contents to ${peerCount} peers: all records are with the closest, for at most ${lookupsMax} lookups`, async () => {
      const network = createSimulatedDht(peerCount)
      const contents = multihashes(contentCount)
      const pass = await announceAll(network, await bookOf(contents))
      assert.equal(pass.announced, contentCount)
      assert.equal(pass.failed, 0)
      assert.equal(pass.records, contentCount * Math.min(20, peerCount))
      assert.equal(recall(network, contents), 1)
      assert.equal(network.lookups(), pass.lookups)
      assert.ok(pass.lookups <= lookupsMax, `${pass.lookups} lookups`)
    })
  }

  it('few contents cost a lookup each and no more', async () => {
    const network = createSimulatedDht(1_000)
    const contents = multihashes(5)
    await announceAll(network, await bookOf(contents))
    assert.equal(network.lookups(), 5)
    assert.equal(recall(network, contents), 1)
  })

  it('peers that do not answer are left out, and the others have all there is', async () => {
    const network = createSimulatedDht(150)
    const dead = new Set(
      multihashes(20).flatMap((key) => network.nearest(key, 1).map(({ peerId }) => peerId))
    )
    const contents = multihashes(300)
    const lookup = network.lookup
    // lookups name them all the same: they have just gone
    network.isDead = (peerId) => dead.has(peerId)
    network.lookup = async (key, limit) => {
      network.isDead = () => false
      const found = await lookup(key, limit)
      network.isDead = (peerId) => dead.has(peerId)
      return found
    }
    const pass = await announceAll(network, await bookOf(contents))
    assert.equal(pass.announced, 300)
    assert.ok(recall(network, contents) > 0.99)
  })

  it('counts as failed, and tries nobody twice, when no peer takes anything', async () => {
    const network = createSimulatedDht(50)
    const book = await bookOf(multihashes(100))
    network.announceTo = async () => await Promise.reject(new Error('full'))
    const pass = await announceAll(network, book)
    assert.deepEqual([pass.announced, pass.failed], [0, 100])
    assert.deepEqual(await book.counts(), { total: 100, unannounced: 100 })
  })

  it('an odd content is sent apart, so that who refuses it still gets the others', async () => {
    const network = createSimulatedDht(30)
    const contents = multihashes(40)
    const odd = Uint8Array.of(0x1e, 4, 1, 2, 3, 4)
    const announceTo = network.announceTo
    network.announceTo = async (peer, keys, limit) => {
      if (keys.some((key) => key.length !== 34)) throw new Error('not taken')
      return await announceTo(peer, keys, limit)
    }
    const pass = await announceAll(network, await bookOf([...contents, odd]))
    assert.deepEqual([pass.announced, pass.failed], [40, 1])
    assert.equal(recall(network, contents), 1)
  })
})

describe('the book of what is announced', () => {
  it('is in the order of the key space, and knows what was never announced, over a restart', async () => {
    const datastore = new MemoryDatastore()
    const contents = multihashes(300)
    const first = createAnnouncementBook({ datastore, prefix: '/dht' })
    for (const [index, multihash] of contents.entries()) await first.note(multihash, index < 10 ? 0 : 7)
    for (const multihash of contents.slice(5, 20)) await first.remove(multihash)
    for (const book of [first, createAnnouncementBook({ datastore, prefix: '/dht' })]) {
      assert.deepEqual(await book.counts(), { total: 285, unannounced: 5 })
      assert.equal(await book.has(contents[5] ?? Uint8Array.of()), false)
      const places = (await Array.fromAsync(book.within(''))).map(({ place }) =>
        Buffer.from(place).toString('hex')
      )
      assert.equal(places.length, 285)
      const counted = (await book.slots()).total
      assert.equal(
        counted.reduce((sum, count) => sum + count, 0),
        285
      )
    }
  })

  it('has a bound', async () => {
    const book = createAnnouncementBook({ datastore: new MemoryDatastore(), prefix: '/dht', sizeMax: 2 })
    const [a, b, c] = multihashes(3)
    assert.ok(a && b && c)
    await book.note(a, 0)
    await book.note(b, 0)
    await assert.rejects(book.note(c, 0), { code: 'ERR_DHT_NOT_STORED' })
    await book.note(a, 5)
    await book.remove(a)
    await book.note(c, 0)
  })

  it('finds what is in a region by the digits it begins with', () => {
    const place = Buffer.from('a7'.padEnd(64, '0'), 'hex')
    assert.deepEqual(hexPrefixesOf({ place, bits: 0 }), [''])
    assert.deepEqual(hexPrefixesOf({ place, bits: 4 }), ['a'])
    assert.deepEqual(hexPrefixesOf({ place, bits: 6 }), ['a4', 'a5', 'a6', 'a7'])
    assert.deepEqual(hexPrefixesOf({ place, bits: 7 }), ['a6', 'a7'])
  })
})
