import assert from 'node:assert/strict'
import { readFile, stat, writeFile, chmod } from 'node:fs/promises'
import { join } from 'node:path'
import { CID } from 'multiformats/cid'
import { create as createDigest } from 'multiformats/hashes/digest'
import { openDenyList, type DenyList } from '#bootstrap'
import { systemRandom } from '#contracts'
import { keyPairFromSeed, systemPrivateFiles } from '#did'
import { createTemporaryFolder, type TemporaryFolder } from '../../support/temporary-folder.ts'

const { did } = keyPairFromSeed(new Uint8Array(32))
const otherDid = keyPairFromSeed(new Uint8Array(32).fill(1)).did
// One hash in three forms: CIDv0, CIDv1 dag-pb, CIDv1 raw.
const V0 = CID.parse('QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG')
const V1 = V0.toV1()
const RAW = CID.createV1(0x55, V0.multihash)
const OTHER = CID.parse('bafkreifzjut3te7nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e')

describe('the deny list', () => {
  let temporary: TemporaryFolder
  let path: string
  const open = async (): Promise<DenyList> =>
    await openDenyList({ files: systemPrivateFiles, random: systemRandom }, path)

  beforeEach(async () => {
    temporary = await createTemporaryFolder()
    path = join(temporary.path, 'deny.json')
  })

  afterEach(async () => {
    await temporary[Symbol.asyncDispose]()
  })

  it('is empty at first and denies nothing', async () => {
    const list = await open()
    assert.deepEqual(list.list(), [])
    assert.equal(list.isDeniedCid(V1), false)
    assert.equal(list.isDeniedDid(did), false)
  })

  it('denies content by its hash, in whatever form it is named', async () => {
    const list = await open()
    assert.equal(await list.add(V0.toString()), true)
    for (const cid of [V0, V1, RAW]) assert.ok(list.isDeniedCid(cid))
    assert.equal(list.isDeniedCid(OTHER), false)
    assert.equal(await list.add(RAW.toString()), false, 'it is denied already')
    assert.equal(await list.remove(RAW.toString()), true)
    assert.equal(list.isDeniedCid(V0), false)
  })

  it('survives a restart, in a file that only its user may read', async () => {
    const list = await open()
    await Promise.all([list.add(V1.toString()), list.add(did), list.add(otherDid)])
    await list.remove(otherDid)
    assert.equal(await list.remove(otherDid), false)
    const again = await open()
    assert.deepEqual(again.list(), [
      { kind: 'cid', value: V1.toString() },
      { kind: 'did', value: did }
    ])
    assert.ok(again.isDeniedDid(did))
    assert.ok(again.isDeniedCid(V0))
    assert.equal(again.isDeniedDid(otherDid), false)
    assert.equal((await stat(path)).mode & 0o777, 0o600)
  })

  it('takes CIDs and dids and nothing else', async () => {
    const list = await open()
    for (const value of [
      '',
      'hello',
      'did:web:example.org',
      `${did} `,
      V1.toString().slice(0, -1),
      'b'.repeat(9999)
    ]) {
      await assert.rejects(list.add(value), { code: 'ERR_DENY_VALUE' }, value)
    }
    assert.deepEqual(list.list(), [])
  })

  it('fails rather than deny less: a damaged file is never an empty list', async () => {
    const list = await open()
    await list.add(did)
    const whole = await readFile(path, 'utf8')
    const damaged = [
      '',
      '{}',
      '[]',
      whole.slice(0, -5),
      whole.replace(did, 'did:key:z6Mkx'),
      whole.replace('1', '2')
    ]
    for (const content of damaged) {
      await writeFile(path, content)
      await assert.rejects(open(), { code: 'ERR_DENY_LIST_CORRUPT' }, content)
      assert.equal(await readFile(path, 'utf8'), content, 'and it is left as it is')
    }
    await writeFile(path, whole)
    await chmod(path, 0o644)
    await assert.rejects(open(), { code: 'ERR_FILE_EXPOSED' })
  })

  it('holds so many entries and no more', async () => {
    const cids = Array.from({ length: 50_000 }, (_, index) => {
      const hash = new Uint8Array(4)
      new DataView(hash.buffer).setUint32(0, index)
      return CID.createV1(0x55, createDigest(0x00, hash)).toString()
    })
    await writeFile(path, JSON.stringify({ version: 1, cids, dids: [] }), { mode: 0o600 })
    const list = await open()
    assert.ok(list.isDeniedCid(CID.parse(cids[49_999] ?? '')))
    await assert.rejects(list.add(did), { code: 'ERR_DENY_LIST_FULL' })
    assert.equal(await list.remove(cids[0] ?? ''), true)
    assert.equal(await list.add(did), true)
  })

  it('honours what it could not write, and forgets nothing it could not write', async () => {
    await (await open()).add(did)
    const full = { ...systemPrivateFiles, createFile: () => Promise.reject(new Error('disk full')) }
    const list = await openDenyList({ files: full, random: systemRandom }, path)
    await assert.rejects(list.add(V1.toString()), { code: 'ERR_FILE_IO' })
    assert.ok(list.isDeniedCid(V1))
    await assert.rejects(list.remove(did), { code: 'ERR_FILE_IO' })
    assert.ok(list.isDeniedDid(did))
  })
})
