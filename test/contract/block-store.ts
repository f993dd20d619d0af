import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { CID } from 'multiformats/cid'
import * as Digest from 'multiformats/hashes/digest'
import { cidOf, DAG_PB_CODEC, RAW_CODEC } from '../../content/cid.ts'
import { BLOCK_BYTES_MAX } from '../../content/constants.ts'
import type { BlockStore, BlockToPut } from '../../content/block-store.ts'

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

    it('puts many and reads many: in the order asked, missing ones said so, inline ones too', async () => {
      await using fixture = await open()
      const blocks = Array.from({ length: 300 }, (_, index) => randomBytes(index * 37))
      const cids = blocks.map((bytes) => cidOf(RAW_CODEC, bytes))
      const many = blocks.map((bytes, index) => ({ cid: cids[index] ?? cidOf(RAW_CODEC, bytes), bytes }))
      assert.equal(await fixture.store.putMany(many, { durable: true }), 300)
      const missing = cidOf(RAW_CODEC, text('missing'))
      const inline = CID.createV1(RAW_CODEC, Digest.create(0, text('inline')))
      const asked = [...cids.slice(100), missing, inline, ...cids.slice(0, 100).reverse()]
      const found = await Array.fromAsync(fixture.store.getMany(asked))
      assert.deepEqual(
        found.map(({ cid }) => cid.toString()),
        asked.map(String)
      )
      for (const { cid, bytes } of found) {
        if (cid === missing) assert.equal(bytes, undefined)
        else if (cid === inline) assert.equal(Buffer.from(bytes ?? []).toString(), 'inline')
        else assert.deepEqual(Buffer.from(bytes ?? []), blocks[cids.indexOf(cid)])
      }
      assert.equal(await fixture.store.sizeOf(cids[7] ?? missing), 7 * 37)
      assert.equal(await fixture.store.sizeOf(missing), undefined)
    })

    it('refuses the whole of many when one of them is wrong, and keeps no wrong one', async () => {
      await using fixture = await open()
      const cid = cidOf(RAW_CODEC, text('right'))
      await assert.rejects(fixture.store.putMany([{ cid, bytes: text('wrong') }]), {
        code: 'ERR_BLOCK_MISMATCH'
      })
      assert.equal(await fixture.store.has(cid), false)
    })

    it('sweeps what is not kept, and spares what a hold has put, found or read', async () => {
      await using fixture = await open()
      const { store } = fixture
      const [kept, dead, put, had, read, after] = ['kept', 'dead', 'put', 'had', 'read', 'after'].map(
        (name) => {
          const bytes = text(name)
          return { cid: cidOf(RAW_CODEC, bytes), bytes }
        }
      ) as [BlockToPut, BlockToPut, BlockToPut, BlockToPut, BlockToPut, BlockToPut]
      for (const { cid, bytes } of [kept, dead, had, read]) await store.put(cid, bytes)
      const sweep = async (during?: () => Promise<void>): Promise<number> => {
        const init = {
          isKept: async (cid: CID) => {
            await during?.()
            return cid.equals(kept.cid)
          },
          signal: new AbortController().signal
        }
        return (await store.sweep(init)).blocksRemoved
      }
      {
        using _hold = store.hold()
        await store.put(put.cid, put.bytes)
        await store.has(had.cid)
        await store.get(read.cid)
        assert.equal(await sweep(async () => await store.put(after.cid, after.bytes)), 1)
        assert.deepEqual(
          await keysOf(store),
          [kept, put, had, read, after].map(({ cid }) => cid.toString()).sort()
        )
        assert.deepEqual(Buffer.from((await store.get(read.cid)) ?? []).toString(), 'read')
      }
      assert.equal(await sweep(), 4)
      assert.deepEqual(await keysOf(store), [kept.cid.toString()])
      assert.equal(store.stat().blocks, 1)
    })

    it('verifies its blocks', async () => {
      await using fixture = await open()
      const blocks = Array.from({ length: 20 }, (_, index) => randomBytes(index * 5000))
      for (const bytes of blocks) await fixture.store.put(cidOf(RAW_CODEC, bytes), bytes)
      const found = await fixture.store.verify({ signal: new AbortController().signal })
      assert.deepEqual(found, { blocks: 20, bytes: 5000 * 190, corrupt: [] })
    })
  })
}
