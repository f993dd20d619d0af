import assert from 'node:assert/strict'
import { HEARD_MAX } from '../../../../dht/constants.ts'
import { createQueryEngine } from '../../../../dht/query/engine.ts'
import { KAD_MESSAGE } from '../../../../dht/query/index.ts'
import type { DhtPeer, QueryEngine, StartOptions } from '../../../../dht/query/index.ts'
import { createRoutedDht } from '../../../support/routed-dht.ts'
import type { RoutedDht, RoutedDhtInit } from '../../../support/routed-dht.ts'
import { createSeededRandom } from '../../../support/seeded-random.ts'
import { createVirtualClock } from '../../../support/virtual-clock.ts'
import type { VirtualClock } from '../../../support/virtual-clock.ts'

const CLOSEST = 20

interface Lab {
  readonly dht: RoutedDht
  readonly engine: QueryEngine
  readonly clock: VirtualClock
  readonly key: Uint8Array
  readonly signal: AbortSignal
  /** Lets time pass until a promise has settled. */
  settled<T>(promise: Promise<T>): Promise<T>
  /** How many of the nearest hold an announcement of the key. */
  holders(): number
}

function lab({ held = [], ...init }: Partial<RoutedDhtInit> & { readonly held?: DhtPeer[] } = {}): Lab {
  const clock = createVirtualClock()
  const random = createSeededRandom(7)
  const dht = createRoutedDht({ nodes: 200, random, clock, ...init })
  const [own] = dht.nodes
  assert.ok(own)
  const engine = createQueryEngine({
    ...dht.components,
    local: {
      providers: () => Promise.resolve(held),
      addOwnProvider: () => Promise.resolve(),
      putValue: () => Promise.resolve(new Uint8Array())
    },
    ownId: own.peer.id,
    ownAddresses: () => [Uint8Array.of(4, 127, 0, 0, 1)],
    metrics: () => ({ messages: 0, failures: 0, streams: 0 })
  })
  const key = Uint8Array.of(0x12, 0x20, ...random.bytes(32))
  const place = Buffer.from(key).toString('hex')
  return {
    ...{ dht, engine, clock, key, signal: new AbortController().signal },
    settled: async (promise) => {
      let isSettled = false
      const note = (): void => void (isSettled = true)
      promise.then(note, note)
      while (!isSettled) await clock.advance(50)
      return await promise
    },
    holders: () => {
      const nearest = dht.nearest(key)
      return dht.nodes.filter(({ peer, announced }) => nearest.includes(peer) && announced.has(place)).length
    }
  }
}

async function findAll({ engine, key, signal }: Lab): Promise<string[]> {
  const found = new Set<string>()
  for await (const { providers } of engine.findProviders(key, signal)) {
    for (const { peerId } of providers) found.add(peerId)
  }
  return [...found]
}

describe('the query engine', () => {
  it('announces to the nearest and finds who announced, asking few', async () => {
    const net = lab()
    const { stored, settled } = await net.settled(net.engine.provide(net.key, { signal: net.signal }))
    assert.ok(stored >= 15)
    assert.equal(await net.settled(settled), CLOSEST)
    assert.equal(net.holders(), CLOSEST)
    const before = net.dht.sent.length
    assert.deepEqual(await net.settled(findAll(net)), [net.dht.nodes[0]?.peer.peerId])
    assert.ok(net.dht.sent.length - before < CLOSEST / 2)
  })

  it('asks all of the nearest before it says that nobody provides something', async () => {
    const net = lab()
    assert.deepEqual(await net.settled(findAll(net)), [])
    const asked = new Set(net.dht.sent.map(({ to }) => to))
    for (const peer of net.dht.nearest(net.key)) assert.ok(asked.has(peer))
  })

  it('asks nobody twice in two searches of one lookup, and gives what was answered in both', async () => {
    const net = lab()
    const { settled } = await net.settled(net.engine.provide(net.key, { signal: net.signal }))
    await net.settled(settled)
    const other = net.dht.nodes[100]?.peer.peerId ?? ''
    const heard: NonNullable<StartOptions['heard']> = new Map()
    const search = async (options: StartOptions): Promise<string[]> => {
      const peers = net.engine.getValue(net.key, net.signal, { ...options, heard })
      return await net.settled(Array.fromAsync(peers, ({ peer }) => peer.peerId))
    }
    const first = await search({ from: [other] })
    const before = net.dht.sent.length
    const second = await search({})
    for (const { to } of net.dht.sent.slice(before)) assert.ok(!first.includes(to.peerId))
    assert.ok(first.filter((peerId) => second.includes(peerId)).length >= CLOSEST / 2)
    for (const { peerId } of net.dht.nearest(net.key)) assert.ok(second.includes(peerId))
  })

  it('keeps no more answers for another search than it may', async () => {
    const net = lab()
    const heard: NonNullable<StartOptions['heard']> = new Map()
    const search = async (from: readonly string[]): Promise<unknown> =>
      await net.settled(Array.fromAsync(net.engine.getValue(net.key, net.signal, { from, heard })))
    for (const node of net.dht.nodes.slice(0, 100)) await search([node.peer.peerId])
    assert.equal(heard.size, HEARD_MAX)
  })

  it('answers an announcer when enough have it, and tells the slow ones in the background', async () => {
    const net = lab({ deadShare: 0.2 })
    const { stored, settled } = await net.settled(net.engine.provide(net.key, { signal: net.signal }))
    assert.ok(stored >= 15 && stored < CLOSEST, `${stored} have it when the announcer is answered`)
    const total = await net.settled(settled)
    assert.equal(total, CLOSEST)
    assert.ok(net.holders() >= 16)
  })

  it('finds providers where a fifth of the peers lie', async () => {
    const net = lab({ liarShare: 0.2 })
    const { settled } = await net.settled(net.engine.provide(net.key, { signal: net.signal }))
    await net.settled(settled)
    assert.deepEqual(await net.settled(findAll(net)), [net.dht.nodes[0]?.peer.peerId])
  })

  it('ends with the reason of its caller, and leaves no timer behind', async () => {
    const net = lab({ deadShare: 0.9 })
    const caller = new AbortController()
    const lookup = net.engine.lookup(net.key, caller.signal)
    const refused = assert.rejects(lookup, /enough/)
    await net.clock.advance(300)
    caller.abort(new Error('enough'))
    await refused
    await net.clock.settle()
    assert.equal(net.clock.pendingCount(), 0)
    await assert.rejects(net.engine.lookup(net.key, caller.signal), /enough/)
  })

  it('ends a search that nobody takes from any more', async () => {
    const net = lab()
    const { settled } = await net.settled(net.engine.provide(net.key, { signal: net.signal }))
    await net.settled(settled)
    const answers = net.engine.findProviders(net.key, net.signal)[Symbol.asyncIterator]()
    await net.settled(answers.next())
    await answers.return?.()
    const before = net.dht.sent.length
    await net.clock.advance(2_000)
    assert.equal(net.dht.sent.length, before)
    assert.equal(net.clock.pendingCount(), 0)
  })

  it('gives what it has when its time is up', async () => {
    const net = lab({ deadShare: 0.9, nodes: 400 })
    const startedAtMs = net.clock.monotonicMs()
    const found = await net.settled(net.engine.lookup(net.key, net.signal))
    assert.ok(found.length > 0)
    assert.ok(net.clock.monotonicMs() - startedAtMs <= 21_000)
  })

  it('ends at once where nobody is known', async () => {
    const net = lab({ nodes: 1 })
    assert.deepEqual(await net.engine.lookup(net.key, net.signal), [])
    assert.deepEqual(await findAll(net), [])
    const { stored } = await net.engine.provide(net.key, { signal: net.signal })
    assert.equal(stored, 0)
  })

  it('hands one peer many announcements, and says how many it took', async () => {
    const net = lab()
    const [nearest] = net.dht.nearest(net.key)
    assert.ok(nearest)
    const keys = Array.from({ length: 70 }, (_, index) =>
      Uint8Array.of(0x12, 0x20, ...new Uint8Array(31), index)
    )
    assert.equal(await net.settled(net.engine.announceTo(nearest, keys, net.signal)), keys.length)
    const node = net.dht.nodes.find(({ peer }) => peer === nearest)
    assert.equal(node?.announced.size, keys.length)
  })

  it('asks only the nearest known when it is to be quick', async () => {
    const net = lab()
    assert.equal(await net.settled(net.engine.announceNearest(net.key, 3, net.signal)), 3)
    const before = net.dht.sent.length
    const found: string[] = []
    const ask = async (): Promise<void> => {
      for await (const { peer } of net.engine.askNearest(net.key, 3, net.signal)) found.push(peer.peerId)
    }
    await net.settled(ask())
    assert.equal(found.length, 3)
    assert.equal(net.dht.sent.length - before, 3)
    assert.ok(net.dht.sent.slice(before).every(({ type }) => type === KAD_MESSAGE.getProviders))
  })

  it('says who is announced here, whether it searches or asks the nearest known', async () => {
    const [, somebody] = createRoutedDht({
      nodes: 2,
      random: createSeededRandom(8),
      clock: createVirtualClock()
    }).nodes
    assert.ok(somebody)
    const net = lab({ held: [somebody.peer] })
    for (const answers of [
      net.engine.askNearest(net.key, 3, net.signal),
      net.engine.findProviders(net.key, net.signal)
    ]) {
      const named: string[] = []
      const read = async (): Promise<void> => {
        for await (const { providers } of answers) named.push(...providers.map(({ peerId }) => peerId))
      }
      await net.settled(read())
      assert.deepEqual(named, [somebody.peer.peerId])
    }
  })
})
