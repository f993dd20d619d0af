import binaryen from 'assemblyscript/binaryen'

/**
 * Assembles a module in the WebAssembly text format, with every proposal the assembler knows switched on, so that
 * tests can write what must be refused. Not validated beyond what parsing needs.
 */
export function assembleWat(text: string): Uint8Array {
  const module = binaryen.parseText(text)
  try {
    module.setFeatures(binaryen.Features.All)
    return module.emitBinary()
  } finally {
    module.dispose()
  }
}

/** A program from its parts: WASI imports by name, one page of memory, and the body of `_start`. */
export function assembleProgram(init: {
  imports?: readonly (keyof typeof WASI_TYPES)[]
  /** Pages at the start; 1 when absent. */
  pages?: number
  /** Further fields of the module, such as data and functions. */
  fields?: string
  body: string
}): Uint8Array {
  const imports = (init.imports ?? []).map(
    (name) => `(import "wasi_snapshot_preview1" "${name}" (func $${name} ${WASI_TYPES[name]}))`
  )
  return assembleWat(`(module
    ${imports.join('\n')}
    (memory (export "memory") ${init.pages ?? 1})
    ${init.fields ?? ''}
    (func (export "_start") ${init.body}))`)
}

const WASI_TYPES = {
  args_get: '(param i32 i32) (result i32)',
  args_sizes_get: '(param i32 i32) (result i32)',
  environ_sizes_get: '(param i32 i32) (result i32)',
  clock_time_get: '(param i32 i64 i32) (result i32)',
  fd_fdstat_set_flags: '(param i32 i32) (result i32)',
  fd_read: '(param i32 i32 i32 i32) (result i32)',
  fd_write: '(param i32 i32 i32 i32) (result i32)',
  fd_prestat_get: '(param i32 i32) (result i32)',
  path_open: '(param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)',
  poll_oneoff: '(param i32 i32 i32 i32) (result i32)',
  proc_exit: '(param i32)',
  random_get: '(param i32 i32) (result i32)',
  sock_accept: '(param i32 i32 i32) (result i32)'
} as const
