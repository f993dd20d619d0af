import assert from 'node:assert/strict'
import { silentLogger } from '#contracts'
import { discoveryCid, startIpfsDiscovery } from '../../../dht/ipfs-discovery.ts'
import type { Acquaintance, IpfsDiscovery } from '../../../dht/ipfs-discovery.ts'
import { createVirtualClock } from '../../support/virtual-clock.ts'
import type { VirtualClock } from '../../support/virtual-clock.ts'

const { signal } = new AbortController()
const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS

interface Bench {
  readonly clock: VirtualClock
  readonly discovery: IpfsDiscovery
  /** Who announces itself, and what each turns out to be. */
  readonly announced: Map<string, Acquaintance | 'hangs'>
  readonly dialled: string[]
  readonly counts: { announcements: number; searches: number; forgotten: number }
  tableSize: number
  fails: boolean
}

function startBench(announced: readonly [string, Acquaintance | 'hangs'][] = []): Bench {
  const clock = createVirtualClock()
  const bench = {
    clock,
    announced: new Map(announced),
    dialled: [] as string[],
    counts: { announcements: 0, searches: 0, forgotten: 0 },
    tableSize: 0,
    fails: false
  }
  const discovery = startIpfsDiscovery({
    routing: {
      provide: async () => {
        bench.counts.announcements++
        await Promise.resolve()
        if (bench.fails) throw new Error('no IPFS peers')
        return { stored: 1 }
      },
      forget: async () => {
        bench.counts.forgotten++
        return Promise.resolve()
      },
      findProviders: async function* () {
        bench.counts.searches++
        await Promise.resolve()
        for (const peerId of bench.announced.keys()) yield { peerId, multiaddrs: [] }
      }
    },
    meet: async ({ peerId }, meetingSignal) => {
      bench.dialled.push(peerId)
      const kind = bench.announced.get(peerId) ?? 'unreachable'
      if (kind !== 'hangs') return Promise.resolve(kind)
      return new Promise((_resolve, reject) => {
        meetingSignal.addEventListener('abort', () => reject(new Error('too slow')), { once: true })
      })
    },
    tableSize: () => bench.tableSize,
    clock,
    random: { bytes: (length) => new Uint8Array(length), unit: () => 0.5 },
    logger: silentLogger
  })
  return Object.assign(bench, { discovery })
}

describe('dht/ipfs-discovery', () => {
  it('meets under a CID of its own for each version of the protocol', () => {
    const cid = 'bafkreic44ykf7iphbecgrp4khraqu6m5lbscdx6lyesb4s3dl7mztv2ety'
    assert.equal(discoveryCid().toString(), cid)
    assert.notEqual(discoveryCid('/elastos/kad/2.0.0').toString(), cid)
  })

  it('announces itself and connects to members, dials strangers once and the unreachable again', async () => {
    const bench = startBench([
      ['member', 'member'],
      ['stranger', 'stranger'],
      ['gone', 'unreachable']
    ])
    await using discovery = bench.discovery
    await bench.clock.settle()
    assert.equal(discovery.membersMet(), 1)
    assert.equal(bench.counts.announcements, 1)
    assert.equal(await discovery.searchNow(signal), 1)
    assert.deepEqual(bench.dialled, ['member', 'stranger', 'gone', 'member', 'gone'])
  })

  it('tries no more than 16 peers a round, and one that hangs does not hold up the rest for long', async () => {
    const bench = startBench(
      Array.from({ length: 40 }, (_, index) => [`peer-${index}`, index < 4 ? 'hangs' : 'stranger'])
    )
    await using _ = bench.discovery
    await bench.clock.advance(16_000)
    assert.equal(bench.dialled.length, 16)
  })

  it('searches less and less often while alone, each hour once it has peers, and announces twice a day', async () => {
    const bench = startBench()
    await using _ = bench.discovery
    await bench.clock.advance(HOUR_MS)
    const alone = bench.counts.searches
    assert.equal(alone > 5 && alone < 20, true, `${alone} searches in an hour`)
    bench.tableSize = 1
    await bench.clock.advance(HOUR_MS)
    const before = bench.counts.searches
    await bench.clock.advance(24 * HOUR_MS)
    assert.equal(bench.counts.searches - before, 24)
    assert.equal(bench.counts.announcements, 3)
  })

  it('survives an IPFS DHT that fails, and leaves no timer when it ends', async () => {
    const bench = startBench()
    bench.fails = true
    await bench.clock.advance(10 * MINUTE_MS)
    assert.equal(bench.counts.announcements > 2, true)
    await bench.discovery[Symbol.asyncDispose]()
    assert.deepEqual([bench.clock.pendingCount(), bench.counts.forgotten], [0, 1])
  })
})
