import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { isFresh, readStamp, sourceHash, writeStamp } from './build/stamp.js'
import { replaceFiles } from './build/output.js'

const ROOT = join(import.meta.dirname, '..')
const DIST = join(ROOT, 'dist')

/**
 * Builds what people run, unless it is built from these very sources: `dist/elastos.mjs` (the command line),
 * `dist/index.mjs` and its types (the embedding API), `dist/capsule-guest.mjs` (inside the sandbox), what compiles
 * capsules in TypeScript (`dist/capsule-*`), and the project's own capsules (`dist/capsules/`).
 *
 * @param {{ isForced: boolean }} o
 */
async function build(o) {
  const hash = sourceHash(ROOT)
  const stamp = readStamp(DIST)
  if (!o.isForced && isFresh(DIST, stamp, hash)) return
  const startedAt = performance.now()
  const { bundle } = await import('./build/bundle.js')
  const { declarations } = await import('./build/declarations.js')
  const files = [...(await bundle(ROOT)), ...declarations(ROOT)]
  replaceFiles(DIST, files, stamp?.files ?? [])
  writeStamp(DIST, { hash, files: files.map(({ path }) => path) })
  const bytes = files.reduce((sum, { contents }) => sum + contents.length, 0)
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1)
  process.stderr.write(
    `build: dist/ has ${files.length} files, ${(bytes / 1e6).toFixed(1)} MB, in ${seconds} s\n`
  )
}

const missing = ['esbuild', 'typescript'].filter((name) => !existsSync(join(ROOT, 'node_modules', name)))
if (missing.length === 0) {
  await build({ isForced: process.argv.includes('--force') }).catch((/** @type {unknown} */ error) => {
    // esbuild has said where; what else can fail (a full disk, a folder not ours) says so in its message.
    process.stderr.write(`build: ${error instanceof Error ? error.message : String(error)}\n`)
    process.exitCode = 1
  })
} else {
  // An install without development dependencies must not fail: the launcher runs the sources then.
  process.stderr.write(
    `build: skipped, ${missing.join(' and ')} not installed; the launcher runs the sources\n`
  )
}
