import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { bundleGlobals, bundleSdk } from '../bundle-script.ts'

/** The parts that capsules in TypeScript are made of. */
export interface Toolchain {
  /** The runtime module, see `createRuntimeModule`. */
  readonly runtime: Uint8Array<ArrayBuffer>
  /** The script that sets up what scripts expect around them. */
  readonly globals: string
  /** The SDK, a module without imports. */
  readonly sdk: string
}

/** Names of the toolchain's parts beside the bundle. */
export const TOOLCHAIN_FILES = {
  runtime: 'capsule-runtime.wasm',
  globals: 'capsule-globals.js',
  sdk: 'capsule-sdk.mjs',
  program: 'capsule-toolchain.mjs'
} as const

const HERE = import.meta.dirname
/** Of the sources; there is nothing of it beside the bundle. */
const ROOT = join(HERE, '..', '..', '..')

/** The toolchain beside the bundle, else made of the sources, with the runtime kept in the cache of `node_modules`. */
export async function loadToolchain(): Promise<Toolchain> {
  const bundled = join(HERE, TOOLCHAIN_FILES.runtime)
  if (!existsSync(bundled)) return await makeToolchain()
  return {
    runtime: Uint8Array.from(await readFile(bundled)),
    globals: await readFile(join(HERE, TOOLCHAIN_FILES.globals), 'utf8'),
    sdk: await readFile(join(HERE, TOOLCHAIN_FILES.sdk), 'utf8')
  }
}

/** The toolchain made of the sources. */
export async function makeToolchain(): Promise<Toolchain> {
  return {
    runtime: await cachedRuntime(),
    globals: await bundleGlobals(join(ROOT, 'sdk', 'globals', 'main.ts')),
    sdk: await bundleSdk(join(ROOT, 'sdk', 'index.ts'))
  }
}

/** The program that compiles one capsule in a process of its own. */
export function findToolchainProgram(): string {
  const bundled = join(HERE, TOOLCHAIN_FILES.program)
  return existsSync(bundled) ? bundled : join(HERE, '..', 'main.ts')
}

/** Makes the runtime once for each version of what it is made of. */
async function cachedRuntime(): Promise<Uint8Array<ArrayBuffer>> {
  const quickjs = await readFile(fileURLToPath(import.meta.resolve('quickjs-wasi/quickjs.wasm')))
  const recipe = await Promise.all([
    readFile(join(HERE, '..', 'runtime-module.ts')),
    readFile(join(ROOT, 'capsule-host', 'guest', 'wasi', 'signatures.ts')),
    readFile(join(dirname(fileURLToPath(import.meta.resolve('binaryen'))), 'package.json'))
  ])
  const hash = createHash('sha256').update(quickjs)
  for (const part of recipe) hash.update(createHash('sha256').update(part).digest())
  const path = join(ROOT, 'node_modules', '.cache', 'elastos', `capsule-runtime-${hash.digest('hex')}.wasm`)
  if (existsSync(path)) return Uint8Array.from(await readFile(path))
  const { createRuntimeModule } = await import('../runtime-module.ts')
  const runtime = Uint8Array.from(createRuntimeModule(quickjs))
  await keep(path, runtime).catch(() => {
    // A cache that cannot be written costs time, nothing else.
  })
  return runtime
}

/** Writes a file so that nobody ever reads half of it. */
async function keep(path: string, bytes: Uint8Array): Promise<void> {
  await mkdir(dirname(path), { recursive: true })
  const partial = `${path}.${process.pid}`
  await writeFile(partial, bytes)
  await rename(partial, path)
}
