import assert from 'node:assert/strict'
import { MemoryDatastore } from 'datastore-core'
import { Key } from 'interface-datastore'
import { varint } from 'multiformats'
import type { CID } from 'multiformats/cid'
import { silentLogger, systemRandom } from '#contracts'
import { createAnnouncedAddresses } from '../../../dht/announced-addresses.ts'
import type { DhtTable } from '../../../dht/dht-service.ts'
import { contentKey, createProviderGuard } from '../../../dht/provider-guard.ts'
import { startReprovider } from '../../../dht/reprovider.ts'
import type { Reprovider } from '../../../dht/reprovider.ts'
import { cidOf } from '../../support/memory-names.ts'
import { createVirtualClock } from '../../support/virtual-clock.ts'
import type { VirtualClock } from '../../support/virtual-clock.ts'

const HOUR_MS = 3_600_000

interface Bench extends AsyncDisposable {
  readonly clock: VirtualClock
  readonly reprovider: Reprovider
  readonly announced: string[]
  join(): void
  moveTo(address: string): void
}

/** A reprovider whose announcements are noted instead of made; one of them always fails. */
async function startBench(
  datastore: MemoryDatastore,
  contents: readonly string[],
  runsBefore = 0
): Promise<Bench> {
  const clock = createVirtualClock(1_800_000_000_000 + runsBefore * HOUR_MS)
  const announced: string[] = []
  let addresses = ['/ip4/127.0.0.1/tcp/1']
  let size = 0
  const joined = new Set<(peerId: string) => void>()
  const table: DhtTable = {
    protocol: '/test/kad',
    offer: () => undefined,
    remove: () => undefined,
    size: () => size,
    kadIds: () => [],
    ownKadId: () => undefined,
    peerIds: () => [],
    closest: () => [],
    onAdd: (handler) => {
      joined.add(handler)
      return { [Symbol.dispose]: () => void joined.delete(handler) }
    }
  }
  const providers = createProviderGuard({
    datastore,
    prefix: '/dht',
    ownPeerId: 'self',
    clock,
    isKnown: async () => await Promise.resolve(true)
  })
  const names = new Map<string, string>()
  for (const text of contents) {
    const cid = await cidOf(text)
    names.set(cid.toString(), text)
    await providers.markUnannounced(cid)
  }
  const provide = async (cid: CID): Promise<void> => {
    const text = names.get(cid.toString()) ?? ''
    announced.push(text)
    if (text === 'hopeless') throw new Error('nobody took it')
    const nowMs = clock.nowMs()
    const time = varint.encodeTo(nowMs, new Uint8Array(varint.encodingLength(nowMs)))
    await providers.put(new Key(`/dht/provider/${contentKey(cid)}/self`), time)
  }
  const reprovider = startReprovider({
    providers,
    records: { sweep: async () => await Promise.resolve(0) },
    table,
    provide,
    addresses: createAnnouncedAddresses({ datastore, addresses: () => addresses }),
    clock,
    random: systemRandom,
    logger: silentLogger
  })
  return {
    clock,
    reprovider,
    announced,
    join: () => {
      size = 1
      for (const handler of joined) handler('peer')
    },
    moveTo: (address) => {
      addresses = [address]
    },
    [Symbol.asyncDispose]: async () => {
      await reprovider[Symbol.asyncDispose]()
    }
  }
}

describe('reprovider', () => {
  it('waits for a first peer, then announces what is due, and goes on past one that fails', async () => {
    await using bench = await startBench(new MemoryDatastore(), ['hopeless', 'film', 'song'])
    await bench.clock.advance(2 * HOUR_MS)
    assert.deepEqual(bench.announced, [])
    bench.join()
    await bench.clock.advance(5_000)
    assert.deepEqual(bench.announced.toSorted(), ['film', 'hopeless', 'song'])
  })

  it('announces again within a day and not more often', async () => {
    await using bench = await startBench(new MemoryDatastore(), ['film'])
    bench.join()
    await bench.clock.advance(10 * HOUR_MS)
    assert.deepEqual(bench.announced, ['film'])
    await bench.clock.advance(14 * HOUR_MS)
    assert.deepEqual(bench.announced, ['film', 'film'])
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
    await using moved = await startBench(datastore, [], 2)
    moved.moveTo('/ip4/127.0.0.1/tcp/2')
    assert.equal(same.announced.length, 0)
    moved.join()
    await moved.clock.advance(5_000)
    assert.equal(moved.announced.length, 1)
  })

  it('ends at once, with no timer left', async () => {
    const bench = await startBench(new MemoryDatastore(), [])
    await bench[Symbol.asyncDispose]()
    assert.equal(bench.clock.pendingCount(), 0)
  })
})
