import assert from 'node:assert/strict'
import { Slabs } from '../../../content/slabs.ts'

describe('slabs of memory', () => {
  it('are used again once nobody holds any part of them, and not before', () => {
    const slabs = new Slabs({ slabBytes: 16, keptMax: 1 })
    const slab = slabs.take()
    const release = slab.hold()
    slab.release()
    assert.notEqual(slabs.take().bytes, slab.bytes, 'a part of it is held')
    release()
    assert.equal(slabs.take().bytes, slab.bytes)
  })

  it('count a hold that is ended twice once', () => {
    const slabs = new Slabs({ slabBytes: 16, keptMax: 1 })
    const slab = slabs.take()
    const release = slab.hold()
    slab.hold()
    release()
    release()
    slab.release()
    assert.notEqual(slabs.take().bytes, slab.bytes)
  })

  it('are made ready before they are taken, one and not more, and only where some are kept', () => {
    const slabs = new Slabs({ slabBytes: 16, keptMax: 2 })
    const used = slabs.take()
    used.release()
    slabs.prepare(16)
    assert.equal(slabs.take().bytes, used.bytes, 'one was there')
    slabs.prepare(1024)
    const prepared = slabs.take()
    assert.equal(prepared.bytes.length, 16)
    assert.equal(prepared.bytes[0], 0)
    const none = new Slabs({ slabBytes: 16, keptMax: 0 })
    none.prepare(16)
    assert.notEqual(none.take().bytes, none.take().bytes)
  })

  it('are given back to the system beyond those that are kept', () => {
    const slabs = new Slabs({ slabBytes: 16, keptMax: 1 })
    const [first, second] = [slabs.take(), slabs.take()]
    first.release()
    second.release()
    const taken = [slabs.take().bytes, slabs.take().bytes]
    assert.ok(taken.includes(first.bytes))
    assert.ok(!taken.includes(second.bytes))
  })
})
