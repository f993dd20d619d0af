import { mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

/** @typedef {{ path: string, contents: Uint8Array | string }} OutputFile path relative to `dist/` */

/**
 * Puts `files` in place so that a command started meanwhile runs wholly the old or the new build: chunks have
 * their hash in their name and come first, each file appears whole. Files of the build before stay for
 * processes that still run it and load parts late; older ones go.
 *
 * @param {string} dist
 * @param {readonly OutputFile[]} files
 * @param {readonly string[]} previous what the build before wrote
 */
export function replaceFiles(dist, files, previous) {
  const entriesLast = [...files].sort((a, b) => Number(isEntry(a.path)) - Number(isEntry(b.path)))
  for (const { path, contents } of entriesLast) {
    const target = join(dist, path)
    mkdirSync(dirname(target), { recursive: true })
    const fresh = `${target}.${process.pid}`
    writeFileSync(fresh, contents)
    renameSync(fresh, target)
  }
  const kept = new Set([...previous, ...files.map(({ path }) => path), 'stamp.json'])
  for (const path of filesIn(dist)) if (!kept.has(path)) rmSync(join(dist, path))
}

/**
 * Whether a file has a name of its own; that of a chunk ends in its hash.
 *
 * @param {string} path
 */
function isEntry(path) {
  return !/-[A-Z0-9]{8}\.mjs$/.test(path)
}

/**
 * @param {string} folder
 * @returns {string[]}
 */
function filesIn(folder) {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) =>
    entry.isDirectory()
      ? filesIn(join(folder, entry.name)).map((path) => `${entry.name}/${path}`)
      : [entry.name]
  )
}
