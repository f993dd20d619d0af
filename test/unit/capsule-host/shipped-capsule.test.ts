import assert from 'node:assert/strict'
import { capsuleReference } from '#capsule-host'
import { createKeyPair, decodeCanonical, encodeCanonical } from '#did'
import { CID } from 'multiformats/cid'
import { openShipped, packShipped } from '../../../capsule-host/toolchain/shipped-capsule.ts'
import { createSeededRandom } from '../../support/seeded-random.ts'
import { EMPTY_MODULE } from '../../support/empty-module.ts'

const random = createSeededRandom(77)
const [release, stranger] = [createKeyPair(random), createKeyPair(random)]
const manifestOf = (fields: object = {}): Uint8Array =>
  Buffer.from(
    JSON.stringify({
      ...{ manifest: 2, name: 'shell', version: '1.2.3', substrate: 'wasm', entry: 'build/shell.wasm' },
      ...fields
    })
  )
const pack = async (manifest = manifestOf(), key = release): Promise<Uint8Array> =>
  await packShipped(key, { manifest, entry: EMPTY_MODULE })

/** The same file with other parts in it. */
function withParts(bytes: Uint8Array, parts: Readonly<Record<string, Uint8Array>>): Uint8Array {
  return encodeCanonical({ ...(decodeCanonical(bytes, { bytesMax: 100_000 }) as object), ...parts })
}

describe('a capsule that is shipped', () => {
  it('is a signed capsule like others: its publisher, its root, its CID', async () => {
    const { cid, publisher, opened, root } = await openShipped(await pack(), 'shell')
    assert.equal(publisher, release.did)
    assert.equal(opened.manifest.version, '1.2.3')
    assert.deepEqual(opened.entry, EMPTY_MODULE)
    assert.equal(capsuleReference(CID.parse(cid)), 'signed')
    assert.equal(capsuleReference(CID.parse(root)), 'package')
  })

  it('is refused whichever byte of it is another', async () => {
    const bytes = await pack()
    for (let at = 0; at < bytes.length; at++) {
      const changed = bytes.with(at, (bytes[at] ?? 0) ^ (1 << (at % 8)))
      await assert.rejects(openShipped(changed, 'shell'), `byte ${at}`)
    }
  })

  it('is refused with files, a name or a version that were not signed', async () => {
    const bytes = await pack()
    const other = Uint8Array.from([...EMPTY_MODULE, 0])
    const more = manifestOf({ powers: ['disk'] })
    for (const parts of [{ entry: other }, { manifest: more }]) {
      await assert.rejects(openShipped(withParts(bytes, parts), 'shell'), { code: 'ERR_CAPSULE_TAMPERED' })
    }
    await assert.rejects(openShipped(bytes, 'chat'), { code: 'ERR_CAPSULE_NAME_MISMATCH' })
    await assert.rejects(openShipped(bytes.subarray(0, 40), 'shell'), { code: 'ERR_CAPSULE_TAMPERED' })
    const theirs = await openShipped(await pack(manifestOf(), stranger), 'shell')
    assert.equal(theirs.publisher, stranger.did)
  })
})
