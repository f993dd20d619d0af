import assert from 'node:assert/strict'
import fc from 'fast-check'
import { createQueryEngine } from '../../../dht/query/engine.ts'
import { createRoutedDht, recallOf } from '../../support/routed-dht.ts'
import type { RoutedDhtInit } from '../../support/routed-dht.ts'
import { createSeededRandom } from '../../support/seeded-random.ts'
import { createVirtualClock } from '../../support/virtual-clock.ts'

const LOOKUPS = 24
const CLOSEST = 20

/** The mean share of the nearest peers found, and messages sent, by lookups of one node of a network. */
async function measure(
  seed: number,
  init: Pick<RoutedDhtInit, 'nodes' | 'deadShare' | 'liarShare'>
): Promise<{
  readonly recall: number
  readonly messages: number
}> {
  const clock = createVirtualClock()
  const random = createSeededRandom(seed)
  const dht = createRoutedDht({ ...init, random, clock })
  const [own] = dht.nodes
  assert.ok(own)
  const engine = createQueryEngine({
    ...dht.components,
    local: {
      providers: () => Promise.resolve([]),
      addOwnProvider: () => Promise.resolve(),
      putValue: () => Promise.resolve(new Uint8Array())
    },
    ownId: own.peer.id,
    ownAddresses: () => [],
    metrics: () => ({ messages: 0, failures: 0, streams: 0 })
  })
  let recall = 0
  for (let done = 0; done < LOOKUPS; done += 1) {
    const key = Uint8Array.of(0x12, 0x20, ...random.bytes(32))
    let isDone = false
    const lookup = engine.lookup(key, new AbortController().signal).finally(() => {
      isDone = true
    })
    while (!isDone) await clock.advance(100)
    recall += recallOf(await lookup, dht.nearest(key, Math.min(CLOSEST, init.nodes - 1))) / LOOKUPS
  }
  return { recall, messages: dht.sent.length / LOOKUPS }
}

describe('recall of lookups over random networks', () => {
  it('is whole where peers answer, at half the messages of asking all of the nearest', async function () {
    this.timeout(60_000)
    await fc.assert(
      fc.asyncProperty(fc.nat(), fc.integer({ min: 2, max: 400 }), async (seed, nodes) => {
        const { recall, messages } = await measure(seed, { nodes })
        assert.ok(recall >= 0.98, `recall ${recall} of ${nodes} nodes`)
        assert.ok(messages <= CLOSEST, `${messages} messages for ${nodes} nodes`)
      }),
      { numRuns: 12 }
    )
  })

  it('holds where a fifth of the peers are gone, and where a fifth lie', async function () {
    this.timeout(60_000)
    await fc.assert(
      fc.asyncProperty(fc.nat(), fc.constantFrom('gone', 'lying'), async (seed, kind) => {
        const share = kind === 'gone' ? { deadShare: 0.2 } : { liarShare: 0.2 }
        const { recall } = await measure(seed, { nodes: 200, ...share })
        assert.ok(recall >= 0.8, `recall ${recall} where a fifth are ${kind}`)
      }),
      { numRuns: 6 }
    )
  })
})
