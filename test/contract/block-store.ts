import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { CID } from 'multiformats/cid'
import * as Digest from 'multiformats/hashes/digest'
import { cidOf, DAG_PB_CODEC, RAW_CODEC } from '../../content/cid.ts'
import { BLOCK_BYTES_MAX } from '../../content/constants.ts'
import type { BlockStore } from '../../content/block-store.ts'

/** One open store; disposing closes it and removes what it kept. */
export interface BlockStoreFixture extends AsyncDisposable {
  readonly store: BlockStore
}

const text = (value: string): Uint8Array => new TextEncoder().encode(value)

async function keysOf(store: BlockStore): Promise<string[]> {
  const keys: string[] = []
  for await (const cid of store.list()) keys.push(cid.toString())
  return keys.sort()
}

/** The suite that every {@link BlockStore} must pass. */
export function describeBlockStore(name: string, open: () => Promise<BlockStoreFixture>): void {
  describe(`block store contract: ${name}`, () => {
    it('gives back what was put, under every codec of the same bytes', async () => {
      await using fixture = await open()
      const bytes = randomBytes(5000)
      const cid = cidOf(RAW_CODEC, bytes)
      assert.equal(await fixture.store.has(cid), false)
      assert.equal(await fixture.store.get(cid), undefined)
      await fixture.store.put(cid, bytes)
      assert.equal(await fixture.store.has(cid), true)
      assert.deepEqual(Buffer.from((await fixture.store.get(cid)) ?? []), bytes)
      assert.equal(await fixture.store.has(cidOf(DAG_PB_CODEC, bytes)), true)
    })

    it('keeps its own copy of the bytes', async () => {
      await using fixture = await open()
      const bytes = Buffer.from('mine')
      const cid = cidOf(RAW_CODEC, bytes)
      await fixture.store.put(cid, bytes)
      bytes.fill(0)
      assert.deepEqual(Buffer.from((await fixture.store.get(cid)) ?? []).toString(), 'mine')
    })

    it('takes an empty block and one of the largest size', async () => {
      await using fixture = await open()
      for (const bytes of [new Uint8Array(), new Uint8Array(BLOCK_BYTES_MAX)]) {
        const cid = cidOf(RAW_CODEC, bytes)
        await fixture.store.put(cid, bytes)
        assert.equal((await fixture.store.get(cid))?.length, bytes.length)
      }
    })

    it('refuses bytes that do not hash to the CID, and keeps nothing of them', async () => {
      await using fixture = await open()
      const cid = cidOf(RAW_CODEC, text('right'))
      await assert.rejects(fixture.store.put(cid, text('wrong')), { code: 'ERR_BLOCK_MISMATCH' })
      assert.equal(await fixture.store.has(cid), false)
    })

    it('refuses a block that is too large', async () => {
      await using fixture = await open()
      const bytes = new Uint8Array(BLOCK_BYTES_MAX + 1)
      await assert.rejects(fixture.store.put(cidOf(RAW_CODEC, bytes), bytes), { code: 'ERR_BLOCK_TOO_LARGE' })
    })

    it('refuses hash functions it cannot check and truncated digests', async () => {
      await using fixture = await open()
      const blake = CID.createV1(RAW_CODEC, Digest.create(0x1e, new Uint8Array(32)))
      const short = CID.createV1(RAW_CODEC, Digest.create(0x12, new Uint8Array(16)))
      for (const cid of [blake, short]) {
        await assert.rejects(fixture.store.put(cid, text('x')), { code: 'ERR_CID_UNSUPPORTED' })
        await assert.rejects(fixture.store.get(cid), { code: 'ERR_CID_UNSUPPORTED' })
      }
    })

    it('has every identity block without storing any', async () => {
      await using fixture = await open()
      const cid = CID.createV1(RAW_CODEC, Digest.create(0, text('inline')))
      assert.equal(await fixture.store.has(cid), true)
      assert.deepEqual(Buffer.from((await fixture.store.get(cid)) ?? []).toString(), 'inline')
      await fixture.store.put(cid, text('inline'))
      assert.deepEqual(await keysOf(fixture.store), [])
    })

    it('deletes, and lists exactly what is there', async () => {
      await using fixture = await open()
      const blocks = Array.from({ length: 40 }, (_, index) => text(`block ${index}`))
      const cids = blocks.map((bytes) => cidOf(RAW_CODEC, bytes))
      await Promise.all(
        cids.map(async (cid, index) => await fixture.store.put(cid, blocks[index] ?? text('')))
      )
      const [gone = cidOf(RAW_CODEC, text('')), ...left] = cids
      await fixture.store.delete(gone)
      await fixture.store.delete(gone)
      assert.equal(await fixture.store.get(gone), undefined)
      assert.deepEqual(await keysOf(fixture.store), left.map(String).sort())
    })

    it('takes the same block many times at once', async () => {
      await using fixture = await open()
      const bytes = randomBytes(100_000)
      const cid = cidOf(RAW_CODEC, bytes)
      const puts = Array.from(
        { length: 20 },
        async () => await fixture.store.put(cid, bytes, { durable: true })
      )
      await Promise.all(puts)
      await fixture.store.flush()
      assert.equal((await fixture.store.get(cid))?.length, bytes.length)
      assert.deepEqual(await keysOf(fixture.store), [cid.toString()])
    })
  })
}
