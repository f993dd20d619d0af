import assert from 'node:assert/strict'
import { readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as dagCbor from '@ipld/dag-cbor'
import * as dagPb from '@ipld/dag-pb'
import { CID } from 'multiformats/cid'
import * as Digest from 'multiformats/hashes/digest'
import { cidOf, createMemoryBlockStore, DAG_PB_CODEC, RAW_CODEC } from '#content'
import type { CarImport } from '#content'
import { encodeCarHeader, encodeSectionHead, encodeV2Head } from '../../../content/car/car-format.ts'
import { BLOCK_BYTES_MAX } from '../../../content/constants.ts'
import { createTemporaryFolder } from '../../support/temporary-folder.ts'
import { bytesOf, fakeExchange, startFixture, utf8 } from './fixture.ts'
import { flip } from './pack-store.ts'
import type { Fixture } from './fixture.ts'

const FILES = [
  { path: 'large', content: bytesOf(3_500_000) },
  { path: 'again', content: bytesOf(3_500_000) },
  { path: 'sub/small', content: utf8('small') },
  { path: 'sub/empty', content: new Uint8Array() }
]

function section(cid: CID, bytes: Uint8Array): Uint8Array {
  return Buffer.concat([encodeSectionHead(cid, bytes.length), bytes])
}

function carOf(roots: readonly CID[], blocks: readonly (readonly [CID, Uint8Array])[]): Buffer {
  return Buffer.concat([encodeCarHeader(roots), ...blocks.map(([cid, bytes]) => section(cid, bytes))])
}

async function importBytes(node: Fixture, car: Uint8Array): Promise<CarImport> {
  await using folder = await createTemporaryFolder()
  await writeFile(join(folder.path, 'f.car'), car)
  return await node.content.repo.importCar(join(folder.path, 'f.car'))
}

const hello = utf8('hello')
const helloCid = cidOf(RAW_CODEC, hello)

describe('a CAR', () => {
  for (const version of [1, 2] as const) {
    it(`of version ${version} brings a whole folder to another node, each block once`, async () => {
      await using folder = await createTemporaryFolder()
      await using from = await startFixture()
      await using to = await startFixture()
      const { cid } = await from.content.addFiles(FILES)
      const output = join(folder.path, 'f.car')
      const exported = await from.content.repo.exportCar(cid.toString(), { output, version })
      assert.deepEqual(
        [exported.cid.toString(), exported.blocks, exported.missing, exported.bytes],
        [cid.toString(), from.store.stat().blocks, 0, (await stat(output)).size]
      )
      assert.deepEqual(await readdir(folder.path), ['f.car'])
      const imported = await to.content.repo.importCar(output, { private: true, name: 'carried' })
      assert.deepEqual([imported.version, imported.blocks], [version, exported.blocks])
      assert.deepEqual(
        imported.roots.map(({ cid: root, missing, isPinned }) => [root.toString(), missing, isPinned]),
        [[cid.toString(), 0, true]]
      )
      const [pin] = await Array.fromAsync(to.content.pins())
      assert.deepEqual([pin?.isPublic, pin?.name], [false, 'carried'])
      await to.content.gc()
      for (const { path, content } of FILES) {
        const read = await to.content.read(cid, path, { bytesMax: 4_000_000 })
        assert.ok(Buffer.from(read).equals(content), path)
      }
    })
  }

  it('of a path has only what is below it; what exists is not replaced unless forced', async () => {
    await using folder = await createTemporaryFolder()
    await using from = await startFixture()
    const { cid } = await from.content.addFiles(FILES)
    const output = join(folder.path, 'f.car')
    const { blocks } = await from.content.repo.exportCar(`${cid.toString()}/sub`, { output })
    assert.equal(blocks, 3)
    await assert.rejects(from.content.repo.exportCar(cid.toString(), { output }), {
      code: 'ERR_OUTPUT_EXISTS'
    })
    await from.content.repo.exportCar(cid.toString(), { output, force: true })
    assert.ok((await stat(output)).size > 3_500_000)
  })

  it('that is partial leaves out what is not here; its root is not kept until the rest came', async () => {
    await using folder = await createTemporaryFolder()
    await using from = await startFixture()
    const { cid } = await from.content.addFiles(FILES)
    const leaf = cidOf(RAW_CODEC, bytesOf(3_500_000).subarray(0, 1024 * 1024))
    await from.store.delete(leaf)
    const output = join(folder.path, 'f.car')
    await assert.rejects(from.content.repo.exportCar(cid.toString(), { output }), {
      code: 'ERR_CONTENT_NOT_FOUND'
    })
    assert.deepEqual(await readdir(folder.path), [])
    const { missing } = await from.content.repo.exportCar(cid.toString(), { output, partial: true })
    assert.equal(missing, 1)
    await using whole = await startFixture()
    await whole.content.addFiles(FILES)
    const exchange = fakeExchange([whole.peer])
    await using to = await startFixture({ exchange })
    const { roots } = await to.content.repo.importCar(output)
    assert.deepEqual(
      roots.map((root) => [root.missing > 0, root.isPinned]),
      [[true, false]]
    )
    // What came is kept for the next try.
    assert.equal((await to.content.gc()).blocksRemoved, 0)
    await to.content.pin(cid)
    assert.deepEqual(exchange.fetched, [leaf.toString()])
  })

  it('whose blocks are a cache only is not kept', async () => {
    await using folder = await createTemporaryFolder()
    await using node = await startFixture()
    await writeFile(join(folder.path, 'f.car'), carOf([helloCid], [[helloCid, hello]]))
    const { roots } = await node.content.repo.importCar(join(folder.path, 'f.car'), { pin: false })
    assert.deepEqual(
      roots.map(({ missing, isPinned }) => [missing, isPinned]),
      [[0, false]]
    )
    assert.equal((await node.content.gc()).blocksRemoved, 1)
  })

  const good = carOf([helloCid], [[helloCid, hello]])
  const foreign = CID.createV1(0x0129, Digest.create(0x12, new Uint8Array(32)))
  const blake = CID.createV1(RAW_CODEC, Digest.create(0x1e, new Uint8Array(32)))
  const long = new Uint8Array(BLOCK_BYTES_MAX + 1)
  const hostile: Record<string, [Uint8Array, string]> = {
    nothing: [new Uint8Array(), 'ERR_CAR_INVALID'],
    noise: [bytesOf(5000, 7), 'ERR_CAR_INVALID'],
    'a header cut off': [good.subarray(0, 20), 'ERR_CAR_INVALID'],
    'a block cut off': [good.subarray(0, -2), 'ERR_CAR_INVALID'],
    'a length cut off': [Buffer.concat([good, Uint8Array.of(0x80)]), 'ERR_CAR_INVALID'],
    'a length without end': [Buffer.concat([good, new Uint8Array(20).fill(0x80)]), 'ERR_CAR_INVALID'],
    'an empty section': [Buffer.concat([good, new Uint8Array(8)]), 'ERR_CAR_INVALID'],
    'a header larger than any': [Uint8Array.of(0xff, 0xff, 0xff, 0x7f, 1), 'ERR_CAR_INVALID'],
    'another version': [
      Buffer.concat([Uint8Array.of(10), dagCbor.encode({ version: 3 })]),
      'ERR_CAR_INVALID'
    ],
    'no root': [carOf([], [[helloCid, hello]]), 'ERR_CAR_INVALID'],
    'too many roots': [
      carOf(
        Array.from({ length: 300 }, () => helloCid),
        []
      ),
      'ERR_CAR_INVALID'
    ],
    'roots that are no CIDs': [
      Buffer.concat([Uint8Array.of(21), dagCbor.encode({ roots: ['a'], version: 1 })]),
      'ERR_CAR_INVALID'
    ],
    'a block that is another': [carOf([helloCid], [[helloCid, utf8('other')]]), 'ERR_BLOCK_MISMATCH'],
    'a block too large': [carOf([helloCid], [[cidOf(RAW_CODEC, long), long]]), 'ERR_BLOCK_TOO_LARGE'],
    'a length of gigabytes': [
      Buffer.concat([encodeCarHeader([helloCid]), Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0x0f)]),
      'ERR_BLOCK_TOO_LARGE'
    ],
    'a codec that is not handled': [carOf([foreign], []), 'ERR_CID_UNSUPPORTED'],
    'a hash that is not handled': [carOf([helloCid], [[blake, hello]]), 'ERR_CID_UNSUPPORTED'],
    'version 2 whose data lies outside': [
      Buffer.concat([encodeV2Head(good.length + 1), good]),
      'ERR_CAR_INVALID'
    ],
    'version 2 within version 2': [
      Buffer.concat([encodeV2Head(good.length + 51), encodeV2Head(good.length), good]),
      'ERR_CAR_INVALID'
    ],
    'version 2 without data': [encodeV2Head(0), 'ERR_CAR_INVALID'],
    'a root that is no dag-pb': [
      carOf(
        [cidOf(DAG_PB_CODEC, bytesOf(100, 3))],
        [[cidOf(DAG_PB_CODEC, bytesOf(100, 3)), bytesOf(100, 3)]]
      ),
      'ERR_DAG_MALFORMED'
    ]
  }
  for (const [name, [bytes, code]] of Object.entries(hostile)) {
    it(`is refused with a code: ${name}`, async () => {
      await using node = await startFixture()
      await assert.rejects(importBytes(node, bytes), { code })
      assert.deepEqual(await Array.fromAsync(node.content.pins()), [])
    })
  }

  it('is refused for what is on the deny list, and for what is no file', async () => {
    await using folder = await createTemporaryFolder()
    await using node = await startFixture({ isDenied: (cid) => cid.equals(helloCid) })
    await assert.rejects(importBytes(node, good), { code: 'ERR_CONTENT_DENIED' })
    const { repo } = node.content
    await assert.rejects(repo.importCar(folder.path), { code: 'ERR_NOT_A_FILE' })
    await assert.rejects(repo.importCar(join(folder.path, 'none')), { code: 'ERR_PATH_NOT_FOUND' })
    await assert.rejects(repo.importCar('relative'), { code: 'ERR_PATH_INVALID' })
  })

  it('that is garbled anywhere ends in a code or in right blocks', async () => {
    await using folder = await createTemporaryFolder()
    await using node = await startFixture()
    const node1 = dagPb.encode(dagPb.prepare({ Links: [{ Name: '', Hash: helloCid, Tsize: 5 }] }))
    const root = cidOf(DAG_PB_CODEC, node1)
    const whole = carOf(
      [root],
      [
        [root, node1],
        [helloCid, hello]
      ]
    )
    for (const car of [whole, Buffer.concat([encodeV2Head(whole.length), whole])]) {
      for (let at = 0; at < car.length; at++) {
        const garbled = Buffer.from(car)
        garbled[at] = (garbled[at] ?? 0) ^ (1 << (at % 8))
        const path = join(folder.path, 'f.car')
        await writeFile(path, garbled)
        await node.content.repo.importCar(path, { private: true }).catch((thrown: unknown) => {
          assert.match(
            String((thrown as { code?: unknown }).code),
            /^ERR_(CAR|CID|BLOCK|DAG)_/,
            String(thrown)
          )
        })
      }
    }
    assert.deepEqual((await node.content.repo.verify()).corrupt, [])
  })
})

describe('the store as its owner looks after it', () => {
  it('says what it holds, and finds what is corrupt and what is missing', async () => {
    await using folder = await createTemporaryFolder()
    const blocks = join(folder.path, 'blocks')
    await using node = await startFixture({ blocks })
    const { repo } = node.content
    const { cid } = await node.content.addFiles(FILES, { name: 'files' })
    const before = repo.stat()
    assert.deepEqual([before.blocks, before.pins, before.packs], [9, 1, 1])
    assert.equal(before.bytesOnDisk, before.bytes + 8)
    const sound = await repo.verify()
    assert.deepEqual([sound.blocks, sound.pins, sound.corrupt, sound.incomplete], [9, 1, [], []])
    const [pack = ''] = (await readdir(join(blocks, 'packs'))).filter((name) => name.endsWith('.pack'))
    const path = join(blocks, 'packs', pack)
    await flip(path, (await readFile(path)).indexOf(cidOf(RAW_CODEC, utf8('small')).multihash.digest) + 37)
    const found = await repo.verify()
    assert.deepEqual(found.corrupt.map(String), [cidOf(RAW_CODEC, utf8('small')).toString()])
    assert.deepEqual(
      found.incomplete.map((pin) => [pin.cid.toString(), pin.name, pin.missing]),
      [[cid.toString(), 'files', 1]]
    )
    await node.content.addFiles(FILES)
    assert.deepEqual((await repo.verify()).incomplete, [])
  })

  it('ends a verification that is told to while it walks a pin', async () => {
    const store = createMemoryBlockStore()
    const abort = new AbortController()
    let reads = 0
    await using node = await startFixture({ blocks: store })
    await node.content.addFiles(FILES)
    const get = store.get.bind(store)
    store.get = async (cid) => {
      reads++
      abort.abort(new Error('enough'))
      return await get(cid)
    }
    await assert.rejects(node.content.repo.verify({ signal: abort.signal }), { message: 'enough' })
    assert.equal(reads, 1)
  })

  it('gives the disk back when a pin goes', async () => {
    await using folder = await createTemporaryFolder()
    await using node = await startFixture({ blocks: join(folder.path, 'blocks') })
    const kept = await node.content.addFiles([{ path: 'kept', content: bytesOf(2_000_000, 5) }])
    const { cid } = await node.content.addFiles(FILES)
    await node.content.unpin(cid)
    const { bytesFreed } = await node.content.gc()
    assert.ok(bytesFreed > 3_500_000, String(bytesFreed))
    assert.ok(node.content.repo.stat().bytesOnDisk < 2_010_000)
    assert.equal((await node.content.read(kept.cid, 'kept', { bytesMax: 2_000_000 })).length, 2_000_000)
  })
})
