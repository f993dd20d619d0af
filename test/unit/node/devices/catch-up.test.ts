import assert from 'node:assert/strict'
import type { PeerEvent } from '#dht'
import { startCatchUp, type CatchUpComponents } from '../../../../node/devices/catch-up.ts'
import {
  CATCH_UP_ALONE_MS,
  CATCH_UP_ATTEMPTS_MAX,
  CATCH_UP_DELAY_MS,
  CATCH_UP_PEERS_MAX,
  CATCH_UP_WINDOW_MS
} from '../../../../node/devices/constants.ts'
import { createVirtualClock, type VirtualClock } from '../../../support/virtual-clock.ts'

interface World extends Disposable {
  readonly clock: VirtualClock
  /** Who was asked, in this order. */
  readonly asked: string[]
  /** What becomes of a question to a peer. */
  answer: (peerId: string) => Promise<boolean>
  connect(...peerIds: readonly string[]): void
  disconnect(...peerIds: readonly string[]): void
  /** Lets so much time pass that those who may be asked are. */
  wait(): Promise<void>
}

function createWorld(): World {
  const clock = createVirtualClock()
  const connected = new Set<string>()
  let tell: (event: PeerEvent) => void = () => undefined
  const host = {
    peers: () => [...connected].map((peerId) => ({ peerId })),
    onPeer: (handler: typeof tell) => {
      tell = handler
      return { [Symbol.dispose]: () => (tell = () => undefined) }
    }
  } as unknown as CatchUpComponents['host']
  const asked: string[] = []
  const running = startCatchUp({ host, clock }, async (peerId) => {
    asked.push(peerId)
    return await world.answer(peerId)
  })
  const world: World = {
    ...{ clock, asked },
    answer: async () => await Promise.resolve(true),
    connect: (...peerIds) => {
      for (const peerId of peerIds) tell({ type: 'connected', peerId: connected.add(peerId) && peerId })
    },
    disconnect: (...peerIds) => {
      for (const peerId of peerIds) {
        connected.delete(peerId)
        tell({ type: 'disconnected', peerId })
      }
    },
    wait: async () => {
      await clock.advance(2 * CATCH_UP_DELAY_MS)
    },
    [Symbol.dispose]: () => {
      running[Symbol.dispose]()
      assert.equal(clock.pendingCount(), 0)
    }
  }
  return world
}

const some = (name: string, count: number): string[] =>
  Array.from({ length: count }, (_, index) => `${name} ${index}`)

describe('asking what was missed', () => {
  it('ends when so many have answered, goes on with the next window, and is over when all were asked', async () => {
    using world = createWorld()
    const peers = some('peer', 2 * CATCH_UP_PEERS_MAX + 1)
    world.connect(...peers)
    await world.wait()
    assert.deepEqual(world.asked, peers.slice(0, CATCH_UP_PEERS_MAX))
    await world.clock.advance(CATCH_UP_WINDOW_MS)
    assert.deepEqual(world.asked, peers.slice(0, 2 * CATCH_UP_PEERS_MAX))
    await world.clock.advance(CATCH_UP_WINDOW_MS)
    assert.deepEqual(world.asked, peers)
    await world.clock.advance(5 * CATCH_UP_WINDOW_MS)
    assert.equal(world.asked.length, peers.length)
  })

  it('counts no question that was in vain, up to a bound', async () => {
    using world = createWorld()
    world.answer = async (peerId) => await Promise.resolve(peerId.startsWith('peer'))
    const [foreign, peers] = [some('foreign', 20), some('peer', CATCH_UP_PEERS_MAX)]
    world.connect(...foreign, ...peers)
    await world.wait()
    assert.deepEqual(world.asked, [...foreign, ...peers])
    world.connect(...some('late peer', 1))
    await world.wait()
    assert.equal(world.asked.length, foreign.length + peers.length, 'enough have answered')
    using crowded = createWorld()
    crowded.answer = async () => await Promise.resolve(false)
    crowded.connect(...some('foreign', CATCH_UP_ATTEMPTS_MAX + 10))
    await crowded.wait()
    assert.equal(crowded.asked.length, CATCH_UP_ATTEMPTS_MAX)
    await crowded.clock.advance(CATCH_UP_WINDOW_MS)
    assert.equal(crowded.asked.length, CATCH_UP_ATTEMPTS_MAX + 10, 'each of them once')
  })

  it('asks one who comes back again and again once in a window, and it takes nobody’s place', async () => {
    using world = createWorld()
    world.connect('friend')
    await world.wait()
    for (let count = 0; count < 3 * CATCH_UP_ATTEMPTS_MAX; count++) {
      world.connect('thief')
      await world.clock.advance(count % 2 === 0 ? 2 * CATCH_UP_DELAY_MS : 0)
      world.disconnect('thief')
    }
    world.connect('thief')
    const peers = some('peer', CATCH_UP_PEERS_MAX - 2)
    world.connect(...peers)
    await world.wait()
    assert.deepEqual(world.asked, ['friend', 'thief', ...peers])
    await world.clock.advance(CATCH_UP_WINDOW_MS)
    assert.deepEqual(world.asked.slice(2 + peers.length), ['thief'], 'it may have heard something meanwhile')
  })

  it('waits for no more answers than count, and asks the next when one of those asked fails', async () => {
    using world = createWorld()
    const answers: ((isAnswered: boolean) => void)[] = []
    world.answer = async () => {
      const answer = Promise.withResolvers<boolean>()
      answers.push(answer.resolve)
      return await answer.promise
    }
    world.connect(...some('peer', 3 * CATCH_UP_PEERS_MAX))
    await world.wait()
    assert.equal(world.asked.length, CATCH_UP_PEERS_MAX)
    answers[0]?.(false)
    answers[1]?.(true)
    await world.wait()
    assert.equal(world.asked.length, CATCH_UP_PEERS_MAX + 1)
  })

  it('begins anew for one who was alone for a while, and not for each time it is alone', async () => {
    using world = createWorld()
    const peers = some('peer', CATCH_UP_PEERS_MAX)
    world.connect(...peers)
    await world.wait()
    world.disconnect(...peers)
    world.connect('peer 0')
    await world.wait()
    assert.equal(world.asked.length, peers.length)
    await world.clock.advance(CATCH_UP_ALONE_MS)
    world.disconnect('peer 0')
    world.connect(...peers)
    await world.wait()
    assert.equal(world.asked.length, 2 * peers.length)
  })

  it('begins anew for one who was alone soon after it began', async () => {
    using world = createWorld()
    const peers = some('peer', CATCH_UP_PEERS_MAX)
    world.connect(...peers)
    await world.wait()
    world.disconnect(...peers)
    await world.clock.advance(CATCH_UP_ALONE_MS)
    world.connect(...peers)
    await world.wait()
    assert.equal(world.asked.length, 2 * peers.length)
  })

  it('leaves out who is gone again', async () => {
    using world = createWorld()
    world.connect('peer')
    world.disconnect('peer')
    await world.wait()
    assert.deepEqual(world.asked, [])
  })
})
