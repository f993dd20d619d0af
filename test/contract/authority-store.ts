import assert from 'node:assert/strict'
import type { AuthorityStore, StoreRange } from '#capsule-host'

/** Opens the same store again and again: what was written before is there. */
export interface AuthorityStoreFixture extends AsyncDisposable {
  open(): Promise<AuthorityStore>
}

const text = (value: string): Uint8Array => new TextEncoder().encode(value)

async function keysOf(store: AuthorityStore, range: StoreRange): Promise<string[]> {
  const keys: string[] = []
  for await (const [key] of store.entries(range)) keys.push(key)
  return keys
}

/** The suite that every {@link AuthorityStore} must pass. */
export function describeAuthorityStore(name: string, create: () => Promise<AuthorityStoreFixture>): void {
  describe(`authority store contract: ${name}`, () => {
    it('keeps what was written, through a restart', async () => {
      await using fixture = await create()
      {
        await using store = await fixture.open()
        assert.equal(await store.get('a'), undefined)
        await store.write([
          { type: 'put', key: 'a', value: text('1') },
          { type: 'put', key: 'b', value: text('2') }
        ])
        await store.write([
          { type: 'remove', key: 'a' },
          { type: 'remove', key: 'never' },
          { type: 'put', key: 'b', value: text('3') }
        ])
      }
      await using again = await fixture.open()
      assert.equal(await again.get('a'), undefined)
      assert.equal(Buffer.from((await again.get('b')) ?? []).toString(), '3')
    })

    it('keeps its own copy of what it was given', async () => {
      await using fixture = await create()
      await using store = await fixture.open()
      const value = text('mine')
      await store.write([{ type: 'put', key: 'a', value }])
      value.fill(0)
      assert.equal(Buffer.from((await store.get('a')) ?? []).toString(), 'mine')
    })

    it('gives keys in order, both ends of a range included, from either side', async () => {
      await using fixture = await create()
      await using store = await fixture.open()
      const keys = ['entry/002', 'head', 'entry/001', 'entry/003', 'entry/010']
      await store.write(keys.map((key) => ({ type: 'put', key, value: text(key) })))
      const range = { from: 'entry/002', to: 'entry/010' }
      assert.deepEqual(await keysOf(store, range), ['entry/002', 'entry/003', 'entry/010'])
      assert.deepEqual(await keysOf(store, { ...range, isReversed: true, limit: 2 }), [
        'entry/010',
        'entry/003'
      ])
      assert.deepEqual(await keysOf(store, { from: 'x', to: 'y' }), [])
    })

    it('shows a reader what was there when it began', async () => {
      await using fixture = await create()
      await using store = await fixture.open()
      await store.write(['1', '2', '3'].map((key) => ({ type: 'put', key, value: text(key) })))
      const seen: string[] = []
      for await (const [key] of store.entries({ from: '0', to: '9' })) {
        seen.push(key)
        if (key === '1') {
          await store.write([
            { type: 'remove', key: '2' },
            { type: 'put', key: '4', value: text('4') }
          ])
        }
      }
      assert.deepEqual(seen, ['1', '2', '3'])
    })

    it('keeps a mark apart from everything else', async () => {
      await using fixture = await create()
      {
        await using store = await fixture.open()
        assert.equal(await store.readMark(), undefined)
        await store.writeMark(text('one'))
        await store.writeMark(text('two'))
      }
      await using again = await fixture.open()
      assert.equal(Buffer.from((await again.readMark()) ?? []).toString(), 'two')
      assert.deepEqual(await keysOf(again, { from: 'entry/', to: 'head' }), [])
      await again.setAside()
      assert.equal(await again.readMark(), undefined)
    })

    it('is empty after everything was put aside, and goes on', async () => {
      await using fixture = await create()
      {
        await using store = await fixture.open()
        await store.write([{ type: 'put', key: 'a', value: text('1') }])
        await store.setAside()
        assert.equal(await store.get('a'), undefined)
        await store.write([{ type: 'put', key: 'b', value: text('2') }])
        await store.setAside()
        await store.write([{ type: 'put', key: 'c', value: text('3') }])
      }
      await using again = await fixture.open()
      assert.deepEqual(await keysOf(again, { from: 'a', to: 'z' }), ['c'])
    })
  })
}
