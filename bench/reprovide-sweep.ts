import { createHash } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { LevelDatastore } from 'datastore-level'
import { silentLogger, systemClock, systemRandom } from '#contracts'
import { createAnnouncementBook } from '../dht/provide/announcement-book.ts'
import type { AnnouncementBook } from '../dht/provide/announcement-book.ts'
import { SLOTS } from '../dht/provide/constants.ts'
import { placeOf } from '../dht/provide/key-space.ts'
import { createSweep } from '../dht/provide/sweep.ts'
import { createSimulatedDht } from '../test/support/simulated-dht.ts'
import type { SimulatedDht } from '../test/support/simulated-dht.ts'
import type { Benchmark, Sides } from './harness.ts'

/** Announcing 100,000 contents again, in a network of 10,000 peers in memory, against one lookup for each of them. */

const CONTENTS = 100_000
const PEERS = 10_000
/** Contents whose records are compared with where they belong, one in so many. */
const SAMPLE_EVERY = 100
/** Records at the peers that are truly closest, at least. */
const RECALL_MIN = 0.99

async function openSides(): Promise<Sides> {
  await using stack = new AsyncDisposableStack()
  const folder = await mkdtemp(join(tmpdir(), 'elastos-bench-'))
  stack.defer(async () => await rm(folder, { recursive: true, force: true }))
  const datastore = new LevelDatastore(join(folder, 'db'))
  await datastore.open()
  stack.defer(async () => await datastore.close())
  const book = createAnnouncementBook({ datastore, prefix: '/dht' })
  for (let index = 0; index < CONTENTS; index += 1) await book.note(multihash(index), 1)
  const running = stack.move()
  return {
    ours: async () => await sweepLookups(book),
    baseline: async () => await oneByOneLookups(),
    [Symbol.asyncDispose]: async () => await running.disposeAsync()
  }
}

async function sweepLookups(book: AnnouncementBook): Promise<number> {
  const sample = Array.from({ length: CONTENTS / SAMPLE_EVERY }, (_, index) =>
    multihash(index * SAMPLE_EVERY)
  )
  const { network, recall } = watched(sample)
  const memoryBefore = process.memoryUsage().heapUsed
  const sweep = createSweep({
    ...{ network, book, clock: systemClock, random: systemRandom, logger: silentLogger },
    renew: async () => await Promise.resolve(true)
  })
  const { signal } = new AbortController()
  let announced = 0
  let heapBytes = 0
  for (let slot = 0; slot < SLOTS; slot += 1) {
    announced += (await sweep.announce(slot, () => true, signal)).announced
    heapBytes = Math.max(heapBytes, process.memoryUsage().heapUsed - memoryBefore)
  }
  const found = recall()
  if (announced !== CONTENTS || found < RECALL_MIN) {
    throw new Error(`expected all contents with their closest peers, got ${announced} and recall ${found}`)
  }
  console.error(
    `recall ${found.toFixed(4)}, ${network.parcels()} parcels, heap +${Math.round(heapBytes / 2 ** 20)} MiB at most`
  )
  return network.lookups()
}

/** What stock kad-dht does: nothing is known of the one when the next is looked up. */
async function oneByOneLookups(): Promise<number> {
  const network = createSimulatedDht(PEERS, { remembers: false })
  const { signal } = new AbortController()
  for (let index = 0; index < CONTENTS; index += 1) await network.lookup(multihash(index), signal)
  return network.lookups()
}

/** A network that notes which of these keys came to a peer that is truly among their closest. */
function watched(sample: readonly Uint8Array[]): { network: SimulatedDht; recall: () => number } {
  const network = createSimulatedDht(PEERS, { remembers: false })
  const closest = new Map(
    sample.map((key) => [hex(key), new Set(network.nearest(key).map(({ peerId }) => peerId))])
  )
  let held = 0
  const announceTo = network.announceTo
  network.announceTo = async (peer, keys, signal) => {
    const peerId = typeof peer === 'string' ? peer : peer.peerId
    for (const key of keys) if (closest.get(hex(key))?.has(peerId) === true) held += 1
    return await announceTo(peer, keys, signal)
  }
  return { network, recall: () => held / (sample.length * 20) }
}

function hex(key: Uint8Array): string {
  return Buffer.from(placeOf(key)).toString('hex')
}

function multihash(index: number): Uint8Array {
  const digest = createHash('sha256').update(`content ${index}`).digest()
  return Buffer.concat([Uint8Array.of(0x12, 0x20), digest])
}

/** What `npm run bench` runs. */
export const benchmarks: readonly Benchmark[] = [
  {
    name: 'reprovide-sweep',
    unit: 'lookups',
    better: 'lower',
    baselineName: 'one lookup each',
    runs: 5,
    // at most 3 % of the lookups
    target: { speedupMin: 100 / 3 },
    open: openSides
  }
]
