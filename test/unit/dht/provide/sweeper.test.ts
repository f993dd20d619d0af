import assert from 'node:assert/strict'
import { MemoryDatastore } from 'datastore-core'
import { Key } from 'interface-datastore'
import { silentLogger, systemRandom } from '#contracts'
import { createAnnouncedAddresses } from '../../../../dht/announced-addresses.ts'
import { createAnnouncementBook } from '../../../../dht/provide/announcement-book.ts'
import { placeOf } from '../../../../dht/provide/key-space.ts'
import { addPass, createSweepStateFile, NO_PASS } from '../../../../dht/provide/sweep-state.ts'
import type { SweepPass } from '../../../../dht/provide/sweep-state.ts'
import { startSweeper } from '../../../../dht/provide/sweeper.ts'
import type { Sweeper } from '../../../../dht/provide/sweeper.ts'
import { contentKey, createProviderGuard } from '../../../../dht/provider-guard.ts'
import type { ProviderGuard } from '../../../../dht/provider-guard.ts'
import { cidOf } from '../../../support/memory-names.ts'
import { createSimulatedDht } from '../../../support/simulated-dht.ts'
import type { SimulatedDht } from '../../../support/simulated-dht.ts'
import { createVirtualClock } from '../../../support/virtual-clock.ts'
import type { VirtualClock } from '../../../support/virtual-clock.ts'

const HOUR_MS = 3_600_000
const START_MS = 1_800_000_000_000

interface Bench extends AsyncDisposable {
  readonly clock: VirtualClock
  readonly sweeper: Sweeper
  readonly providers: ProviderGuard
  readonly network: SimulatedDht
  /** What was announced, in order, by the text it is the hash of. */
  readonly announced: string[]
  join(): void
  moveTo(address: string): void
}

/** A sweeper over a network in memory, after so many hours of earlier runs over the same datastore. */
async function startBench(
  datastore: MemoryDatastore,
  contents: readonly string[],
  hoursBefore = 0
): Promise<Bench> {
  const clock = createVirtualClock(START_MS + hoursBefore * HOUR_MS)
  const network = createSimulatedDht(30)
  const announced: string[] = []
  const names = new Map<string, string>()
  let addresses = ['/ip4/127.0.0.1/tcp/1']
  let size = 0
  const joined = new Set<(peerId: string) => void>()
  const book = createAnnouncementBook({ datastore, prefix: '/dht' })
  const isKnown = async (): Promise<boolean> => await Promise.resolve(true)
  const guard = { datastore, prefix: '/dht', ownPeerId: 'self', clock, isKnown, book }
  const providers = createProviderGuard(guard)
  for (const text of contents) {
    const cid = await cidOf(text)
    names.set(Buffer.from(placeOf(cid.multihash.bytes)).toString('hex'), text)
    await providers.markUnannounced(cid)
  }
  const announceTo = network.announceTo
  network.announceTo = async (peer, keys, signal) => {
    for (const key of keys) {
      const text = names.get(Buffer.from(placeOf(key)).toString('hex')) ?? 'unknown'
      if (text === 'hopeless') throw new Error('nobody takes it')
      // the same content goes to many peers at once
      if (announced.at(-1) !== text) announced.push(text)
    }
    return await announceTo(peer, keys, signal)
  }
  const sweeper = startSweeper({
    ...{ network, book, providers, clock },
    state: createSweepStateFile(datastore, '/dht'),
    records: { sweep: async () => await Promise.resolve(0) },
    table: {
      size: () => size,
      onAdd: (handler) => {
        joined.add(handler)
        return { [Symbol.dispose]: () => void joined.delete(handler) }
      }
    },
    addresses: createAnnouncedAddresses({ datastore, addresses: () => addresses }),
    random: systemRandom,
    logger: silentLogger
  })
  return {
    ...{ clock, sweeper, providers, network, announced },
    join: () => {
      size = 30
      for (const handler of joined) handler('peer')
    },
    moveTo: (address) => {
      addresses = [address]
    },
    [Symbol.asyncDispose]: async () => {
      await sweeper[Symbol.asyncDispose]()
    }
  }
}

/** What the last two passes came to. */
async function doneBy({ sweeper }: Bench): Promise<SweepPass> {
  const { current, previous = NO_PASS } = await sweeper.status()
  return addPass(current, previous)
}

describe('the sweeper', () => {
  it('waits for a first peer, then announces what nobody has taken yet', async () => {
    await using bench = await startBench(new MemoryDatastore(), ['film', 'song'])
    await bench.clock.advance(HOUR_MS)
    assert.deepEqual(bench.announced, [])
    assert.equal((await bench.sweeper.status()).unannounced, 2)
    bench.join()
    await bench.clock.advance(5_000)
    assert.deepEqual(bench.announced.toSorted(), ['film', 'song'])
    const { contents, unannounced } = await bench.sweeper.status()
    assert.deepEqual([contents, unannounced], [2, 0])
    const { announced, failed, records } = await doneBy(bench)
    assert.deepEqual([announced, failed, records], [2, 0, 40])
  })

  it('goes on past one that fails, and tries that again', async () => {
    await using bench = await startBench(new MemoryDatastore(), ['hopeless', 'film'])
    bench.join()
    await bench.clock.advance(5_000)
    assert.deepEqual(bench.announced, ['film'])
    const before = (await doneBy(bench)).failed
    assert.ok(before > 0)
    await bench.clock.advance(HOUR_MS)
    assert.ok((await doneBy(bench)).failed > before)
    assert.equal((await bench.sweeper.status()).unannounced, 1)
  })

  it('announces again about once a day, before the records run out', async () => {
    await using bench = await startBench(new MemoryDatastore(), ['film'])
    bench.join()
    await bench.clock.advance(5_000)
    for (let day = 0; day < 3; day += 1) {
      const before = bench.network.parcels()
      await bench.clock.advance(31 * HOUR_MS)
      // twenty peers each time
      const times = (bench.network.parcels() - before) / 20
      assert.ok(times >= 1 && times <= 2, `${times} times in 31 hours`)
    }
  })

  it('spreads a day of announcements over the day', async () => {
    const texts = Array.from({ length: 60 }, (_, index) => `file ${index}`)
    await using bench = await startBench(new MemoryDatastore(), texts)
    bench.join()
    await bench.clock.advance(9 * HOUR_MS)
    const perHour: number[] = []
    for (let hour = 0; hour < 22; hour += 1) {
      const before = (await bench.sweeper.status()).current.announced
      await bench.clock.advance(HOUR_MS)
      perHour.push(Math.max(0, (await bench.sweeper.status()).current.announced - before))
    }
    assert.ok(Math.max(...perHour) < 15, perHour.join(' '))
  })

  it('goes on after a restart where it was, and does again only what is due', async () => {
    const datastore = new MemoryDatastore()
    const texts = Array.from({ length: 40 }, (_, index) => `file ${index}`)
    {
      await using bench = await startBench(datastore, texts)
      bench.join()
      await bench.clock.advance(10 * HOUR_MS)
    }
    await using again = await startBench(datastore, [], 10)
    const { progress, contents } = await again.sweeper.status()
    assert.equal(contents, 40)
    assert.ok(progress > 0.4 && progress < 0.5, `${progress}`)
    again.join()
    await again.clock.advance(5_000)
    assert.deepEqual(again.announced, [])
    // every content comes up once in a cycle, whatever was done before the restart
    await again.clock.advance(22 * HOUR_MS)
    assert.equal((await again.sweeper.status()).unannounced, 0)
    for (const text of texts) {
      const place = Buffer.from(placeOf((await cidOf(text)).multihash.bytes)).toString('hex')
      const [nearest] = again.network.nearest((await cidOf(text)).multihash.bytes, 1)
      assert.ok(again.network.heldBy(nearest?.peerId ?? '').has(place), text)
    }
  })

  it('announces at once what it could not while the node was off', async () => {
    const datastore = new MemoryDatastore()
    {
      await using bench = await startBench(datastore, ['film', 'song'])
      bench.join()
      await bench.clock.advance(5_000)
    }
    await using again = await startBench(datastore, [], 40)
    again.join()
    await again.clock.advance(5_000)
    assert.equal((await again.sweeper.status()).previous?.announced, 2)
    assert.ok(again.network.parcels() > 0)
  })

  it('announces at once what was announced under other addresses', async () => {
    const datastore = new MemoryDatastore()
    {
      await using bench = await startBench(datastore, ['film'])
      bench.join()
      await bench.clock.advance(5_000)
    }
    await using same = await startBench(datastore, [], 1)
    same.join()
    await same.clock.advance(5_000)
    assert.equal(same.announced.length, 0)
    await using moved = await startBench(datastore, [], 2)
    moved.moveTo('/ip4/127.0.0.1/tcp/2')
    moved.join()
    await moved.clock.advance(5_000)
    assert.equal(moved.announced.length, 1)
  })

  it('does not announce what was forgotten', async () => {
    await using bench = await startBench(new MemoryDatastore(), ['film', 'song'])
    await bench.providers.delete(new Key(`/dht/provider/${contentKey(await cidOf('film'))}/self`))
    bench.join()
    await bench.clock.advance(30 * HOUR_MS)
    assert.deepEqual([...new Set(bench.announced)], ['song'])
  })

  it('ends at once, with no timer left', async () => {
    const bench = await startBench(new MemoryDatastore(), [])
    await bench[Symbol.asyncDispose]()
    assert.equal(bench.clock.pendingCount(), 0)
  })
})
