import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { LAYERS } from '../layers.js'

/**
 * What `dist/` was built from.
 *
 * @typedef {object} Stamp
 * @property {string} hash of every source
 * @property {string[]} files what the build wrote, relative to `dist/`
 */

const STAMP = 'stamp.json'
const CONFIGURATION = [
  'package.json',
  'package-lock.json',
  'tsconfig.json',
  'scripts/build.js',
  'scripts/layers.js'
]

/**
 * Every TypeScript source of the product, relative to `root`, sorted.
 *
 * @param {string} root
 * @returns {string[]}
 */
export function productSources(root) {
  return LAYERS.flatMap(({ folder }) =>
    existsSync(join(root, folder)) ? sourcesIn(root, folder) : []
  ).sort()
}

/**
 * @param {string} root
 * @param {string} folder
 * @returns {string[]}
 */
function sourcesIn(root, folder) {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = `${folder}/${entry.name}`
    // Templates and AssemblyScript are data to us: they compile to WebAssembly, not into the bundle.
    if (entry.isDirectory()) return /^(templates|assembly)$/.test(entry.name) ? [] : sourcesIn(root, path)
    return entry.name.endsWith('.ts') ? [path] : []
  })
}

/**
 * The manifests of the project's own capsules.
 *
 * @param {string} root
 * @returns {string[]}
 */
function manifests(root) {
  const folder = join(root, 'capsules')
  if (!existsSync(folder)) return []
  const names = readdirSync(folder).sort()
  return names.map((name) => `capsules/${name}/capsule.json`).filter((path) => existsSync(join(root, path)))
}

/**
 * The sources of the first process of microVM guests, relative to `root`.
 *
 * @param {string} root
 * @returns {string[]}
 */
export function guestSources(root) {
  const folder = 'vmm/guest/init'
  if (!existsSync(join(root, folder))) return []
  return readdirSync(join(root, folder))
    .sort()
    .map((name) => `${folder}/${name}`)
}

/**
 * @param {string} root
 * @returns {string} SHA-256 in hex
 */
export function sourceHash(root) {
  const hash = createHash('sha256')
  const own = readdirSync(join(root, 'scripts', 'build')).map((name) => `scripts/build/${name}`)
  for (const path of [
    ...CONFIGURATION,
    ...own,
    ...productSources(root),
    ...manifests(root),
    ...guestSources(root)
  ]) {
    hash.update(`${path}\0`)
    hash.update(
      createHash('sha256')
        .update(readFileSync(join(root, path)))
        .digest()
    )
  }
  return hash.digest('hex')
}

/**
 * @param {string} dist
 * @returns {Stamp | undefined}
 */
export function readStamp(dist) {
  try {
    return JSON.parse(readFileSync(join(dist, STAMP), 'utf8'))
  } catch {
    return undefined
  }
}

/**
 * @param {string} dist
 * @param {Stamp} stamp
 */
export function writeStamp(dist, stamp) {
  writeFileSync(join(dist, STAMP), JSON.stringify(stamp, null, 2))
}

/**
 * @param {string} dist
 * @param {Stamp | undefined} stamp
 * @param {string} hash
 */
export function isFresh(dist, stamp, hash) {
  return stamp?.hash === hash && stamp.files.every((path) => existsSync(join(dist, path)))
}
