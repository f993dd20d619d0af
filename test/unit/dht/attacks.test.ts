/** Attacks on answers of the DHT, with the engine of queries over a network in memory. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Libp2pRecord } from '@libp2p/record'
import { LevelDatastore } from 'datastore-level'
import { Key } from 'interface-datastore'
import { varint } from 'multiformats'
import { base32 } from 'multiformats/bases/base32'
import { createJudge } from '../../../dht/confidence.ts'
import type { Confidence } from '../../../dht/confidence.ts'
import { createAnnouncementBook } from '../../../dht/provide/announcement-book.ts'
import { createProviderGuard, PROVIDER_LIMITS } from '../../../dht/provider-guard.ts'
import { createQueryEngine } from '../../../dht/query/engine.ts'
import type { KadMessage, QueryEngine } from '../../../dht/query/index.ts'
import { createPeerBook, kadIdOf, nearestOf } from '../../../dht/query/peer-book.ts'
import type { BookPeer, PeerBook } from '../../../dht/query/peer-book.ts'
import { createKeyPair, peerIdFromDid } from '#did'
import { peerIdFromString } from '@libp2p/peer-id'
import { createSeededRandom } from '../../support/seeded-random.ts'
import { silentLogger, systemClock } from '#contracts'
import { CID } from 'multiformats/cid'
import * as raw from 'multiformats/codecs/raw'
import * as Digest from 'multiformats/hashes/digest'
import { kadNameRouting } from '../../../dht/name-routing.ts'
import { createRouting } from '../../../dht/routing.ts'
import type { Routing, RoutingComponents } from '../../../dht/routing.ts'

const { signal } = new AbortController()
const random = createSeededRandom(7)

function keyOf(text: string): Uint8Array {
  return Buffer.concat([Uint8Array.of(0x12, 0x20), createHash('sha256').update(text).digest()])
}

function newPeers(book: PeerBook, count: number): BookPeer[] {
  return Array.from({ length: count }, () =>
    book.of(peerIdFromString(peerIdFromDid(createKeyPair(random).did)).toMultihash().bytes)
  )
}

interface Node {
  readonly peer: BookPeer
  /** Whom it names, the nearest of them. */
  readonly knows: readonly BookPeer[]
  readonly providers: Map<string, readonly BookPeer[]>
  /** What it answers when it is asked for any value. */
  readonly record?: Uint8Array | undefined
}

function nodeOf(nodes: ReadonlyMap<BookPeer, Node>, peer: BookPeer): Node {
  const node = nodes.get(peer)
  assert.ok(node)
  return node
}

/** A network that `own` asks, beginning with `table`. */
function engineOver(
  nodes: ReadonlyMap<BookPeer, Node>,
  o: { readonly book: PeerBook; readonly own: BookPeer; readonly table: readonly BookPeer[] }
): QueryEngine {
  const answer = async (to: BookPeer, { type, key = new Uint8Array() }: KadMessage): Promise<KadMessage> => {
    const node = nodes.get(to)
    if (node === undefined) throw new Error('nobody is there')
    const closer = nearestOf(
      kadIdOf(key),
      node.knows.filter((peer) => peer !== o.own),
      20
    )
    const providers = node.providers.get(Buffer.from(key).toString('hex')) ?? []
    return await Promise.resolve({ type, closer, providers, record: node.record })
  }
  return createQueryEngine({
    book: o.book,
    clock: systemClock,
    table: { nearest: (target, count) => nearestOf(target, o.table, count), offer: () => undefined },
    transport: {
      request: answer,
      tell: async (to, messages) => {
        for (const message of messages) await answer(to, message)
      },
      isConnected: () => true
    },
    local: {
      providers: async () => await Promise.resolve([]),
      addOwnProvider: async () => await Promise.resolve(),
      putValue: async (_key, value) => await Promise.resolve(value)
    },
    ownId: o.own.id,
    ownAddresses: () => [],
    metrics: () => ({ messages: 0, failures: 0, streams: 0 })
  })
}

/** Content routing as a host has it, over an engine. */
function routingOver(
  queries: QueryEngine,
  { own, anchors = [] }: { own: BookPeer; anchors?: readonly string[] }
): Pick<Routing, 'findProviders'> {
  const peerStore = { merge: async () => await Promise.resolve() }
  const libp2p = { peerId: own.libp2pId, peerStore } as unknown as RoutingComponents['libp2p']
  const dht = { cancelReprovide: async () => await Promise.resolve() }
  const whenJoined = async (): Promise<number> => await Promise.resolve(1)
  return createRouting({
    libp2p,
    dht,
    queries,
    anchors,
    whenJoined,
    clock: systemClock,
    logger: silentLogger
  })
}

function cidOfKey(key: Uint8Array): CID {
  return CID.createV1(raw.code, Digest.decode(key))
}

/** Whether a provider is found, and how far the answer can be trusted. */
async function search(
  engine: QueryEngine,
  o: {
    key: Uint8Array
    own: BookPeer
    neighbours: readonly BookPeer[]
    wanted: BookPeer
    others: readonly Uint8Array[]
    anchors?: readonly string[]
  }
): Promise<{ isFound: boolean; confidence: Confidence }> {
  let isFound = false
  for await (const { peerId } of routingOver(engine, o).findProviders(cidOfKey(o.key), { signal })) {
    if (peerId === o.wanted.peerId) isFound = true
  }
  const judge = createJudge(() => ({
    ownKey: o.own.id,
    peerIds: nearestOf(o.own.kadId, o.neighbours, 20).map(({ peerId }) => peerId)
  }))
  const lookUp = async (key: Uint8Array): Promise<string[]> =>
    (await engine.lookup(key, signal, { isThorough: true })).map(({ peerId }) => peerId)
  for (const other of o.others) judge.learn(other, await lookUp(other))
  return { isFound, confidence: judge.judge(o.key, await lookUp(o.key)) }
}

describe('attacks on the DHT', () => {
  const book = createPeerBook()
  const honest = newPeers(book, 60)
  const supply = newPeers(book, 600)
  const [own, provider] = honest
  assert.ok(own && provider)
  const others = Array.from({ length: 5 }, (_, index) => keyOf(`other ${index}`))

  /** The honest ones know each other, and the attackers when these have come to them; a content is with the nearest honest. */
  const network = (key: Uint8Array, attackers: readonly BookPeer[]): Map<BookPeer, Node> => {
    const holders = new Set(nearestOf(kadIdOf(key), honest, 20))
    const held = new Map([[Buffer.from(key).toString('hex'), [provider]]])
    return new Map([
      ...honest.map((peer): [BookPeer, Node] => [
        peer,
        {
          peer,
          knows: [...honest, ...attackers],
          providers: holders.has(peer) ? held : new Map<string, BookPeer[]>()
        }
      ]),
      // they know nobody but each other, and no provider
      ...attackers.map((peer): [BookPeer, Node] => [peer, { peer, knows: attackers, providers: new Map() }])
    ])
  }

  it('without one, what was announced is found and the answer is good', async () => {
    for (let index = 0; index < 10; index += 1) {
      const key = keyOf(`quiet ${index}`)
      const engine = engineOver(network(key, []), { book, own, table: honest })
      const { isFound, confidence } = await search(engine, {
        key,
        own,
        neighbours: honest,
        wanted: provider,
        others
      })
      assert.ok(isFound)
      assert.equal(confidence.level, 'good', confidence.doubts.join())
      await engine[Symbol.asyncDispose]()
    }
  })

  it('sybils all around a key: the provider is found all the same, or the answer says that it is doubtful', async () => {
    let hidden = 0
    for (let index = 0; index < 10; index += 1) {
      const key = keyOf(`victim ${index}`)
      const sybils = nearestOf(kadIdOf(key), supply, 24)
      const engine = engineOver(network(key, sybils), { book, own, table: honest })
      const found = await search(engine, { key, own, neighbours: honest, wanted: provider, others })
      if (!found.isFound) hidden += 1
      assert.ok(found.isFound || found.confidence.level === 'doubtful', JSON.stringify(found))
      assert.equal(found.confidence.level, 'doubtful', JSON.stringify(found))
      await engine[Symbol.asyncDispose]()
    }
    assert.ok(hidden <= 10)
  })

  it('an eclipse of a young node: thirty attackers in its table hide nothing from who has one pinned seed', async () => {
    const attackers = supply.slice(0, 30)
    const [seed] = honest.slice(2)
    assert.ok(seed)
    let hidden = 0
    for (let index = 0; index < 10; index += 1) {
      const key = keyOf(`young ${index}`)
      const nodes = network(key, [])
      for (const peer of attackers) nodes.set(peer, { peer, knows: attackers, providers: new Map() })
      const engine = engineOver(nodes, { book, own, table: [seed, ...attackers] })
      const asked = { key, own, neighbours: attackers, wanted: provider, others }
      const { isFound } = await search(engine, { ...asked, anchors: [seed.peerId] })
      assert.ok(isFound, `young ${index}`)
      if (!(await search(engine, asked)).isFound) hidden += 1
      await engine[Symbol.asyncDispose]()
    }
    assert.ok(hidden > 0, 'the attack does not work, so that this test says nothing')
  })

  it('an eclipse of a young node: a name is not held back, nor an old record of it passed for the latest', async () => {
    const attackers = supply.slice(0, 30)
    const [seed] = honest.slice(2)
    assert.ok(seed)
    const key = Buffer.concat([Buffer.from('/ipns/'), keyOf('name')])
    const record = (text: string): Uint8Array =>
      new Libp2pRecord(key, Buffer.from(text), new Date(0)).serialize().slice()
    const nodes = network(key, [])
    const holders = new Set(nearestOf(kadIdOf(key), honest, 20))
    for (const peer of honest)
      nodes.set(peer, { ...nodeOf(nodes, peer), record: holders.has(peer) ? record('new') : undefined })
    for (const peer of attackers) {
      nodes.set(peer, { peer, knows: attackers, providers: new Map(), record: record('old') })
    }
    const queries = engineOver(nodes, { book, own, table: [seed, ...attackers] })
    const whenJoined = async (): Promise<number> => await Promise.resolve(1)
    const names = kadNameRouting('test', { queries, whenJoined, anchors: () => [seed.peerId] })
    const seen = new Map<string, number>()
    const peers = new Set<string>()
    for await (const { peer, record: value } of names.find(key, { signal })) {
      assert.ok(!peers.has(peer), 'a peer counts once')
      peers.add(peer)
      const text = Buffer.from(value ?? []).toString()
      seen.set(text, (seen.get(text) ?? 0) + 1)
      // as who looks up a name does: sixteen records are enough
      if ([...seen.values()].reduce((sum, count) => sum + count, 0) >= 16) break
    }
    assert.ok((seen.get('new') ?? 0) > 0, JSON.stringify([...seen]))
    await queries[Symbol.asyncDispose]()
  })

  it('a node that knows only a handful of peers says that its answers are weak', async () => {
    const key = keyOf('handful')
    const few = supply.slice(0, 4)
    const nodes = new Map(
      few.map((peer): [BookPeer, Node] => [peer, { peer, knows: few, providers: new Map() }])
    )
    const engine = engineOver(nodes, { book, own, table: few })
    const { isFound, confidence } = await search(engine, {
      key,
      own,
      neighbours: few,
      wanted: provider,
      others
    })
    assert.deepEqual([isFound, confidence.level], [false, 'weak'])
    await engine[Symbol.asyncDispose]()
  })
})

describe('a flood of announcements and questions', () => {
  it('leaves a bounded number of records, and whoever was there before it is still named', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'elastos-flood-'))
    const datastore = new LevelDatastore(folder)
    await datastore.open()
    let nowMs = 1_800_000_000_000
    const limits = { ...PROVIDER_LIMITS, perContentMax: 32, answeredMax: 16, perPeerMax: 50, recordsMax: 400 }
    const guard = createProviderGuard({
      ...{ datastore, prefix: '/dht', ownPeerId: 'self', limits },
      clock: { nowMs: () => nowMs },
      isKnown: async () => await Promise.resolve(true),
      book: createAnnouncementBook({ datastore, prefix: '/dht' })
    })
    const contents = Array.from({ length: 20 }, (_, index) => base32.baseEncode(keyOf(`content ${index}`)))
    const add = async (content: string, peerId: string): Promise<boolean> => {
      nowMs += 1
      const time = varint.encodeTo(nowMs, new Uint8Array(varint.encodingLength(nowMs)))
      return await guard.put(new Key(`/dht/provider/${content}/${peerId}`), time).then(
        () => true,
        () => false
      )
    }
    const named = async (content: string): Promise<string[]> =>
      (await Array.fromAsync(guard.query({ prefix: `/dht/provider/${content}` }))).map(
        ({ key }) => key.toString().split('/').at(-1) ?? ''
      )
    const [first = '', second = ''] = contents
    assert.ok(await add(first, 'honest'))
    // many peers, few contents: then few peers, many contents; questions all along
    let taken = 0
    for (let count = 0; count < 1_500; count += 1) {
      const isTaken = await add(count % 3 === 0 ? second : first, `sybil${count}`)
      if (isTaken) taken += 1
      if (count % 50 === 0) assert.ok((await named(first)).length <= limits.answeredMax)
    }
    assert.ok(taken > 100)
    for (let count = 0; count < 300; count += 1) await add(contents[count % 20] ?? '', 'glutton')
    const records = (await Array.fromAsync(datastore.queryKeys({ prefix: '/dht/provider/' }))).map(String)
    assert.ok(records.length <= limits.recordsMax, String(records.length))
    for (const content of contents) {
      const held = records.filter((key) => key.includes(content)).length
      assert.ok(held <= limits.perContentMax, String(held))
    }
    assert.ok(records.filter((key) => key.endsWith('/glutton')).length <= limits.perPeerMax)
    assert.ok((await named(first)).includes('honest'))
    await datastore.close()
    await rm(folder, { recursive: true })
  })
})
