import assert from 'node:assert/strict'
import { lstat, readdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { CID } from 'multiformats/cid'
import { cidOf, RAW_CODEC } from '#content'
import type { GetProgress } from '#content'
import { READ_AHEAD_BLOCKS } from '../../../content/constants.ts'
import { createTemporaryFolder } from '../../support/temporary-folder.ts'
import { createVirtualClock } from '../../support/virtual-clock.ts'
import { bytesOf, fakeExchange, startFixture, utf8 } from './fixture.ts'

const MIB = 1024 * 1024

describe('getting', () => {
  it('writes a folder of another node byte for byte, and a second get fetches nothing', async () => {
    await using folder = await createTemporaryFolder()
    await using source = await startFixture()
    const large = bytesOf(5 * MIB + 3)
    const { cid } = await source.content.addFiles([
      { path: 'large', content: large },
      { path: 'sub/small', content: utf8('small') },
      { path: 'sub/deep/empty', content: new Uint8Array() }
    ])
    const exchange = fakeExchange([source.peer])
    await using node = await startFixture({ exchange })
    const seen: GetProgress[] = []
    const output = join(folder.path, 'out')
    const got = await node.content.get(cid.toString(), {
      output,
      onProgress: (progress) => seen.push(progress)
    })
    assert.deepEqual(await readFile(join(output, 'large')), Buffer.from(large))
    assert.equal(await readFile(join(output, 'sub', 'small'), 'utf8'), 'small')
    assert.equal((await lstat(join(output, 'sub', 'deep', 'empty'))).size, 0)
    assert.deepEqual(
      [got.files, got.bytes, got.blocksFetched],
      [3, large.length + 5, exchange.fetched.length]
    )
    assert.deepEqual(await readdir(folder.path), ['out'])
    assert.deepEqual([seen.at(-1)?.files, seen.at(-1)?.bytes], [3, large.length + 5])
    assert.ok((seen.at(-1)?.bytesTotal ?? 0) >= large.length + 5)
    const again = await node.content.get(`ipfs://${cid.toString()}/sub/small`, {
      output: join(folder.path, 'small')
    })
    assert.equal(again.blocksFetched, 0)
    assert.equal(await readFile(join(folder.path, 'small'), 'utf8'), 'small')
  })

  it('keeps what it fetched as a cache that it neither serves nor announces; a pin does both', async () => {
    await using folder = await createTemporaryFolder()
    await using source = await startFixture()
    const { cid } = await source.content.addFiles([{ path: 'a', content: bytesOf(2 * MIB) }])
    await using node = await startFixture({ exchange: fakeExchange([source.peer]) })
    await node.content.get(cid.toString(), { output: join(folder.path, 'out') })
    const third = fakeExchange([node.peer])
    await using reader = await startFixture({ exchange: third }, { findTimeoutMs: 1 })
    assert.equal(await node.content.mayServe(cid, 'anybody'), false)
    assert.deepEqual(node.provided, [])
    await assert.rejects(reader.content.read(cid, 'a', { bytesMax: 3 * MIB }), { name: 'ContentError' })
    await node.content.pin(cid)
    assert.deepEqual(node.provided, [cid.toString()])
    assert.equal((await reader.content.read(cid, 'a', { bytesMax: 3 * MIB })).length, 2 * MIB)
  })

  it('goes on where it was interrupted: only what is missing is fetched again', async () => {
    await using folder = await createTemporaryFolder()
    await using source = await startFixture()
    const { cid } = await source.content.addFiles([{ path: 'large', content: bytesOf(40 * MIB) }])
    const stop = new AbortController()
    const first = fakeExchange([source.peer], {
      before: (_cid, count) => {
        if (count === 25) stop.abort(new Error('interrupted'))
      }
    })
    const output = join(folder.path, 'out')
    const datastore = await (async () => {
      await using node = await startFixture({ exchange: first, blocks: join(folder.path, 'blocks') })
      await assert.rejects(node.content.get(cid.toString(), { output, signal: stop.signal }), {
        message: 'interrupted'
      })
      assert.deepEqual((await readdir(folder.path)).sort(), ['blocks'])
      return node.datastore
    })()
    const second = fakeExchange([source.peer])
    await using node = await startFixture({
      exchange: second,
      blocks: join(folder.path, 'blocks'),
      datastore
    })
    // A collection in between must not take what the interrupted get has brought.
    await node.content.gc()
    const got = await node.content.get(cid.toString(), { output })
    assert.equal(new Set([...first.fetched, ...second.fetched]).size, 42)
    assert.equal(first.fetched.length + second.fetched.length, 42)
    assert.equal(got.blocksFetched, second.fetched.length)
    assert.ok(second.fetched.length <= 17, `fetched ${second.fetched.length} again`)
    assert.equal(got.bytes, 40 * MIB)
    // Once it is whole it is ordinary cache.
    assert.equal((await node.content.gc()).blocksKept, 0)
  })

  it('reads ahead, but no further than its bound', async () => {
    await using folder = await createTemporaryFolder()
    await using source = await startFixture()
    const files = Array.from({ length: 100 }, (_, index) => ({
      path: `${index}`,
      content: utf8(`file ${index}`)
    }))
    const { cid } = await source.content.addFiles(files)
    const exchange = fakeExchange([source.peer], {
      before: async () => await new Promise((resolve) => setImmediate(resolve))
    })
    await using node = await startFixture({ exchange })
    await node.content.get(cid.toString(), { output: join(folder.path, 'out') })
    assert.equal(exchange.mostAtOnce(), READ_AHEAD_BLOCKS)
  })

  it('refuses a wrong block and keeps nothing of it', async () => {
    await using folder = await createTemporaryFolder()
    await using source = await startFixture()
    const { cid } = await source.content.addFiles([{ path: 'a', content: bytesOf(3 * MIB) }])
    const exchange = fakeExchange([source.peer], {
      change: (block, bytes) => (block.code === RAW_CODEC ? bytes.with(7, (bytes[7] ?? 0) ^ 1) : bytes)
    })
    await using node = await startFixture({ exchange })
    await assert.rejects(node.content.get(cid.toString(), { output: join(folder.path, 'out') }), {
      code: 'ERR_BLOCK_MISMATCH'
    })
    assert.deepEqual(await readdir(folder.path), [])
    const leaves = exchange.fetched.map((text) => CID.parse(text)).filter(({ code }) => code === RAW_CODEC)
    assert.ok(leaves.length > 0)
    for (const leaf of leaves) assert.equal(await node.store.has(leaf), false)
  })

  it('fetches a block again that is corrupt on disk; alone it says so', async () => {
    await using folder = await createTemporaryFolder()
    await using source = await startFixture()
    const content = bytesOf(3 * MIB)
    const { cid } = await source.content.addFiles([{ path: 'a', content }])
    const blocks = join(folder.path, 'blocks')
    const exchange = fakeExchange([source.peer])
    await using node = await startFixture({ exchange, blocks })
    await node.content.pin(cid)
    const leaf = cidOf(RAW_CODEC, content.subarray(0, MIB))
    const damage = async (): Promise<void> => {
      for (const name of await readdir(join(blocks, 'packs'))) {
        const path = join(blocks, 'packs', name)
        const pack = await readFile(path)
        // The newest copy of it is the last one.
        const at = pack.lastIndexOf(leaf.multihash.digest)
        if (!name.endsWith('.pack') || at < 0) continue
        pack.fill(0, at + 100, at + 200)
        await writeFile(path, pack)
      }
    }
    await damage()
    exchange.fetched.length = 0
    assert.deepEqual(
      Buffer.from(await node.content.read(cid, 'a', { bytesMax: 3 * MIB })),
      Buffer.from(content)
    )
    assert.deepEqual(exchange.fetched, [leaf.toString()])
    await damage()
    await using alone = await startFixture({ blocks, datastore: node.datastore })
    // It opens the store as after a crash, and leaves out what does not hash.
    const reading = alone.content.read(cid, 'a', { bytesMax: 3 * MIB })
    await assert.rejects(reading, { code: 'ERR_CONTENT_NOT_FOUND' })
  })

  it('never replaces what is there unless forced, and then only by something whole', async () => {
    await using folder = await createTemporaryFolder()
    await using node = await startFixture()
    const file = await node.content.addFiles([{ path: 'f', content: utf8('new') }])
    const output = join(folder.path, 'out')
    await writeFile(output, 'old')
    await assert.rejects(node.content.get(`${file.cid.toString()}/f`, { output }), {
      code: 'ERR_OUTPUT_EXISTS'
    })
    await assert.rejects(node.content.get(`${file.cid.toString()}/g`, { output, force: true }), {
      code: 'ERR_ENTRY_NOT_FOUND'
    })
    assert.equal(await readFile(output, 'utf8'), 'old')
    await node.content.get(`${file.cid.toString()}/f`, { output, force: true })
    assert.equal(await readFile(output, 'utf8'), 'new')
    await node.content.get(file.cid.toString(), { output, force: true })
    assert.equal(await readFile(join(output, 'f'), 'utf8'), 'new')
    await node.content.get(file.cid.toString(), { output, force: true })
    await node.content.get(`${file.cid.toString()}/f`, { output, force: true })
    assert.equal(await readFile(output, 'utf8'), 'new')
    assert.deepEqual(await readdir(folder.path), ['out'])
  })

  it('replaces a link, not what it points to', async () => {
    await using folder = await createTemporaryFolder()
    await using node = await startFixture()
    const { cid } = await node.content.addFiles([{ path: 'f', content: utf8('new') }])
    await writeFile(join(folder.path, 'target'), 'precious')
    await symlink('target', join(folder.path, 'out'))
    const output = join(folder.path, 'out')
    await assert.rejects(node.content.get(`${cid.toString()}/f`, { output }), { code: 'ERR_OUTPUT_EXISTS' })
    await node.content.get(`${cid.toString()}/f`, { output, force: true })
    assert.equal(await readFile(join(folder.path, 'target'), 'utf8'), 'precious')
  })

  it('refuses outputs it cannot write to before it fetches anything', async () => {
    await using folder = await createTemporaryFolder()
    const exchange = fakeExchange([])
    await using node = await startFixture({ exchange })
    const cid = cidOf(RAW_CODEC, utf8('x')).toString()
    await assert.rejects(node.content.get(cid, { output: 'relative' }), { code: 'ERR_PATH_INVALID' })
    await assert.rejects(node.content.get(cid, { output: join(folder.path, 'no', 'such') }), {
      code: 'ERR_PATH_NOT_FOUND'
    })
    await assert.rejects(node.content.get('nonsense', { output: folder.path }), { code: 'ERR_CID_INVALID' })
  })

  it('refuses what is on the deny list, also below a root that is not', async () => {
    await using folder = await createTemporaryFolder()
    await using source = await startFixture()
    const leaf = cidOf(RAW_CODEC, utf8('denied')).toString()
    const { cid } = await source.content.addFiles([{ path: 'a', content: utf8('denied') }])
    const exchange = fakeExchange([source.peer])
    await using node = await startFixture({ exchange, isDenied: (block) => block.toString() === leaf })
    const output = join(folder.path, 'out')
    await assert.rejects(node.content.get(cid.toString(), { output }), { code: 'ERR_CONTENT_DENIED' })
    await assert.rejects(node.content.get(leaf, { output }), { code: 'ERR_CONTENT_DENIED' })
    await assert.rejects(node.content.pin(cid), { code: 'ERR_CONTENT_DENIED' })
    assert.ok(!exchange.fetched.includes(leaf))
  })

  it('lets one get at a time write to an output', async () => {
    await using folder = await createTemporaryFolder()
    await using source = await startFixture()
    const { cid } = await source.content.addFiles([{ path: 'a', content: utf8('a') }])
    const held = Promise.withResolvers<undefined>()
    const exchange = fakeExchange([source.peer], { before: async () => await held.promise })
    await using node = await startFixture({ exchange })
    const output = join(folder.path, 'out')
    const first = node.content.get(cid.toString(), { output })
    await assert.rejects(node.content.get(cid.toString(), { output }), { code: 'ERR_OUTPUT_BUSY' })
    held.resolve(undefined)
    await first
  })

  it('ends what runs when the node stops', async () => {
    await using folder = await createTemporaryFolder()
    const node = await startFixture({ exchange: fakeExchange([]) })
    const getting = node.content.get(cidOf(RAW_CODEC, utf8('x')).toString(), {
      output: join(folder.path, 'out')
    })
    const ended = assert.rejects(getting, { code: 'ERR_CONTENT_CLOSED' })
    await node[Symbol.asyncDispose]()
    await ended
    await assert.rejects(node.content.gc(), { code: 'ERR_CONTENT_CLOSED' })
    assert.deepEqual(await readdir(folder.path), [])
  })
})

describe('listing', () => {
  it('that a caller has walked away from does not keep the node from stopping', async () => {
    const node = await startFixture()
    const { cid } = await node.content.addFiles(
      ['a', 'b', 'c'].map((path) => ({ path, content: utf8(path) }))
    )
    const listing = node.content.list(cid, '')[Symbol.asyncIterator]()
    const first = await listing.next()
    assert.deepEqual(first.done, false)
    await node[Symbol.asyncDispose]()
  })

  it('says what is in a folder without fetching what is in its files', async () => {
    await using source = await startFixture()
    const { cid } = await source.content.addFiles([
      { path: 'large', content: bytesOf(3 * MIB) },
      { path: 'small', content: utf8('small') },
      { path: 'sub/deep', content: utf8('deep') }
    ])
    const exchange = fakeExchange([source.peer])
    await using node = await startFixture({ exchange })
    const entries = await Array.fromAsync(node.content.list(cid, ''))
    assert.deepEqual(
      entries.map(({ kind, name, bytes }) => [kind, name, kind === 'file' ? bytes : undefined]),
      [
        ['file', 'large', 3 * MIB],
        ['file', 'small', 5],
        ['folder', 'sub', undefined]
      ]
    )
    assert.equal(exchange.fetched.length, 3)
    const [file] = await Array.fromAsync(node.content.list(cid, 'sub/deep'))
    assert.deepEqual([file?.kind, file?.name, file?.bytes], ['file', 'deep', 4])
    await assert.rejects(Array.fromAsync(node.content.list(cid, 'small/x')), { code: 'ERR_NOT_A_FOLDER' })
    await assert.rejects(Array.fromAsync(node.content.list(cid, '../x')), { code: 'ERR_PATH_INVALID' })
  })
})

describe('a search without result', () => {
  const cid = cidOf(RAW_CODEC, utf8('nobody has this'))

  for (const [name, code, report] of [
    ['nobody provides it', 'ERR_CONTENT_NO_PROVIDERS', {}],
    ['peers were asked but none said it had it', 'ERR_CONTENT_NO_PROVIDERS', { peersAsked: 5 }],
    ['who has it cannot be reached', 'ERR_PROVIDER_UNREACHABLE', { providersFound: 2, peersUnreachable: 2 }],
    [
      'who has it does not give it',
      'ERR_CONTENT_NOT_FOUND',
      { providersFound: 2, peersAsked: 1, peersUnreachable: 1 }
    ],
    ['content routing is off', 'ERR_ROUTING_OFF', { hasRouting: false, peersAsked: 3 }]
  ] as const) {
    it(`ends at its deadline with ${code} when ${name}`, async () => {
      const clock = createVirtualClock()
      await using node = await startFixture(
        { clock, exchange: fakeExchange([], { report }) },
        { findTimeoutMs: 5000 }
      )
      const ended = assert.rejects(node.content.read(cid, '', { bytesMax: 100 }), { code })
      await clock.advance(5000)
      await ended
    })
  }

  it('says that it stalled when blocks came and then none', async () => {
    const clock = createVirtualClock()
    await using source = await startFixture()
    const { cid: root } = await source.content.addFiles([{ path: 'a', content: utf8('a') }])
    await source.store.delete(cidOf(RAW_CODEC, utf8('a')))
    await using node = await startFixture(
      { clock, exchange: fakeExchange([source.peer]) },
      { stallTimeoutMs: 7000 }
    )
    const ended = assert.rejects(node.content.read(root, 'a', { bytesMax: 100 }), {
      code: 'ERR_CONTENT_STALLED'
    })
    await clock.advance(7000)
    await ended
  })

  it('says at once what is not here when there is nobody to ask', async () => {
    await using node = await startFixture()
    await assert.rejects(node.content.read(cid, '', { bytesMax: 100 }), { code: 'ERR_CONTENT_NOT_FOUND' })
  })
})
