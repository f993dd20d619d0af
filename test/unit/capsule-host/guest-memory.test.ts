import assert from 'node:assert/strict'
import { GuestMemory } from '../../../capsule-host/guest/wasi/memory.ts'
import { ERRNO, WasiError } from '../../../capsule-host/guest/wasi/errno.ts'

const PAGE_BYTES = 65_536
const isFault = (thrown: unknown): boolean => thrown instanceof WasiError && thrown.errno === ERRNO.fault

describe("a program's memory", () => {
  it('is not there before the program is, not even nothing of it', () => {
    assert.throws(() => new GuestMemory().bytes(0, 0), isFault)
    assert.throws(() => new GuestMemory().u32(0), isFault)
  })

  for (const shared of [false, true]) {
    it(`ends where it ends, also after it has grown${shared ? ', shared with others' : ''}`, () => {
      const engine = new WebAssembly.Memory({ initial: 1, maximum: 3, shared })
      const memory = new GuestMemory()
      memory.attach(engine)
      for (let pages = 1; pages <= 3; pages++) {
        const end = pages * PAGE_BYTES
        assert.equal(memory.byteLength, end)
        memory.setU32(end - 4, 7 + pages)
        memory.setU64(0, 5n)
        assert.deepEqual(
          [memory.u32(end - 4), memory.u16(end - 4), memory.u64(0)],
          [7 + pages, 7 + pages, 5n]
        )
        assert.equal(memory.bytes(end - 4, 4)[0], 7 + pages)
        assert.equal(memory.bytes(end, 0).byteLength, 0)
        assert.equal(memory.around(end - 4, 4)[end - 4], 7 + pages)
        assert.equal(memory.around(end, 0).byteLength, end)
        for (const [at, length] of [
          [end, 1],
          [end - 4, 5],
          [end + 1, 0],
          [-1, 1],
          [0, -1]
        ] as const) {
          assert.throws(() => memory.bytes(at, length), isFault)
          assert.throws(() => memory.around(at, length), isFault)
        }
        assert.throws(() => memory.u16(end - 1), isFault)
        assert.throws(() => memory.u32(end - 3), isFault)
        assert.throws(() => memory.setU32(end - 3, 1), isFault)
        assert.throws(() => memory.u64(end - 7), isFault)
        assert.throws(() => memory.setU64(end - 7, 1n), isFault)
        if (pages === 3) return
        engine.grow(1)
        // What was handed out last is of the memory as it was.
        memory.setU32(0, pages)
        assert.equal(new Uint8Array(engine.buffer)[0], pages)
      }
    })
  }
})
