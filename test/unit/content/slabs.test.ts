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
