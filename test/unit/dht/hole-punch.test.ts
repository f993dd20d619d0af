import assert from 'node:assert/strict'
import { setMaxListeners } from 'node:events'
import type { Connection, Stream } from '@libp2p/interface'
import { defaultLogger } from '@libp2p/logger'
import { peerIdFromString } from '@libp2p/peer-id'
import { lpStream, streamPair } from '@libp2p/utils'
import { multiaddr } from '@multiformats/multiaddr'
import { createKeyPair, peerIdFromDid } from '#did'
import { PUNCHES_AT_ONCE_MAX, RELAYED_GRACE_MS } from '../../../dht/constants.ts'
import { createHolePunch, type PunchComponents } from '../../../dht/hole-punch.ts'
import { encodePunchMessage } from '../../../dht/punch-message.ts'
import type { PunchPort } from '../../../dht/punch-port.ts'
import { createSeededRandom } from '../../support/seeded-random.ts'
import { createVirtualClock, type VirtualClock } from '../../support/virtual-clock.ts'

const PEER = peerIdFromString(peerIdFromDid(createKeyPair(createSeededRandom(7)).did))
const OWN = multiaddr('/ip4/20.7.0.2/tcp/4697')

interface World extends AsyncDisposable {
  readonly clock: VirtualClock
  /** The connections there are. */
  readonly connections: Connection[]
  /** The dials under way; none of them ever gets through. */
  readonly dials: Set<AbortSignal>
  /** What libp2p calls with a stream of the protocol; none when it is not spoken. */
  answer: ((stream: Stream, connection: Connection) => void) | undefined
  /** Tells of a connection. */
  connected: (connection: Connection) => void
}

function connectionOf(id: string, o: Partial<Connection> = {}): Connection {
  return { id, remotePeer: PEER, status: 'open', direction: 'inbound', ...o } as Connection
}

async function startWorld(o: Partial<PunchPort> = {}): Promise<World> {
  const world: Omit<World, typeof Symbol.asyncDispose> = {
    clock: createVirtualClock(),
    connections: [],
    dials: new Set<AbortSignal>(),
    answer: undefined,
    connected: () => undefined
  }
  const port = {
    open: async () => await Promise.resolve({ [Symbol.asyncDispose]: async () => await Promise.resolve() }),
    observed: () => [OWN],
    expect: () => ({ [Symbol.dispose]: () => undefined }),
    dial: async (_address: unknown, { signal }: { signal: AbortSignal }) => {
      world.dials.add(signal)
      await new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => {
          world.dials.delete(signal)
          reject(new Error('given up'))
        })
      })
    },
    ...o
  } as unknown as PunchPort
  const events = new EventTarget()
  // as libp2p does
  setMaxListeners(Infinity, events)
  const components = {
    addressManager: { getAddresses: () => [] },
    connectionManager: { getConnections: () => world.connections },
    peerStore: { get: async () => await Promise.resolve({ addresses: [] }) },
    events,
    logger: defaultLogger(),
    registrar: {
      handle: async (_protocol: string, handler: World['answer']) => {
        world.answer = handler
        await Promise.resolve()
      },
      unhandle: async () => await Promise.resolve(),
      register: async (
        _protocol: string,
        { onConnect }: { onConnect(peer: unknown, c: Connection): void }
      ) => {
        world.connected = (connection) => {
          onConnect(PEER, connection)
        }
        return await Promise.resolve('topology')
      },
      unregister: () => undefined
    }
  } as unknown as PunchComponents
  const punch = createHolePunch({ port, clock: world.clock })(components)
  await punch.start()
  return Object.assign(world, { [Symbol.asyncDispose]: async () => await punch.stop() })
}

/** Arranges a meeting over a relayed connection, and says how many dials there were then. */
async function call({ answer, dials }: World, relayed: Connection): Promise<number> {
  const [mine, theirs] = await streamPair()
  answer?.(theirs, relayed)
  const framed = lpStream(mine)
  const before = new Set(dials)
  const addresses = ['/ip4/20.1.1.1/tcp/1', '/ip4/20.1.1.1/tcp/2'].map((text) => multiaddr(text).bytes)
  try {
    await framed.write(encodePunchMessage({ type: 'connect', addresses }))
    await framed.read()
    await framed.write(encodePunchMessage({ type: 'sync', addresses: [] }))
    while ([...dials].every((dial) => before.has(dial)) && theirs.status === 'open')
      await new Promise((resolve) => setImmediate(resolve))
  } catch {
    // refused
  }
  return dials.size
}

describe('punching', () => {
  it('dials for one caller on a relayed connection at a time, however often it calls', async () => {
    await using world = await startWorld()
    const relayed = connectionOf('relayed')
    for (let calls = 0; calls < 4; calls += 1) assert.equal(await call(world, relayed), 2)
  })

  it('dials for a bounded number of callers at a time', async () => {
    await using world = await startWorld()
    const counts: number[] = []
    for (let calls = 0; calls < PUNCHES_AT_ONCE_MAX + 4; calls += 1)
      counts.push(await call(world, connectionOf(`relayed ${calls}`)))
    assert.equal(Math.max(...counts), 2 * PUNCHES_AT_ONCE_MAX)
  })

  it('keeps the relayed connection when the direct one did not last', async () => {
    for (const lasts of [true, false]) {
      await using world = await startWorld()
      let isClosed = false
      const close = async (): Promise<void> => {
        isClosed = true
        await Promise.resolve()
      }
      const relayed = connectionOf('relayed', { limits: {}, close })
      world.connections.push(relayed, connectionOf('direct'))
      world.connected(relayed)
      await world.clock.settle()
      if (!lasts) world.connections.pop()
      await world.clock.advance(RELAYED_GRACE_MS)
      assert.equal(isClosed, lasts)
    }
  })

  it('is left alone on a system that shares no port, and the node starts', async () => {
    await using world = await startWorld({ open: async () => await Promise.reject(new Error('ENOTSUP')) })
    assert.equal(world.answer, undefined)
  })
})
