import assert from 'node:assert/strict'
import { mkdir, readdir, readFile, readlink, symlink, writeFile } from 'node:fs/promises'
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { CID } from 'multiformats/cid'
import { cidOf, RAW_CODEC } from '#content'
import { decodeArchive, encodeArchive } from '../../../content/sealed/archive.ts'
import { openRecords, sealRecords } from '../../../content/sealed/records.ts'
import { splitLink } from '../../../content/sealed/link.ts'
import type { TreeEvent } from '../../../content/tree-reader.ts'
import invalid from '../../vectors/sealed/invalid.json' with { type: 'json' }
import valid from '../../vectors/sealed/valid.json' with { type: 'json' }
import { createTemporaryFolder } from '../../support/temporary-folder.ts'
import { bytesOf, fakeExchange, startFixture, utf8 } from './fixture.ts'

const MIB = 1024 * 1024
const RECORD = 64 * 1024
const KEY = bytesOf(32, 5)
const SALT = bytesOf(32, 6)
const LIMITS = { cid: cidOf(RAW_CODEC, utf8('any')), platform: '', bytesMax: MIB, entriesMax: 100 }

async function* chunked(...chunks: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  for (const chunk of chunks) yield await Promise.resolve(chunk)
}

async function whole(chunks: AsyncIterable<Uint8Array>): Promise<Buffer> {
  return Buffer.concat(await Array.fromAsync(chunks))
}

async function sealed(plain: Uint8Array): Promise<Buffer> {
  return await whole(sealRecords(chunked(plain), { key: KEY, salt: SALT }))
}

describe('sealed content', () => {
  it('is got by its link as it was added, from a node that keeps only what nobody can read', async () => {
    await using folder = await createTemporaryFolder()
    const tree = join(folder.path, 'tree')
    const large = bytesOf(3 * MIB + 17)
    await mkdir(join(tree, 'empty'), { recursive: true })
    await writeFile(join(tree, 'large'), large)
    await writeFile(join(tree, 'a secret name'), 'a secret text')
    await writeFile(join(tree, 'nothing'), '')
    await symlink('large', join(tree, 'link'))
    await using owner = await startFixture()
    const added = await owner.content.add(tree, { sealed: true })
    assert.ok(added.isPublic && added.link?.startsWith(`${added.cid.toString()}#`) === true)
    assert.deepEqual([added.files, added.bytes], [4, large.length + 13])

    await using keeper = await startFixture({ exchange: fakeExchange([owner.peer]) })
    await keeper.content.pin(added.cid)
    await using reader = await startFixture({ exchange: fakeExchange([keeper.peer]) })
    const output = join(folder.path, 'out')
    const got = await reader.content.get(added.link, { output })
    assert.deepEqual([got.files, got.bytes], [4, large.length + 13])
    assert.deepEqual((await readdir(output)).sort(), ['a secret name', 'empty', 'large', 'link', 'nothing'])
    assert.deepEqual(await readFile(join(output, 'large')), Buffer.from(large))
    assert.equal(await readFile(join(output, 'a secret name'), 'utf8'), 'a secret text')
    assert.equal(await readlink(join(output, 'link')), 'large')

    // what the keeper has says neither names nor texts
    const raw = join(folder.path, 'raw')
    await keeper.content.get(added.cid.toString(), { output: raw })
    const bytes = await readFile(raw)
    assert.equal(bytes.indexOf('secret'), -1)
    assert.equal(bytes.indexOf(Buffer.from(large.subarray(0, 64))), -1)
    assert.equal((bytes.length - 49) % (RECORD + 16), 0, 'its exact size can be seen')
    const link = `${added.cid.toString()}#${Buffer.from(bytesOf(32, 9)).toString('base64url')}`
    const wrong = join(folder.path, 'wrong')
    await assert.rejects(keeper.content.get(link, { output: wrong }), { code: 'ERR_SEALED_KEY' })
    assert.ok(!(await readdir(folder.path)).includes('wrong'), 'something was written')
  })

  it('gives each sealing a key of its own, and serves nobody the plain blocks, which a collection removes', async () => {
    const files = [{ path: 'a', content: utf8('the same') }]
    await using owner = await startFixture()
    const first = await owner.content.addFiles(files, { sealed: true })
    const second = await owner.content.addFiles(files, { sealed: true })
    assert.ok(!first.cid.equals(second.cid) && first.link?.split('#')[1] !== second.link?.split('#')[1])
    const plain = cidOf(RAW_CODEC, utf8('the same'))
    assert.equal(await owner.content.mayServe(plain, 'anybody'), false)
    assert.equal(await owner.content.mayServe(first.cid, 'anybody'), true)
    await owner.content.gc()
    assert.equal(await owner.content.localBlock(plain), undefined)
    assert.notEqual(await owner.content.localBlock(first.cid), undefined)
    const hidden = await owner.content.addFiles(files, { sealed: true, private: true })
    assert.equal(await owner.content.mayServe(hidden.cid, 'anybody'), false)
  })

  it('refuses what is not sealed, a part of it, and a key that is none without repeating it', async () => {
    await using folder = await createTemporaryFolder()
    await using node = await startFixture()
    const output = join(folder.path, 'out')
    const key = Buffer.from(KEY).toString('base64url')
    const { cid } = await node.content.addFiles([{ path: 'a', content: utf8('plain') }])
    const plain = node.content.get(`${cid.toString()}#${key}`, { output })
    await assert.rejects(plain, { code: 'ERR_SEALED_INVALID' })
    const { link = '' } = await node.content.addFiles([{ path: 'a', content: utf8('x') }], { sealed: true })
    await assert.rejects(node.content.get(link.replace('#', '/a#'), { output }), { code: 'ERR_PATH_INVALID' })
    const range = { offset: 0, length: 1 }
    await assert.rejects(node.content.get(link, { output, range }), { code: 'ERR_PATH_INVALID' })
    for (const bad of [key.slice(1), `${key}A`, `${key.slice(0, -1)}!`, '']) {
      await assert.rejects(node.content.get(`${cid.toString()}#${bad}`, { output }), (thrown: Error) => {
        assert.ok(bad === '' || !thrown.message.includes(bad))
        return 'code' in thrown && thrown.code === 'ERR_SEALED_KEY'
      })
    }
    await node.content.get(link, { output })
    assert.equal(await readFile(join(output, 'a'), 'utf8'), 'x')
  })

  it('notices every record that is changed, moved, left out, or cut off at the end', async () => {
    const bytes = await sealed(bytesOf(3 * RECORD, 2))
    const [head, box] = [49, RECORD + 16]
    const part = (index: number): Buffer => bytes.subarray(head + index * box, head + (index + 1) * box)
    const start = bytes.subarray(0, head)
    assert.equal((await whole(openRecords(chunked(bytes), KEY))).length, 3 * RECORD)
    const flipped = Buffer.from(bytes)
    flipped.writeUInt8(flipped.readUInt8(head + box + 7) ^ 1, head + box + 7)
    const hostile = {
      flipped,
      swapped: Buffer.concat([start, part(0), part(2), part(1)]),
      'left out': Buffer.concat([start, part(0), part(2)]),
      'cut off after a record': Buffer.concat([start, part(0), part(1)]),
      'cut off in a record': bytes.subarray(0, bytes.length - 1),
      longer: Buffer.concat([bytes, part(2)]),
      'of another salt': Buffer.concat([start.subarray(0, 17), bytesOf(32, 8), bytes.subarray(head)]),
      'without a record': start,
      nothing: Buffer.alloc(0)
    }
    for (const [name, changed] of Object.entries(hostile)) {
      await assert.rejects(whole(openRecords(chunked(changed), KEY)), { name: 'ContentError' }, name)
    }
  })

  it('agrees with the vectors', async () => {
    for (const { name, key, salt, archive, bytes, sha256, entries } of valid) {
      const plain = Buffer.from(archive, 'hex')
      const init = { key: Buffer.from(key, 'hex'), salt: Buffer.from(salt, 'hex') }
      const made = await whole(sealRecords(chunked(plain), init))
      assert.deepEqual([made.length, createHash('sha256').update(made).digest('hex')], [bytes, sha256], name)
      const pieces = [made.subarray(0, 10), made.subarray(10, 70_000), made.subarray(70_000)]
      const tree = decodeArchive(openRecords(chunked(...pieces), init.key), LIMITS)
      const events: TreeEvent[] = await Array.fromAsync(tree)
      assert.deepEqual(events.map(described), entries, name)
      const again = await whole(encodeArchive(replayed(events)))
      assert.deepEqual(again.toString('hex'), archive, name)
    }
  })

  it('refuses hostile archives, each as the vectors say', async () => {
    for (const { name, archive, code } of invalid) {
      const tree = decodeArchive(chunked(Buffer.from(archive, 'hex')), { ...LIMITS, bytesMax: 1_000 })
      await assert.rejects(Array.fromAsync(tree), { code }, name)
    }
    const longer = chunked(Buffer.from('01000000', 'hex'), new Uint8Array(2 * RECORD))
    await assert.rejects(Array.fromAsync(decodeArchive(longer, LIMITS)), { code: 'ERR_SEALED_INVALID' })
    const many = chunked(...Array.from({ length: 200 }, () => Buffer.from('0100016101', 'hex')))
    await assert.rejects(Array.fromAsync(decodeArchive(many, LIMITS)), { name: 'ContentError' })
  })

  it('takes the key off a link and leaves other paths as they are', () => {
    const text = `bafy/a#${Buffer.from(KEY).toString('base64url')}`
    assert.deepEqual(splitLink(text), { cidPath: 'bafy/a', key: KEY })
    assert.deepEqual(splitLink('bafy/a'), { cidPath: 'bafy/a', key: undefined })
  })
})

async function* replayed(events: readonly TreeEvent[]): AsyncGenerator<TreeEvent> {
  for (const event of events) yield await Promise.resolve(event)
}

function described(event: TreeEvent): string {
  if (event.kind === 'data') return `data ${Buffer.from(event.bytes).toString()}`
  assert.ok(event.cid instanceof CID)
  const path = `${event.kind} /${event.path.join('/')}`
  return event.kind === 'link' ? `${path} ${event.target}` : path
}
