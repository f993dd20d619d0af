import { execFile } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { createTemporaryFolder } from './temporary-folder.ts'

const run = promisify(execFile)
const TARGET = ['--target=wasm32-wasi', '-O2']
const COMPILE_MS_MAX = 60_000

let found: Promise<string | undefined> | undefined

/** A clang that compiles and links for WASI, with its C library; `undefined` when there is none. Asked once a run. */
export function findWasiClang(): Promise<string | undefined> {
  found ??= find()
  return found
}

async function find(): Promise<string | undefined> {
  await using folder = await createTemporaryFolder('wasi-clang-')
  const source = join(folder.path, 'empty.c')
  await writeFile(source, '#include <stdio.h>\nint main(void) { return 0; }\n')
  for (const clang of ['clang', 'clang-14', 'clang-15', 'clang-16', 'clang-17', 'clang-18', 'clang-19']) {
    const isThere = await run(clang, [...TARGET, '-o', join(folder.path, 'out.wasm'), source]).then(
      () => true,
      () => false
    )
    if (isThere) return clang
  }
  return undefined
}

/** Compiles one C source for WASI. */
export async function compileC(source: string): Promise<Uint8Array> {
  const clang = await findWasiClang()
  if (clang === undefined) throw new Error('expected a C compiler for WASI')
  await using folder = await createTemporaryFolder('wasi-clang-')
  const output = join(folder.path, 'program.wasm')
  await run(clang, [...TARGET, '-Wall', '-Werror', '-o', output, source], { timeout: COMPILE_MS_MAX })
  return await readFile(output)
}
