import assert from 'node:assert/strict'
import { silentLogger } from '#contracts'
import type { CID } from 'multiformats/cid'
import { prefixOfCid } from '../../../../content/bitswap/block-key.ts'
import { Client } from '../../../../content/bitswap/client.ts'
import { Conduct, type Misbehaviour } from '../../../../content/bitswap/conduct.ts'
import { DEFAULT_BITSWAP_LIMITS, type BitswapLimits } from '../../../../content/bitswap/limits.ts'
import type { BlockEntry, PresenceEntry, WantEntry } from '../../../../content/bitswap/message.ts'
import type { Provider } from '../../../../content/bitswap/peer-search.ts'
import { Session } from '../../../../content/bitswap/session.ts'
import { cidOf } from '../../../../content/cid.ts'
import { createVirtualClock, type VirtualClock } from '../../../support/virtual-clock.ts'

/** A peer that is only its behaviour. */
export interface FakePeer {
  /** What it was sent, in order. */
  readonly received: WantEntry[]
  /** Blocks it has, by the bytes of their CID in hexadecimal. */
  readonly has: Map<string, { cid: CID; data: Uint8Array }>
  /** How long it thinks before it answers. */
  delayMs: number
  /**
   * `honest` answers, `silent` never does, `flipping` sends every block with one byte changed, `resetting` accepts
   * connections but no streams.
   */
  behaviour: 'honest' | 'silent' | 'flipping' | 'resetting'
  /** Wants that it has not answered yet. */
  open: number
  /** The most that `open` ever was. */
  openPeak: number
  /** Blocks that it sent. */
  sent: number
  isReachable: boolean
}

/** Sessions over peers that are only their behaviour, in virtual time. */
export interface SessionFixture {
  readonly clock: VirtualClock
  readonly client: Client
  readonly peers: Map<string, FakePeer>
  /** Peers connected before any session. */
  readonly connected: Set<string>
  readonly misbehaviour: Misbehaviour[]
  /** How often content routing was asked, and for what. */
  readonly searches: CID[]
  /** Whom content routing names. */
  providers: (cid: CID) => readonly string[]
  addPeer(name: string, o?: Partial<FakePeer>): FakePeer
  give(peer: FakePeer, data: Uint8Array): CID
  say(name: string, message: { blocks?: BlockEntry[]; presences?: PresenceEntry[] }): void
  createSession(root: CID, o?: { signal?: AbortSignal; hasRouting?: boolean }): Session
  /** Makes a peer vanish as when its last connection closes. */
  disconnect(name: string): void
}

/** The bytes of some text. */
export const text = (value: string): Uint8Array => new TextEncoder().encode(value)

/** The raw CID of some bytes. */
export const rawCid = (data: Uint8Array): CID => cidOf(0x55, data)

/** A block as it travels. */
export const blockOf = (cid: CID, data: Uint8Array): BlockEntry => ({ prefix: prefixOfCid(cid), data })

/** Makes an empty swarm. */
export function createSessionFixture(limits: Partial<BitswapLimits> = {}): SessionFixture {
  const all = { ...DEFAULT_BITSWAP_LIMITS, ...limits }
  const clock = createVirtualClock()
  const conduct = new Conduct(clock, all)
  const peers = new Map<string, FakePeer>()
  const connected = new Set<string>()
  const misbehaviour: Misbehaviour[] = []
  const searches: CID[] = []
  const client = new Client(
    {
      clock,
      send: (name, entry) => {
        const peer = peers.get(name)
        if (peer !== undefined && connected.has(name)) receive(name, peer, entry)
      },
      onStrike: (name, reason) => {
        const noted = conduct.strike(name, reason)
        misbehaviour.push(noted)
        if (noted.disconnected) fixture.disconnect(name)
        return noted.disconnected
      }
    },
    all
  )
  const receive = (name: string, peer: FakePeer, entry: WantEntry): void => {
    peer.received.push(entry)
    if (entry.cancel || peer.behaviour === 'silent') return
    if (peer.behaviour === 'resetting') {
      clock.after(peer.delayMs, () => {
        client.lose(name)
      })
      return
    }
    peer.openPeak = Math.max(peer.openPeak, ++peer.open)
    clock.after(peer.delayMs, () => {
      peer.open--
      if (connected.has(name)) answer(name, peer, entry)
    })
  }
  const answer = (name: string, peer: FakePeer, entry: WantEntry): void => {
    const found = peer.has.get(hex(entry.cid))
    if (found === undefined) client.receive(name, { blocks: [], presences: [{ cid: entry.cid, has: false }] })
    else if (entry.type === 'have') {
      client.receive(name, { blocks: [], presences: [{ cid: entry.cid, has: true }] })
    } else {
      peer.sent++
      const data = peer.behaviour === 'flipping' ? flip(found.data) : found.data
      client.receive(name, { blocks: [blockOf(found.cid, data)], presences: [] })
    }
  }
  const fixture: SessionFixture = {
    clock,
    client,
    peers,
    connected,
    misbehaviour,
    searches,
    providers: () => [],
    addPeer: (name, o = {}) => {
      const peer: FakePeer = {
        received: [],
        has: new Map(),
        delayMs: 10,
        behaviour: 'honest',
        open: 0,
        openPeak: 0,
        sent: 0,
        isReachable: true,
        ...o
      }
      peers.set(name, peer)
      return peer
    },
    give: (peer, data) => {
      const cid = rawCid(data)
      peer.has.set(hex(cid.bytes), { cid, data })
      return cid
    },
    say: (name, { blocks = [], presences = [] }) => {
      client.receive(name, { blocks, presences })
    },
    createSession: (root, { signal = new AbortController().signal, hasRouting = true } = {}) =>
      new Session(
        {
          clock,
          client,
          logger: silentLogger,
          routing: hasRouting ? { findProviders: (cid) => find(cid) } : undefined,
          connect: async ({ peerId }: Provider) => {
            await clock.sleep(5)
            if (peers.get(peerId)?.isReachable !== true) throw new Error('connection refused')
            connected.add(peerId)
          },
          connectedPeers: () => connected,
          isAcceptable: (peerId) => !conduct.isShunned(peerId)
        },
        { root, signal },
        all
      ),
    disconnect: (name) => {
      connected.delete(name)
      client.forget(name, conduct.isShunned(name))
    }
  }
  async function* find(cid: CID): AsyncGenerator<Provider> {
    searches.push(cid)
    for (const peerId of fixture.providers(cid)) {
      await clock.sleep(20)
      yield { peerId, multiaddrs: [] }
    }
  }
  return fixture
}

/** Runs virtual time until a promise settles. */
export async function settle<T>(f: SessionFixture, promise: Promise<T>): Promise<T> {
  let isSettled = false
  const done = (): void => {
    isSettled = true
  }
  promise.then(done, done)
  for (let step = 0; step < 12_000 && !isSettled; step++) await f.clock.advance(step < 200 ? 5 : 50)
  assert.ok(isSettled, 'nothing happened for ten virtual minutes')
  return promise
}

/** Gives the same `count` blocks to several peers. */
export function giveMany(f: SessionFixture, peers: readonly FakePeer[], count: number): CID[] {
  return Array.from({ length: count }, (_, index) => {
    const data = text(`block ${index}`)
    for (const peer of peers) f.give(peer, data)
    return rawCid(data)
  })
}

/** How often a peer was asked for a block, cancels not counted. */
export function asksOf(peer: FakePeer, cid: CID): number {
  return peer.received.filter((entry) => !entry.cancel && hex(entry.cid) === hex(cid.bytes)).length
}

/** Whether the last a peer heard of a block is that it is no longer wanted. */
export function isCancelled(peer: FakePeer, cid: CID): boolean {
  return peer.received.findLast((entry) => hex(entry.cid) === hex(cid.bytes))?.cancel === true
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}

function flip(data: Uint8Array): Uint8Array {
  const changed = data.slice()
  changed[0] = (changed[0] ?? 0) ^ 1
  return changed
}
