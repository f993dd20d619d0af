import assert from 'node:assert/strict'
import { MemoryDatastore } from 'datastore-core'
import { Key } from 'interface-datastore'
import { varint } from 'multiformats'
import { base32 } from 'multiformats/bases/base32'
import { createAnnouncementBook } from '../../../dht/provide/announcement-book.ts'
import type { Announcement } from '../../../dht/provide/announcement-book.ts'
import { contentKey, createProviderGuard } from '../../../dht/provider-guard.ts'
import type { ProviderGuard } from '../../../dht/provider-guard.ts'
import { cidOf } from '../../support/memory-names.ts'

const HOUR_MS = 3_600_000
const LIMITS = { perContentMax: 3, perPeerMax: 2, recordsMax: 5, answeredMax: 2 }
const FILM = contentKey(await cidOf('film'))
const SONG = contentKey(await cidOf('song'))

describe('provider guard', () => {
  let nowMs = 1_800_000_000_000
  let forgotten: string[] = []
  let datastore: MemoryDatastore
  let guard: ProviderGuard

  const create = (): ProviderGuard =>
    createProviderGuard({
      datastore,
      prefix: '/dht',
      ownPeerId: 'self',
      clock: { nowMs: () => nowMs },
      isKnown: async (peerId) => await Promise.resolve(!forgotten.includes(peerId)),
      limits: LIMITS,
      book: createAnnouncementBook({ datastore, prefix: '/dht' })
    })
  const own = async (): Promise<Announcement[]> =>
    await Array.fromAsync(createAnnouncementBook({ datastore, prefix: '/dht' }).within(''))
  const ownContents = async (): Promise<string[]> =>
    (await own()).map(({ multihash }) => base32.baseEncode(multihash))
  const add = async (content: string, peerId: string): Promise<Key> => {
    const time = varint.encodeTo(nowMs, new Uint8Array(varint.encodingLength(nowMs)))
    nowMs += 1
    return await guard.put(new Key(`/dht/provider/${content}/${peerId}`), time)
  }
  const answer = async (content: string): Promise<string[]> => {
    const pairs = await Array.fromAsync(guard.query({ prefix: `/dht/provider/${content}` }))
    return pairs.map(({ key }) => key.toString().split('/').at(-1) ?? '')
  }

  beforeEach(() => {
    nowMs = 1_800_000_000_000
    forgotten = []
    datastore = new MemoryDatastore()
    guard = create()
  })

  it('covers provider records and nothing else', () => {
    assert.equal(guard.covers(new Key('/dht/provider/a/b')), true)
    assert.equal(guard.covers(new Key('/dht/record/a')), false)
    assert.equal(guard.covers(new Key('/dht/providers/a')), false)
  })

  it('answers with the first and the newest within a bound, and with none that ran out', async () => {
    for (const peerId of ['a', 'b', 'c']) await add(FILM, peerId)
    assert.deepEqual(await answer(FILM), ['c', 'a'])
    nowMs += 24 * HOUR_MS
    await add(FILM, 'a')
    assert.deepEqual(await answer(FILM), ['a', 'c'])
    nowMs += 24 * HOUR_MS
    assert.deepEqual(await answer(FILM), ['a'])
    nowMs += 24 * HOUR_MS
    assert.deepEqual(await answer(FILM), [])
  })

  it('keeps what is announced again while what has run out is deleted', async () => {
    for (const peerId of ['a', 'b']) await add(FILM, peerId)
    nowMs += 49 * HOUR_MS
    const query = datastore.query.bind(datastore)
    // as a store that reads from a snapshot: what it read is older than what is there
    datastore.query = async function* (...args) {
      const pairs = await Array.fromAsync(query(...args))
      await add(FILM, 'a')
      yield* pairs
    }
    assert.equal(await guard.sweep(), 1)
    datastore.query = query
    assert.deepEqual(await answer(FILM), ['a'])
  })

  it('leaves out a peer whose addresses were forgotten instead of failing', async () => {
    for (const peerId of ['a', 'b']) await add(FILM, peerId)
    forgotten = ['b']
    assert.deepEqual(await answer(FILM), ['a'])
  })

  it('keeps a bounded number for each content: who was heard of longest ago makes room', async () => {
    for (const peerId of ['a', 'b', 'c']) await add(FILM, peerId)
    await add(FILM, 'a')
    await add(FILM, 'd')
    const held = await Array.fromAsync(datastore.queryKeys({ prefix: '/dht/provider' }))
    assert.deepEqual(
      held
        .map(String)
        .map((key) => key.at(-1))
        .toSorted(),
      ['a', 'c', 'd']
    )
  })

  it('refuses more than its quota from one peer and more than it holds from all, but nothing of its own', async () => {
    const contents = await Promise.all(
      ['1', '2', '3', '4'].map(async (text) => contentKey(await cidOf(text)))
    )
    const [one = '', two = '', three = '', four = ''] = contents
    await add(one, 'a')
    await add(two, 'a')
    await assert.rejects(add(three, 'a'), { code: 'ERR_DHT_NOT_STORED' })
    await add(two, 'a')
    // counted anew after a restart
    guard = create()
    await assert.rejects(add(three, 'a'), { code: 'ERR_DHT_NOT_STORED' })
    for (const peerId of ['b', 'c']) await add(three, peerId)
    await add(four, 'b')
    await assert.rejects(add(four, 'd'), { code: 'ERR_DHT_NOT_STORED' })
    for (const content of contents) await add(content, 'self')
  })

  it('sweeps what ran out, and makes room by it, but keeps its own for announcing again', async () => {
    for (const peerId of ['a', 'b']) await add(FILM, peerId)
    await add(FILM, 'self')
    await add(SONG, 'a')
    nowMs += 49 * HOUR_MS
    assert.equal(await guard.sweep(), 3)
    assert.deepEqual(await ownContents(), [FILM])
    await add(SONG, 'a')
    await add(FILM, 'a')
  })

  it('keeps in mind, over a restart, what is not to be announced again', async () => {
    const film = await cidOf('film')
    guard.setTransient(film, true)
    await add(FILM, 'self')
    await add(SONG, 'self')
    guard = create()
    assert.deepEqual(await ownContents(), [SONG])
    assert.deepEqual(await answer(FILM), ['self'])
    nowMs += 49 * HOUR_MS
    assert.equal(await guard.sweep(), 1)
    // the next announcement may say otherwise
    guard.setTransient(film, false)
    await add(FILM, 'self')
    assert.deepEqual((await ownContents()).toSorted(), [FILM, SONG].toSorted())
  })

  it('hides what was announced to nobody and offers it for announcing', async () => {
    await guard.markUnannounced(await cidOf('film'))
    assert.deepEqual(await answer(FILM), [])
    const [record] = await own()
    assert.equal(record?.announcedAtMs, 0)
  })

  it('a flood of others neither hides nor replaces who announced first', async () => {
    await add(FILM, 'honest')
    for (let count = 0; count < 20; count += 1) await add(FILM, `sybil${count}`)
    assert.deepEqual(await answer(FILM), ['sybil19', 'honest'])
    nowMs += 40 * HOUR_MS
    await add(FILM, 'honest')
    for (let count = 20; count < 40; count += 1) await add(FILM, `sybil${count}`)
    assert.deepEqual(await answer(FILM), ['sybil39', 'honest'])
    // who let it run out is a newcomer again
    nowMs += 49 * HOUR_MS
    await add(FILM, 'other')
    await add(FILM, 'honest')
    for (let count = 40; count < 60; count += 1) await add(FILM, `sybil${count}`)
    assert.deepEqual(await answer(FILM), ['sybil59', 'other'])
  })

  it('renews what is announced, tells who asks even when nobody took it, and forgets what was deleted', async () => {
    const film = await cidOf('film')
    const key = new Key(`/dht/provider/${FILM}/self`)
    assert.equal(await guard.renew(film.multihash.bytes, nowMs), false)
    await add(FILM, 'self')
    assert.equal(await guard.renew(film.multihash.bytes, 0), true)
    assert.deepEqual(await answer(FILM), ['self'])
    assert.equal((await own())[0]?.announcedAtMs, 0)
    await guard.delete(key)
    assert.equal(await guard.renew(film.multihash.bytes, nowMs), false)
    assert.deepEqual(await own(), [])
    assert.deepEqual(await answer(FILM), [])
  })

  it('reads a time it cannot decode as one that ran out', async () => {
    await datastore.put(new Key(`/dht/provider/${FILM}/a`), Uint8Array.of(0xff))
    assert.deepEqual(await answer(FILM), [])
    assert.equal(await guard.sweep(), 1)
  })
})
