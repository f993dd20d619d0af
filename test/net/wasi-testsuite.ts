import { readdir, readFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { skipBecause } from '../support/requirements.ts'

/** One program of the official suite, and what it must be given and must do. */
export interface SuiteProgram {
  /** Such as `rust/path_link`. */
  readonly name: string
  readonly module: Uint8Array
  readonly args: readonly string[]
  readonly environment: Readonly<Record<string, string>>
  readonly exitCode: number
  /** What it must print; anything when absent. */
  readonly stdout: string | undefined
  /** What is at its root, a path that ends in a slash a folder; no root when absent. */
  readonly root: Readonly<Record<string, Uint8Array>> | undefined
}

const LANGUAGES = ['assemblyscript', 'c', 'rust']

/**
 * The preview 1 programs of https://github.com/WebAssembly/wasi-testsuite (branch `prod/testsuite-base`, where they are
 * built), or a skipped suite that names the reason. Call it in a `before` hook. They are looked for in the folder that
 * `ELASTOS_WASI_TESTSUITE` names (`none` skips), else in `${XDG_CACHE_HOME:-~/.cache}/elastos-test/wasi-testsuite`.
 */
export async function wasiTestsuiteOrSkip(context: Mocha.Context): Promise<SuiteProgram[]> {
  const named = process.env['ELASTOS_WASI_TESTSUITE']
  if (named === 'none') return skipBecause(context, 'ELASTOS_WASI_TESTSUITE=none')
  const cache = process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache')
  const folder = named ?? join(cache, 'elastos-test', 'wasi-testsuite')
  const programs: SuiteProgram[] = []
  for (const language of LANGUAGES) programs.push(...(await readPrograms(folder, language)))
  if (programs.length > 0) return programs
  return skipBecause(
    context,
    `the official WASI test suite is not at ${folder} (set ELASTOS_WASI_TESTSUITE to a checkout of its branch prod/testsuite-base)`
  )
}

async function readPrograms(folder: string, language: string): Promise<SuiteProgram[]> {
  const path = join(folder, 'tests', language, 'testsuite', 'wasm32-wasip1')
  const files = await readdir(path).catch(() => [])
  const modules = files.filter((file) => file.endsWith('.wasm')).toSorted()
  return await Promise.all(modules.map((file) => readProgram(path, { file, language })))
}

interface Specification {
  readonly args?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  readonly root?: string
  readonly exit_code?: number
  readonly stdout?: string
}

async function readProgram(
  folder: string,
  { file, language }: { file: string; language: string }
): Promise<SuiteProgram> {
  const name = file.slice(0, -'.wasm'.length)
  const text = await readFile(join(folder, `${name}.json`), 'utf8').catch(() => '{}')
  const specification = JSON.parse(text) as Specification
  const { root } = specification
  return {
    name: `${language}/${name}`,
    module: await readFile(join(folder, file)),
    args: specification.args ?? [],
    environment: specification.env ?? {},
    exitCode: specification.exit_code ?? 0,
    stdout: specification.stdout,
    root: root === undefined ? undefined : await readTree(join(folder, root))
  }
}

async function readTree(folder: string, at = ''): Promise<Record<string, Uint8Array>> {
  const tree: Record<string, Uint8Array> = {}
  for (const entry of await readdir(join(folder, at), { withFileTypes: true })) {
    const path = at === '' ? entry.name : `${at}/${entry.name}`
    if (entry.isFile()) tree[path] = await readFile(join(folder, path))
    else Object.assign(tree, { [`${path}/`]: new Uint8Array(0) }, await readTree(folder, path))
  }
  return tree
}
