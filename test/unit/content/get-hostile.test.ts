import assert from 'node:assert/strict'
import * as dagPb from '@ipld/dag-pb'
import { UnixFS } from 'ipfs-unixfs'
import { mkdir, readdir, readlink } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { CID } from 'multiformats/cid'
import { cidOf, createMemoryBlockStore, DAG_PB_CODEC, RAW_CODEC } from '#content'
import type { BlockStore } from '#content'
import { READ_AHEAD_BLOCKS } from '../../../content/constants.ts'
import { createTemporaryFolder } from '../../support/temporary-folder.ts'
import { bytesOf, fakeExchange, startFixture, utf8 } from './fixture.ts'
import type { ServingPeer } from './fixture.ts'

const MIB = 1024 * 1024

/** Puts a UnixFS node that no importer would make. */
async function putNode(
  store: BlockStore,
  unixfs: UnixFS,
  links: { name?: string; cid: CID; bytes?: number }[] = []
): Promise<CID> {
  const node = {
    Data: unixfs.marshal(),
    Links: links.map(({ name = '', cid, bytes = 0 }) => ({ Name: name, Hash: cid, Tsize: bytes }))
  }
  const bytes = dagPb.encode(dagPb.prepare(node))
  const cid = cidOf(DAG_PB_CODEC, bytes)
  await store.put(cid, bytes)
  return cid
}

async function putRaw(store: BlockStore, bytes: Uint8Array): Promise<CID> {
  const cid = cidOf(RAW_CODEC, bytes)
  await store.put(cid, bytes)
  return cid
}

const folderNode = (): UnixFS => new UnixFS({ type: 'directory' })

/** A peer that serves everything it has. */
function hostilePeer(): ServingPeer & { store: BlockStore } {
  return { store: createMemoryBlockStore(), mayServe: async () => await Promise.resolve(true) }
}

describe('getting what a stranger made', () => {
  it('writes links that stay inside and refuses all others', async () => {
    await using folder = await createTemporaryFolder()
    const peer = hostilePeer()
    await using node = await startFixture({ exchange: fakeExchange([peer]) })
    const link = async (target: string): Promise<CID> =>
      await putNode(peer.store, new UnixFS({ type: 'symlink', data: utf8(target) }))
    const file = await putRaw(peer.store, utf8('file'))
    const good = await putNode(peer.store, folderNode(), [
      { name: 'file', cid: file },
      { name: 'link', cid: await link('file') }
    ])
    await node.content.get(good.toString(), { output: join(folder.path, 'good') })
    assert.equal(await readlink(join(folder.path, 'good', 'link')), 'file')
    for (const target of ['/etc/passwd', '../x', 'a/../../x']) {
      const bad = await putNode(peer.store, folderNode(), [{ name: 'link', cid: await link(target) }])
      await assert.rejects(node.content.get(bad.toString(), { output: join(folder.path, 'bad') }), {
        code: 'ERR_PATH_UNSAFE'
      })
    }
    await assert.rejects(
      node.content.get((await link('file')).toString(), { output: join(folder.path, 'bad') }),
      {
        code: 'ERR_PATH_UNSAFE'
      }
    )
    assert.deepEqual(await readdir(folder.path), ['good'])
  })

  it('writes nothing through a link that the content itself brought', async () => {
    await using folder = await createTemporaryFolder()
    const peer = hostilePeer()
    await using node = await startFixture({ exchange: fakeExchange([peer]) })
    await mkdir(join(folder.path, 'victim'))
    const file = await putRaw(peer.store, utf8('planted'))
    const link = await putNode(peer.store, new UnixFS({ type: 'symlink', data: utf8('victim') }))
    const sub = await putNode(peer.store, folderNode(), [{ name: 'planted', cid: file }])
    // Two entries of one name: a link, then a folder whose files would go through it.
    const root = await putNode(peer.store, folderNode(), [
      { name: 'a', cid: link },
      { name: 'a', cid: sub }
    ])
    await assert.rejects(node.content.get(root.toString(), { output: join(folder.path, 'out') }), {
      code: 'ERR_DAG_MALFORMED'
    })
    assert.deepEqual(await readdir(join(folder.path, 'victim')), [])
    assert.deepEqual(await readdir(folder.path), ['victim'])
  })

  it('refuses hostile names wherever they come', async () => {
    await using folder = await createTemporaryFolder()
    const peer = hostilePeer()
    await using node = await startFixture({ exchange: fakeExchange([peer]) })
    const file = await putRaw(peer.store, utf8('x'))
    for (const name of ['..', '.', '', 'a/b', '/abs', 'x\0y', '\u001b[2J', 'a\\b', 'n'.repeat(256)]) {
      const flat = await putNode(peer.store, folderNode(), [{ name, cid: file }])
      const nested = await putNode(peer.store, folderNode(), [{ name: 'sub', cid: flat }])
      for (const cid of [flat, nested]) {
        await assert.rejects(node.content.get(cid.toString(), { output: join(folder.path, 'out') }), {
          code: 'ERR_PATH_UNSAFE'
        })
        await assert.rejects(Array.fromAsync(node.content.list(flat, '')), { code: 'ERR_PATH_UNSAFE' })
      }
    }
    assert.deepEqual(await readdir(folder.path), [])
    assert.deepEqual(
      (await readdir(dirname(folder.path))).filter((name) => name === 'out' || name === 'b'),
      []
    )
  })

  it('refuses content whose sizes lie, at the first block that shows it', async () => {
    await using folder = await createTemporaryFolder()
    const peer = hostilePeer()
    await using node = await startFixture({ exchange: fakeExchange([peer]) })
    const leaf = await putRaw(peer.store, utf8('12345'))
    const file = (...blockSizes: bigint[]): UnixFS => new UnixFS({ type: 'file', blockSizes })
    const lies = [
      await putNode(peer.store, file(4n), [{ cid: leaf }]),
      await putNode(peer.store, file(6n), [{ cid: leaf }]),
      await putNode(peer.store, file(5n, 5n), [{ cid: leaf }]),
      await putNode(peer.store, file(0n), [{ cid: leaf }]),
      await putNode(peer.store, file(2n ** 60n), [{ cid: leaf }]),
      await putNode(peer.store, file(5n), [{ cid: await putNode(peer.store, folderNode()) }])
    ]
    for (const cid of lies) {
      await assert.rejects(node.content.get(cid.toString(), { output: join(folder.path, 'out') }), {
        code: 'ERR_DAG_MALFORMED'
      })
    }
    assert.deepEqual(await readdir(folder.path), [])
  })

  it('stops at its limits: a few blocks that unfold to more than may be written', async () => {
    await using folder = await createTemporaryFolder()
    const peer = hostilePeer()
    await using node = await startFixture({ exchange: fakeExchange([peer]) })
    let size = 1024n
    let cid = await putRaw(peer.store, bytesOf(1024))
    for (let level = 0; level < 30; level++) {
      cid = await putNode(peer.store, new UnixFS({ type: 'file', blockSizes: [size, size] }), [
        { cid },
        { cid }
      ])
      size *= 2n
    }
    await assert.rejects(node.content.get(cid.toString(), { output: join(folder.path, 'out') }), {
      code: 'ERR_CONTENT_TOO_LARGE'
    })
    let deep = await putNode(peer.store, folderNode())
    for (let level = 0; level < 70; level++)
      deep = await putNode(peer.store, folderNode(), [{ name: 'd', cid: deep }])
    await assert.rejects(node.content.get(deep.toString(), { output: join(folder.path, 'out') }), {
      code: 'ERR_CONTENT_TOO_LARGE'
    })
    const small = await node.content.addFiles([{ path: 'a', content: bytesOf(100) }])
    await assert.rejects(
      node.content.get(small.cid.toString(), { output: join(folder.path, 'out'), bytesMax: 99 }),
      {
        code: 'ERR_CONTENT_TOO_LARGE'
      }
    )
    assert.deepEqual(await readdir(folder.path), [])
  })

  it('refuses content larger than the disk before it fetches it', async () => {
    await using folder = await createTemporaryFolder()
    const peer = hostilePeer()
    const exchange = fakeExchange([peer])
    await using node = await startFixture({ exchange })
    let size = BigInt(MIB)
    let cid = await putRaw(peer.store, bytesOf(MIB))
    for (let level = 0; level < 25; level++) {
      cid = await putNode(peer.store, new UnixFS({ type: 'file', blockSizes: [size, size] }), [
        { cid },
        { cid }
      ])
      size *= 2n
    }
    const output = join(folder.path, 'out')
    await assert.rejects(node.content.get(cid.toString(), { output, bytesMax: Number(size) }), {
      code: 'ERR_DISK_FULL'
    })
    assert.ok(exchange.fetched.length <= READ_AHEAD_BLOCKS + 1)
  })
})
