import assert from 'node:assert/strict'
import { MemoryDatastore } from 'datastore-core'
import fc from 'fast-check'
import type { CID } from 'multiformats/cid'
import { errorCode } from '#contracts'
import { nameKey } from '../../../dht/name-record.ts'
import type { Names } from '../../../dht/names.ts'
import { cidOf, createMemoryDht, numberedKey, startMemoryNames } from '../../support/memory-names.ts'
import { createVirtualClock } from '../../support/virtual-clock.ts'

const alice = numberedKey(1)
const key = nameKey(alice.did)
const { signal } = new AbortController()
const DEVICES = 2
const PEERS = 3

interface Disturbance {
  readonly do: 'reach' | 'storing' | 'rewind'
  readonly peer: number
  readonly on: boolean
}

type Step = { readonly do: 'publish' | 'resolve' | 'restart'; readonly device: number } | Disturbance

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('publish' as const), device: fc.nat(DEVICES - 1) }) },
  { weight: 5, arbitrary: fc.record({ do: fc.constant('resolve' as const), device: fc.nat(DEVICES) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('restart' as const), device: fc.nat(DEVICES) }) },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constantFrom('reach' as const, 'storing' as const, 'rewind' as const),
      peer: fc.nat(PEERS - 1),
      on: fc.boolean()
    })
  }
)

/** The refusals that an unreachable, forgetful or rewound network may cause; anything else is a fault. */
const EXPECTED = new Set([
  'ERR_DHT_NO_PEERS',
  'ERR_DHT_NOT_STORED',
  'ERR_NAME_NOT_FOUND',
  'ERR_NAME_STALE',
  'ERR_NAME_UNRESOLVED'
])

describe('names over any interleaving', () => {
  it('never resolve to an older sequence than before, nor does a device publish a sequence again', async () => {
    const values = await Promise.all(Array.from({ length: 60 }, (_, index) => cidOf(`value ${index}`)))
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40, size: 'max' }), (steps) =>
        run(steps, values)
      ),
      { numRuns: 60 }
    )
  })
})

async function run(steps: readonly Step[], values: readonly CID[]): Promise<void> {
  const clock = createVirtualClock()
  const dht = createMemoryDht(PEERS)
  // two devices of one publisher, and a reader
  const stores = [new MemoryDatastore(), new MemoryDatastore(), new MemoryDatastore()]
  const names = stores.map((datastore) => startMemoryNames(dht, clock, { datastore }))
  const seen = [0n, 0n, 0n]
  const history: Uint8Array[] = []
  const published = [0n, 0n]
  let publishes = 0
  const act = async (step: Step): Promise<void> => {
    if (step.do === 'publish') {
      const value = values[publishes++] as CID
      // only the first device ever says so: the second is one that was just recovered
      const options = { value, signal, firstPublish: step.device === 0 }
      const { sequence } = await (names[step.device] as Names).publish(alice, options)
      assert.equal(sequence > (published[step.device] ?? 0n), true, `published ${sequence} again`)
      published[step.device] = sequence
    } else if (step.do === 'resolve') {
      const { sequence } = await (names[step.device] as Names).resolve(alice.did, { signal })
      assert.equal(sequence >= (seen[step.device] ?? 0n), true, `went back to ${sequence}`)
      seen[step.device] = sequence
    } else if (step.do === 'restart') {
      await names[step.device]?.[Symbol.asyncDispose]()
      names[step.device] = startMemoryNames(dht, clock, { datastore: stores[step.device] as MemoryDatastore })
    } else if ('peer' in step) {
      disturb(step)
    }
  }
  const disturb = (step: Disturbance): void => {
    const peer = dht.peers[step.peer]
    if (peer === undefined) return
    if (step.do === 'reach') peer.isReachable = step.on
    if (step.do === 'storing') peer.isStoring = step.on
    const past = history[Math.floor((history.length * step.peer) / PEERS)]
    if (step.do !== 'rewind' || past === undefined) return
    for (const each of step.on ? dht.peers : [peer]) dht.plant(each, key, past)
  }
  try {
    for (const step of steps) {
      await act(step).catch((error: unknown) => {
        if (!EXPECTED.has(errorCode(error) ?? '')) throw error
      })
      for (const peer of dht.peers) history.push(...peer.records.values())
    }
  } finally {
    for (const each of names) await each[Symbol.asyncDispose]()
  }
}
