import assert from 'node:assert/strict'
import fc from 'fast-check'
import { admitModule, CapsuleError, parseManifest, verifyCapsule } from '#capsule-host'
import { assembleProgram, assembleWat } from '../../support/wat.ts'

const LIMITS = { memoryBytesMax: 1024 * 1024 }
const PROGRAM = assembleProgram({
  imports: ['fd_read', 'fd_write', 'poll_oneoff', 'proc_exit'],
  fields: '(table 2 funcref) (data (i32.const 0) "hello") (global $g (mut i64) (i64.const 7))',
  body: '(call $proc_exit (i32.const 3))'
})

/** A program with some bytes replaced, some cut out and some put in. */
const mutations = fc
  .array(
    fc.record({ at: fc.nat(PROGRAM.byteLength - 1), cut: fc.nat(3), put: fc.uint8Array({ maxLength: 3 }) }),
    {
      minLength: 1,
      maxLength: 6
    }
  )
  .map((edits) => {
    let bytes: Uint8Array = PROGRAM
    for (const { at, cut, put } of edits) {
      bytes = Buffer.concat([bytes.subarray(0, at), put, bytes.subarray(at + cut)])
    }
    return Uint8Array.from(bytes)
  })

/** Calls `task` and returns its code; anything but a coded error fails the test. */
function codeOf(task: () => unknown): string | undefined {
  try {
    task()
    return undefined
  } catch (thrown) {
    assert(thrown instanceof CapsuleError, `expected a coded error, got ${String(thrown)}`)
    return thrown.code
  }
}

describe('what comes from strangers', () => {
  it('is a module that is admitted, or refused with a code, however it was mangled', () => {
    fc.assert(
      fc.property(mutations, (bytes) => {
        codeOf(() => admitModule(bytes, LIMITS))
      }),
      { numRuns: 3000 }
    )
  })

  it('is a module that never gets more memory than its limit, when it is admitted and the engine takes it', () => {
    let taken = 0
    fc.assert(
      fc.property(mutations, (bytes) => {
        if (codeOf(() => admitModule(bytes, LIMITS)) !== undefined) return
        const admitted = admitModule(bytes, LIMITS).bytes
        if (!WebAssembly.validate(admitted)) return
        taken++
        const imports = { wasi_snapshot_preview1: new Proxy({}, { get: () => () => 0 }) }
        let memory: WebAssembly.Memory
        try {
          const { exports } = new WebAssembly.Instance(new WebAssembly.Module(admitted), imports)
          memory = exports['memory'] as WebAssembly.Memory
        } catch {
          return
        }
        const grow = Math.floor(LIMITS.memoryBytesMax / 65_536) - memory.buffer.byteLength / 65_536 + 1
        assert.throws(() => memory.grow(grow), RangeError)
      }),
      { numRuns: 1500 }
    )
    assert(taken > 0)
  })

  it('is any bytes: a module, a manifest, a signed capsule, or refused with a code', () => {
    const head = fc.constantFrom(Uint8Array.of(), PROGRAM.subarray(0, 8), PROGRAM.subarray(0, 40))
    fc.assert(
      fc.property(head, fc.uint8Array({ maxLength: 300 }), (first, rest) => {
        const bytes = Uint8Array.from(Buffer.concat([first, rest]))
        codeOf(() => admitModule(bytes, LIMITS))
        codeOf(() => parseManifest(bytes))
        codeOf(() => verifyCapsule(bytes))
      }),
      { numRuns: 2000 }
    )
  })

  it('is any JSON for a manifest', () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 4 }), (text) => {
        codeOf(() => parseManifest(new TextEncoder().encode(text)))
      })
    )
  })

  it('is deeply nested JSON for a manifest', () => {
    for (const open of ['[', '{"a":']) codeOf(() => parseManifest(Buffer.from(open.repeat(10_000))))
    const nested = `{"limits":${'['.repeat(9000)}${']'.repeat(9000)}}`
    assert.equal(
      codeOf(() => parseManifest(Buffer.from(nested))),
      'ERR_MANIFEST_INVALID'
    )
  })

  it('is a module with a name of the longest kind', () => {
    const program = assembleWat(
      `(module (memory (export "memory") 1) (func (export "_start")) (func (export "${'n'.repeat(1024)}")))`
    )
    assert.equal(
      codeOf(() => admitModule(program, LIMITS)),
      undefined
    )
  })
})
