import assert from 'node:assert/strict'
import { admitModule, type CapsuleError } from '#capsule-host'
import { WASI_PARAMETERS } from '../../../capsule-host/guest/wasi/signatures.ts'
import { assembleProgram, assembleWat } from '../../support/wat.ts'

const MIB = 1024 * 1024
const LIMITS = { memoryBytesMax: 4 * MIB }
const HEAD = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]

const around = (fields: string): Uint8Array =>
  assembleWat(`(module ${fields} (memory (export "memory") 1) (func (export "_start")))`)

/** Every function of WASI preview 1, imported with its own type. */
function everyImport(): string {
  const types = { i: 'i32', I: 'i64' } as const
  return Object.entries<string>(WASI_PARAMETERS)
    .map(([name, parameters]) => {
      const list = [...parameters].map((letter) => types[letter as 'i' | 'I']).join(' ')
      const result = name === 'proc_exit' ? '' : '(result i32)'
      return `(import "wasi_snapshot_preview1" "${name}" (func (param ${list}) ${result}))`
    })
    .join('\n')
}

/** The memory or table of a module, as the engine sees it. */
function instantiate(bytes: Uint8Array): WebAssembly.Exports {
  return new WebAssembly.Instance(new WebAssembly.Module(Uint8Array.from(bytes))).exports
}

describe('a module that may run', () => {
  it('imports any function of WASI preview 1 with its own type', () => {
    const admitted = admitModule(
      assembleWat(`(module ${everyImport()} (memory (export "memory") 1) (func (export "_start")))`),
      LIMITS
    )
    const module = new WebAssembly.Module(admitted.bytes)
    assert.equal(WebAssembly.Module.imports(module).length, Object.keys(WASI_PARAMETERS).length)
  })

  it('grows its memory to the limit and not beyond, though it declares no maximum or a larger one', () => {
    for (const declared of ['1', '1 65536']) {
      const { bytes, memoryBytesMin, memoryBytesMax } = admitModule(
        assembleWat(`(module (memory (export "memory") ${declared}) (func (export "_start")))`),
        LIMITS
      )
      assert.deepEqual(
        { memoryBytesMin, memoryBytesMax },
        { memoryBytesMin: 65_536, memoryBytesMax: 4 * MIB }
      )
      const memory = instantiate(bytes)['memory'] as WebAssembly.Memory
      memory.grow(63)
      assert.throws(() => memory.grow(1), RangeError)
    }
  })

  it('keeps a maximum below the limit', () => {
    const { memoryBytesMax } = admitModule(
      assembleWat('(module (memory (export "memory") 1 2) (func (export "_start")))'),
      LIMITS
    )
    assert.equal(memoryBytesMax, 2 * 65_536)
  })

  it('grows its tables to the limit and not beyond', () => {
    const { bytes } = admitModule(around('(table (export "t") 1 funcref)'), LIMITS)
    const table = instantiate(bytes)['t'] as WebAssembly.Table
    table.grow(65_535)
    assert.throws(() => table.grow(1), RangeError)
  })

  it('keeps everything else: the program computes the same', () => {
    const module = around(`
      (global $g (mut i32) (i32.const 40)) (data (i32.const 8) "hi")
      (table 2 funcref) (elem (i32.const 0) $two $two)
      (func $two (result i32) (i32.const 2))
      (func (export "answer") (result i32)
        (i32.add (global.get $g) (call_indirect (result i32) (i32.const 1))))`)
    const exports = instantiate(admitModule(module, LIMITS).bytes)
    assert.equal((exports['answer'] as () => number)(), 42)
    const memory = exports['memory'] as WebAssembly.Memory
    assert.equal(Buffer.from(memory.buffer, 8, 2).toString(), 'hi')
  })

  it('is written the same each time, and again admitted as it is', () => {
    const module = around('(table 1 funcref)')
    const once = admitModule(module, LIMITS).bytes
    assert.deepEqual(admitModule(module, LIMITS).bytes, once)
    assert.deepEqual(admitModule(once, LIMITS).bytes, once)
  })
})

describe('a module that may not run', () => {
  const refused: [string, CapsuleError['code'], () => Uint8Array][] = [
    ['imports from elsewhere', 'ERR_MODULE_IMPORT', () => around('(import "env" "f" (func))')],
    [
      'imports a function WASI does not have',
      'ERR_MODULE_IMPORT',
      () => around('(import "wasi_snapshot_preview1" "fd_open" (func (param i32) (result i32)))')
    ],
    [
      'imports a function of every object',
      'ERR_MODULE_IMPORT',
      () => around('(import "wasi_snapshot_preview1" "constructor" (func))')
    ],
    [
      'imports a function with other parameters',
      'ERR_MODULE_IMPORT',
      () => around('(import "wasi_snapshot_preview1" "sched_yield" (func (param i64) (result i32)))')
    ],
    [
      'imports a function with another result',
      'ERR_MODULE_IMPORT',
      () => around('(import "wasi_snapshot_preview1" "proc_exit" (func (param i32) (result i32)))')
    ],
    [
      'imports a global',
      'ERR_MODULE_IMPORT',
      () => around('(import "wasi_snapshot_preview1" "fd_read" (global i32))')
    ],
    [
      'imports its memory',
      'ERR_MODULE_IMPORT',
      () =>
        assembleWat(
          '(module (import "env" "memory" (memory 1)) (export "memory" (memory 0)) (func (export "_start")))'
        )
    ],
    [
      'has types of the garbage collector',
      'ERR_MODULE_FEATURE',
      () => around('(type $s (struct (field i32))) (func (param (ref null $s)))')
    ],
    ['has arrays', 'ERR_MODULE_FEATURE', () => around('(type $a (array i8)) (func (param (ref null $a)))')],
    ['passes references', 'ERR_MODULE_FEATURE', () => around('(func (param externref))')],
    ['has exception tags', 'ERR_MODULE_FEATURE', () => around('(tag $t) (func (throw $t))')],
    [
      'shares its memory',
      'ERR_MODULE_FEATURE',
      () => assembleWat('(module (memory (export "memory") 1 1 shared) (func (export "_start")))')
    ],
    [
      'has a 64-bit memory',
      'ERR_MODULE_FEATURE',
      () => assembleWat('(module (memory (export "memory") i64 1) (func (export "_start")))')
    ],
    ['has two memories', 'ERR_MODULE_FEATURE', () => around('(memory 1)')],
    ['has a table of references', 'ERR_MODULE_FEATURE', () => around('(table 1 externref)')],
    ['has a table of 64 bits', 'ERR_MODULE_FEATURE', () => around('(table i64 1 funcref)')],
    [
      'starts with more memory than it may have',
      'ERR_CAPSULE_MEMORY_LIMIT',
      () => assembleWat('(module (memory (export "memory") 65) (func (export "_start")))')
    ],
    ['starts with a larger table', 'ERR_CAPSULE_MEMORY_LIMIT', () => around('(table 10000000 funcref)')],
    ['has no memory', 'ERR_MODULE_INVALID', () => assembleWat('(module (func (export "_start")))')],
    [
      'keeps its memory to itself',
      'ERR_MODULE_INVALID',
      () => assembleWat('(module (memory 1) (func (export "_start")))')
    ],
    ['has no _start', 'ERR_MODULE_INVALID', () => assembleWat('(module (memory (export "memory") 1))')],
    [
      'has a _start that takes something',
      'ERR_MODULE_INVALID',
      () => assembleWat('(module (memory (export "memory") 1) (func (export "_start") (param i32)))')
    ],
    [
      'has a _start that is no function',
      'ERR_MODULE_INVALID',
      () => assembleWat('(module (memory (export "memory") 1) (global (export "_start") i32 (i32.const 0)))')
    ],
    ['is empty', 'ERR_MODULE_INVALID', () => new Uint8Array(0)],
    ['is text', 'ERR_MODULE_INVALID', () => Buffer.from('(module)')],
    ['is of another version', 'ERR_MODULE_INVALID', () => Uint8Array.from([0, 0x61, 0x73, 0x6d, 2, 0, 0, 0])],
    ['is a component', 'ERR_MODULE_INVALID', () => Uint8Array.from([0, 0x61, 0x73, 0x6d, 0x0d, 0, 1, 0])],
    ['has a section of an unknown kind', 'ERR_MODULE_FEATURE', () => Uint8Array.from([...HEAD, 42, 0])],
    [
      'has its sections out of order',
      'ERR_MODULE_INVALID',
      () => Uint8Array.from([...HEAD, 3, 1, 0, 1, 1, 0])
    ],
    ['has a section twice', 'ERR_MODULE_INVALID', () => Uint8Array.from([...HEAD, 1, 1, 0, 1, 1, 0])],
    [
      'has a section longer than the file',
      'ERR_MODULE_INVALID',
      () => Uint8Array.from([...HEAD, 1, 0x7f, 0])
    ],
    ['has bytes left in a section', 'ERR_MODULE_INVALID', () => Uint8Array.from([...HEAD, 1, 2, 0, 0])],
    [
      'has a number of more than 32 bits',
      'ERR_MODULE_INVALID',
      () => Uint8Array.from([...HEAD, 1, 0xff, 0xff, 0xff, 0xff, 0x7f])
    ],
    [
      'promises a million types',
      'ERR_MODULE_INVALID',
      () => Uint8Array.from([...HEAD, 1, 3, 0xc0, 0x84, 0x3d])
    ],
    [
      'has a maximum below its minimum',
      'ERR_MODULE_INVALID',
      () => Uint8Array.from([...HEAD, 5, 4, 1, 1, 2, 1])
    ],
    ['is too large', 'ERR_MODULE_TOO_LARGE', () => new Uint8Array(32 * MIB + 1)]
  ]
  for (const [what, code, module] of refused) {
    it(`${what}: ${code}`, () => {
      assert.throws(() => admitModule(module(), LIMITS), { name: 'CapsuleError', code })
    })
  }

  it('never puts its own text raw into the sentence about it', () => {
    assert.throws(
      () => admitModule(around('(import "env" "\\1b[31m" (func))'), LIMITS),
      (thrown: unknown) => !/\p{Cc}/u.test((thrown as Error).message)
    )
  })

  it('is told from a good one that only has unusual names', () => {
    const program = assembleProgram({
      body: '',
      fields: '(func (export "constructor")) (func (export "__proto__"))'
    })
    assert.doesNotThrow(() => admitModule(program, LIMITS))
  })
})
