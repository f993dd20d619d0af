import assert from 'node:assert/strict'
import { silentLogger } from '#contracts'
import type { ExchangeHandler, PeerEvent } from '#dht'
import { createKeyPair, encodeCanonical, signDeviceList } from '#did'
import {
  CATCH_UP_DELAY_MS,
  CATCH_UP_PEERS_MAX,
  CATCH_UP_WINDOW_MS,
  MESSAGE_EVERY_MS,
  MESSAGES_BURST
} from '../../../../node/devices/constants.ts'
import {
  openRevocations,
  readList,
  type Revocations,
  type SignedList
} from '../../../../node/devices/revocations.ts'
import { startSpread, type Spread, type SpreadComponents } from '../../../../node/devices/spread.ts'
import { createSeededRandom } from '../../../support/seeded-random.ts'
import { createVirtualClock, type VirtualClock } from '../../../support/virtual-clock.ts'

const random = createSeededRandom(44)

/** Peers that know some of the others, and what passes between them. */
class Net implements AsyncDisposable {
  readonly clock: VirtualClock = createVirtualClock()
  readonly passed: string[] = []
  readonly peers = new Map<string, Peer>()

  async add(name: string, neighbours: readonly string[] = []): Promise<Peer> {
    const revocations = await openRevocations(
      {
        files: {
          read: async () => await Promise.resolve(undefined),
          replace: async () => await Promise.resolve()
        },
        logger: silentLogger
      },
      { path: '', person: createKeyPair(random).did, isContact: () => false }
    )
    const peer: Peer = {
      name,
      revocations,
      neighbours: new Set<string>(),
      handler: undefined,
      watchers: new Set()
    }
    this.peers.set(name, peer)
    peer.spread = await startSpread({
      ...{ host: this.#hostOf(peer), revocations, clock: this.clock, logger: silentLogger },
      onNews: () => undefined
    })
    for (const other of neighbours) this.connect(name, other)
    return peer
  }

  connect(one: string, other: string): void {
    for (const [from, to] of [
      [one, other],
      [other, one]
    ] as const) {
      this.peers.get(from)?.neighbours.add(to)
      for (const watch of this.peers.get(from)?.watchers ?? []) watch({ type: 'connected', peerId: to })
    }
  }

  disconnect(one: string, other: string): void {
    for (const [from, to] of [
      [one, other],
      [other, one]
    ] as const) {
      this.peers.get(from)?.neighbours.delete(to)
      for (const watch of this.peers.get(from)?.watchers ?? []) watch({ type: 'disconnected', peerId: to })
    }
  }

  async ask(from: string, to: string, bytes: Uint8Array): Promise<Uint8Array> {
    const handler = this.peers.get(to)?.handler
    if (handler === undefined) throw new Error('nobody is there')
    this.passed.push(`${from} ${to}`)
    return await handler({ peerId: from, bytes, signal: new AbortController().signal })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { spread } of this.peers.values()) await spread?.[Symbol.asyncDispose]()
  }

  #hostOf(peer: Peer): SpreadComponents['host'] {
    const host = {
      exchange: {
        serve: async (_protocol: string, handler: ExchangeHandler) => {
          peer.handler = handler
          return await Promise.resolve({ [Symbol.asyncDispose]: async () => await Promise.resolve() })
        },
        request: async (to: string, _protocol: string, bytes: Uint8Array) =>
          await this.ask(peer.name, to, bytes)
      },
      peers: () => [...peer.neighbours].map((peerId) => ({ peerId })),
      onPeer: (watch: (event: PeerEvent) => void) => {
        peer.watchers.add(watch)
        return { [Symbol.dispose]: () => void peer.watchers.delete(watch) }
      }
    }
    return host as unknown as SpreadComponents['host']
  }
}

interface Peer {
  readonly name: string
  readonly revocations: Revocations
  readonly neighbours: Set<string>
  readonly watchers: Set<(event: PeerEvent) => void>
  handler: ExchangeHandler | undefined
  spread?: Spread
}

function list(): SignedList {
  const revoked = [{ device: createKeyPair(random).did, atMs: 1 }]
  return readList(signDeviceList(createKeyPair(random), { sequence: 1, issuedAtMs: 1, devices: [], revoked }))
}

const has = (peer: Peer | undefined, { digest }: SignedList): boolean =>
  peer?.revocations.recent().some((one) => one.digest === digest) === true

function message(said: object): Uint8Array {
  return encodeCanonical({ version: 1, have: [], want: [], lists: [], ...said })
}

describe('device lists', () => {
  it('reach everybody over many hops, and go round no ring', async () => {
    await using net = new Net()
    for (const name of 'abcdef') await net.add(name)
    // A ring with a tail: a-b-c-d-a, d-e-f.
    for (const [one = '', other = ''] of ['ab', 'bc', 'cd', 'da', 'de', 'ef']) net.connect(one, other)
    await net.clock.advance(CATCH_UP_DELAY_MS)
    net.passed.length = 0
    const news = list()
    const first = net.peers.get('a')
    await first?.spread?.take(news)
    await net.clock.settle()
    for (const name of 'bcdef') assert.ok(has(net.peers.get(name), news), name)
    // Each tells each neighbour at most once, and not the one it heard from.
    assert.equal(new Set(net.passed).size, net.passed.length)
    assert.ok(net.passed.length <= 8, net.passed.join(', '))
    assert.equal(await first?.spread?.tell(news), 2)
  })

  it('that were missed are asked for when somebody connects, in both directions', async () => {
    await using net = new Net()
    const [old, back] = [await net.add('old'), await net.add('back')]
    const [one, two] = [list(), list()]
    await old.revocations.take(one)
    await back.revocations.take(two)
    net.connect('old', 'back')
    await net.clock.advance(2 * CATCH_UP_DELAY_MS)
    assert.ok(has(back, one))
    assert.ok(has(old, two))
    net.passed.length = 0
    net.disconnect('old', 'back')
    await net.clock.advance(CATCH_UP_WINDOW_MS)
    net.connect('old', 'back')
    await net.clock.advance(2 * CATCH_UP_DELAY_MS)
    assert.equal(net.passed.length, 2, 'one question each way, and nothing to bring')
  })

  it('that were missed are told by one who speaks the protocol among many who do not', async () => {
    await using net = new Net()
    const [old, back] = [await net.add('old'), await net.add('back')]
    const missed = list()
    await old.revocations.take(missed)
    for (let one = 0; one < 2 * CATCH_UP_PEERS_MAX; one++) net.connect('back', `stranger ${one}`)
    net.connect('old', 'back')
    await net.clock.advance(2 * CATCH_UP_DELAY_MS)
    assert.ok(has(back, missed))
  })

  it('are not taken when they do not verify, from a message that is none, or from a peer that sends too many', async () => {
    await using net = new Net()
    const peer = await net.add('peer')
    const good = list()
    const bad = [
      message({
        lists: [good.bytes.map((byte, index) => (index === good.bytes.length - 1 ? byte ^ 1 : byte))]
      }),
      message({ version: 2, lists: [good.bytes] }),
      message({ more: 1 }),
      message({ have: [new Uint8Array(3)] }),
      message({ lists: Array.from({ length: 17 }, () => new Uint8Array(1)) }),
      new Uint8Array(50),
      new Uint8Array(200_000)
    ]
    for (const [index, bytes] of bad.entries()) await assert.rejects(net.ask(`evil ${index}`, 'peer', bytes))
    assert.ok(!has(peer, good))
    for (let count = 0; count < MESSAGES_BURST; count++) await net.ask('busy', 'peer', message({}))
    await assert.rejects(net.ask('busy', 'peer', message({ lists: [good.bytes] })), /fewer/)
    assert.ok(!has(peer, good))
    await net.ask('calm', 'peer', message({ lists: [good.bytes] }))
    assert.ok(has(peer, good))
    await net.clock.advance(MESSAGE_EVERY_MS)
    await net.ask('busy', 'peer', message({}))
  })
})
