import assert from 'node:assert/strict'
import { Key } from 'interface-datastore/key'
import { MemoryStore } from '../../sim/memory-store.ts'

describe('the store of a simulated node', () => {
  it('gives what was put, whole or by the beginning of its key, and says what is not there', async () => {
    const store = new MemoryStore()
    const [one, two, other] = ['/a/1', '/a/2', '/b/1'].map((text) => new Key(text))
    assert.ok(one && two && other)
    const batch = store.batch()
    for (const [index, key] of [one, two, other].entries()) batch.put(key, Uint8Array.of(index))
    await batch.commit()
    assert.deepEqual(store.get(two), Uint8Array.of(1))
    const found = await Array.fromAsync(store.query({ prefix: '/a/' }), ({ key, value }) => [
      key.toString(),
      ...value
    ])
    assert.deepEqual(found, [
      ['/a/1', 0],
      ['/a/2', 1]
    ])
    store.delete(one)
    assert.deepEqual(await Array.fromAsync(store.queryKeys({}), String), ['/a/2', '/b/1'])
    assert.equal(store.has(one), false)
    assert.throws(() => store.get(one), { name: 'NotFoundError' })
  })
})
