import assert from 'node:assert/strict'
import { admitModule } from '#capsule-host'
import { freezeModule } from '../../../capsule-host/toolchain/frozen-module.ts'
import { assembleWat } from '../../support/wat.ts'

/** Writes to memory, moves a global, and tells what it finds by its exit code. */
const PROGRAM = `(module
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 1)
  (global $at (export "at") (mut i32) (i32.const -5))
  (global $other (mut i32) (i32.const 1234567))
  (data (i32.const 8) "was here from the start")
  (func (export "prepare") (param $address i32) (param $value i32)
    (global.set $at (local.get $address))
    (i32.store (local.get $address) (local.get $value)))
  (func (export "_start")
    (call $exit (i32.add (i32.load (global.get $at)) (global.get $other)))))`

interface Exports {
  readonly memory: WebAssembly.Memory
  readonly at: WebAssembly.Global
  prepare(address: number, value: number): void
  _start(): void
}

function start(bytes: Uint8Array, exit: (code: number) => void): Exports {
  const imports = { wasi_snapshot_preview1: { proc_exit: exit } }
  const module = new WebAssembly.Module(Uint8Array.from(bytes))
  return new WebAssembly.Instance(module, imports).exports as unknown as Exports
}

function frozen(address: number, value: number): Uint8Array {
  const bytes = assembleWat(PROGRAM)
  const exports = start(bytes, () => undefined)
  exports.memory.grow(2)
  exports.prepare(address, value)
  const memory = new Uint8Array(exports.memory.buffer).slice()
  return freezeModule(bytes, { memory, globals: { at: Number(exports.at.value) } })
}

describe('a module frozen in a state', () => {
  for (const address of [0, 63, 64, 100, 8191, 8192, 65_536, 150_000]) {
    it(`goes on where it was, with its memory and its globals (${address})`, () => {
      let code: number | undefined
      const bytes = frozen(address, 7_000_000)
      const exports = start(bytes, (given) => (code = given))
      exports._start()
      assert.equal(code, 8_234_567)
      assert.equal(exports.memory.buffer.byteLength, 3 * 65_536)
    })
  }

  it('exports its memory and its start alone, and is admitted', () => {
    const bytes = frozen(100, 1)
    const exports = WebAssembly.Module.exports(new WebAssembly.Module(Uint8Array.from(bytes)))
    assert.deepEqual(exports.map(({ name }) => name).toSorted(), ['_start', 'memory'])
    assert.equal(admitModule(bytes, { memoryBytesMax: 1 << 20 }).memoryBytesMin, 3 * 65_536)
  })

  it('carries what is in its memory once, and no zeros to speak of', () => {
    const text = Buffer.from(frozen(100, 1)).toString('latin1')
    assert.equal(text.split('was here').length, 2)
    assert.ok(text.length < 400, String(text.length))
  })

  it('is refused when a global of the state is not there', () => {
    const state = { memory: new Uint8Array(65_536), globals: { absent: 1 } }
    assert.throws(() => freezeModule(assembleWat(PROGRAM), state), { code: 'ERR_MODULE_INVALID' })
  })
})
