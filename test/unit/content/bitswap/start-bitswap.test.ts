import assert from 'node:assert/strict'
import { silentLogger, systemRandom } from '#contracts'
import { createKeyPair, peerIdFromDid } from '#did'
import type { Connection } from '@libp2p/interface'
import { peerIdFromString } from '@libp2p/peer-id'
import { startBitswap, type Bitswap, type BitswapLibp2p } from '../../../../content/bitswap/index.ts'
import { DIRECT_WAIT_MS } from '../../../../content/bitswap/constants.ts'
import { createVirtualClock, type VirtualClock } from '../../../support/virtual-clock.ts'
import { rawCid, text } from './session-fixture.ts'

const newPeerId = (): string => peerIdFromDid(createKeyPair(systemRandom).did)

/** As much of libp2p as bitswap uses: it dials over a relay and can open a direct connection later. */
class FakeLibp2p extends EventTarget {
  readonly peerId = peerIdFromString(newPeerId())
  readonly peerStore = { merge: () => Promise.resolve() }
  readonly open: Connection[] = []
  readonly #clock: Pick<VirtualClock, 'nowMs'>
  streamsAsked = 0
  handlers = 0
  topologies = 0

  constructor(clock: Pick<VirtualClock, 'nowMs'>) {
    super()
    this.#clock = clock
  }

  connectionTo(peerId: string, isRelayed: boolean): Connection {
    const limits = isRelayed ? { bytes: 131_072n } : undefined
    const timeline = { open: this.#clock.nowMs() }
    return { remotePeer: peerIdFromString(peerId), limits, timeline } as unknown as Connection
  }

  handle(): Promise<void> {
    this.handlers++
    return Promise.resolve()
  }

  unhandle(): Promise<void> {
    this.handlers--
    return Promise.resolve()
  }

  register(): Promise<string> {
    return Promise.resolve(`${this.topologies++}`)
  }

  unregister(): void {
    this.topologies--
  }

  getConnections(): Connection[] {
    return this.open
  }

  dial(peerId: { toString(): string }): Promise<Connection> {
    const connection = this.connectionTo(peerId.toString(), true)
    this.open.push(connection)
    return Promise.resolve(connection)
  }

  dialProtocol(): Promise<never> {
    this.streamsAsked++
    return Promise.reject(new Error('no streams here'))
  }

  hangUp(): Promise<void> {
    return Promise.resolve()
  }
}

interface Fixture extends AsyncDisposable {
  readonly libp2p: FakeLibp2p
  readonly clock: VirtualClock
  readonly bitswap: Bitswap
}

async function start(provider: string): Promise<Fixture> {
  const clock = createVirtualClock()
  const libp2p = new FakeLibp2p(clock)
  const bitswap = await startBitswap({
    libp2p: libp2p as unknown as BitswapLibp2p,
    clock,
    logger: silentLogger,
    store: { has: () => Promise.resolve(false), get: () => Promise.resolve(undefined) },
    mayServe: () => Promise.resolve(false),
    routing: {
      findProviders: async function* () {
        await Promise.resolve()
        yield { peerId: provider, multiaddrs: [] }
      }
    }
  })
  return { libp2p, clock, bitswap, [Symbol.asyncDispose]: () => bitswap[Symbol.asyncDispose]() }
}

describe('a running exchange', () => {
  it('asks a provider behind a relay once there is a direct connection', async () => {
    const provider = newPeerId()
    await using f = await start(provider)
    const fetched = f.bitswap.fetch(rawCid(text('root')), { signal: new AbortController().signal })
    fetched.catch(() => undefined)
    await f.clock.advance(1_000)
    assert.deepEqual([f.libp2p.open.length, f.libp2p.streamsAsked], [1, 0])
    const direct = f.libp2p.connectionTo(provider, false)
    f.libp2p.dispatchEvent(new CustomEvent('connection:open', { detail: direct }))
    await f.clock.advance(10)
    assert.ok(f.libp2p.streamsAsked > 0)
  })

  it('asks over the relay when there is no direct connection for a while', async () => {
    await using f = await start(newPeerId())
    const fetched = f.bitswap.fetch(rawCid(text('root')), { signal: new AbortController().signal })
    fetched.catch(() => undefined)
    await f.clock.advance(DIRECT_WAIT_MS - 100)
    assert.equal(f.libp2p.streamsAsked, 0)
    await f.clock.advance(200)
    assert.ok(f.libp2p.streamsAsked > 0)
  })

  it('leaves no handler, topology or timer behind when it is stopped', async () => {
    const f = await start(newPeerId())
    const controller = new AbortController()
    const fetched = f.bitswap.fetch(rawCid(text('root')), { signal: controller.signal })
    const rejected = assert.rejects(fetched, /stopped/)
    await f.clock.advance(100)
    await f.bitswap[Symbol.asyncDispose]()
    await rejected
    await f.clock.settle()
    assert.deepEqual([f.libp2p.handlers, f.libp2p.topologies, f.clock.pendingCount()], [0, 0, 0])
  })
})
