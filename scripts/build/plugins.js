import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join, sep } from 'node:path'

/** @typedef {import('esbuild').Plugin} Plugin */

/**
 * Some packages read their own package.json by a `createRequire` that a bundler cannot follow; the call is replaced by
 * the two fields they want.
 *
 * @type {Plugin}
 */
export const OWN_METADATA = {
  name: 'own-metadata',
  setup(pluginBuild) {
    pluginBuild.onLoad({ filter: /node_modules\/@achingbrain\/ssdp\/.*\.js$/ }, ({ path }) => {
      const source = readFileSync(path, 'utf8')
      const folder = path.slice(0, path.lastIndexOf('/ssdp/') + '/ssdp'.length)
      const { name, version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
      return {
        contents: source.replace(/req\((['"])[./]*package\.json\1\)/, JSON.stringify({ name, version }))
      }
    })
  }
}

/** Modules of Node that are plain objects and cost a millisecond or more to load: most commands use few of them. */
const LAZY_BUILTINS = [
  ...[
    'child_process',
    'crypto',
    'dgram',
    'dns',
    'dns/promises',
    'fs',
    'fs/promises',
    'http',
    'https',
    'module',
    'net'
  ],
  ...['os', 'readline', 'timers/promises', 'tls', 'tty', 'worker_threads', 'zlib']
]

/**
 * Loads modules of Node when something of them is used. An ES module import loads a module whole and reads every one of
 * its exports, of which some load more: `node:crypto` takes 18 ms, the WebSocket client behind `node:http` 25 ms.
 *
 * @param {string} node the Node that runs the bundle, which says what its modules export
 * @returns {Plugin}
 */
export function lazyBuiltins(node) {
  const script = `process.stdout.write(JSON.stringify(process.argv.slice(1).map((name) =>
    [name, Object.getOwnPropertyNames(process.getBuiltinModule('node:' + name))])))`
  const output = execFileSync(node, ['--eval', script, ...LAZY_BUILTINS], { encoding: 'utf8' })
  const exported = new Map(/** @type {[string, string[]][]} */ (JSON.parse(output)))
  return {
    name: 'lazy-builtins',
    setup(pluginBuild) {
      pluginBuild.onResolve({ filter: /^(node:)?[a-z_/]+$/ }, ({ path }) => {
        const name = path.replace(/^node:/, '')
        const isLazy = name === 'process' || exported.has(name)
        return isLazy ? { path: name, namespace: 'lazy-builtin' } : undefined
      })
      // Its methods need it as their `this`, and it is there anyway.
      pluginBuild.onLoad({ filter: /^process$/, namespace: 'lazy-builtin' }, () => ({
        contents: 'module.exports = process'
      }))
      pluginBuild.onLoad({ filter: /.*/, namespace: 'lazy-builtin' }, ({ path }) => ({
        contents: lazyModule(path, exported.get(path) ?? [])
      }))
    }
  }
}

/**
 * The getters are inherited, so that whoever imports the module copies none of them.
 *
 * @param {string} name
 * @param {readonly string[]} keys
 */
function lazyModule(name, keys) {
  const getters = keys.filter((key) => /^[A-Za-z_$][\w$]*$/.test(key))
  return [
    'let loaded',
    `const builtin = () => (loaded ??= process.getBuiltinModule('node:${name}'))`,
    'module.exports = Object.create({',
    ...getters.map((key) => `  get ${key}() { return builtin().${key} },`),
    '})'
  ].join('\n')
}

/**
 * Of classic-level only the line that loads the native addon stays outside: its other twenty files took 13 ms to be found
 * and compiled one by one.
 *
 * @type {Plugin}
 */
export const NATIVE_LEVEL = {
  name: 'native-level',
  setup(pluginBuild) {
    pluginBuild.onResolve({ filter: /^\.\/binding$/ }, ({ importer }) =>
      /node_modules[\\/]classic-level[\\/]/.test(importer)
        ? { path: 'classic-level/binding.js', external: true }
        : undefined
    )
  }
}

/**
 * kad-dht's list of 65,536 keys, one for each 16-bit prefix, serves the refreshing of its routing table, which it never
 * starts (it has no `start`) and `dht` replaces: without it the bundle is 590 kB smaller.
 *
 * @type {Plugin}
 */
export const NO_PREFIX_LIST = {
  name: 'no-prefix-list',
  setup(pluginBuild) {
    pluginBuild.onLoad({ filter: /kad-dht[\\/].*[\\/]generated-prefix-list\.js$/ }, () => ({
      contents: 'export default []'
    }))
  }
}

/**
 * npm installs some packages many times in one version, below each package that needs them; the bundle gets one of them.
 *
 * @param {string} root
 * @returns {Plugin}
 */
export function oneCopyEach(root) {
  const canonical = canonicalFolders(root)
  return {
    name: 'one-copy-each',
    setup(pluginBuild) {
      pluginBuild.onResolve({ filter: /^[^./]/ }, async ({ path, pluginData, ...options }) => {
        if (pluginData === IS_RESOLVING) return undefined
        const resolved = await pluginBuild.resolve(path, { ...options, pluginData: IS_RESOLVING })
        if (resolved.errors.length > 0 || resolved.namespace !== 'file') return undefined
        const moved = moveTo(canonical, resolved.path)
        return moved === undefined ? undefined : { path: moved, sideEffects: resolved.sideEffects }
      })
    }
  }
}

const IS_RESOLVING = Symbol('asks esbuild, not us')

/**
 * For every folder of a package, as the lockfile has it, the shortest one of the same name and version.
 *
 * @param {string} root
 * @returns {Map<string, string>} absolute folder → absolute folder
 */
function canonicalFolders(root) {
  /** @type {{ packages: Record<string, { version?: string, name?: string }> }} */
  const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'))
  /** @type {Map<string, string>} */
  const first = new Map()
  /** @type {Map<string, string>} */
  const folders = new Map()
  const sorted = Object.entries(packages).sort(([a], [b]) => a.length - b.length || (a < b ? -1 : 1))
  for (const [path, { version }] of sorted) {
    const at = path.lastIndexOf('node_modules/')
    if (at === -1 || version === undefined || !existsSync(join(root, path))) continue
    const key = `${path.slice(at + 'node_modules/'.length)}@${version}`
    const folder = first.get(key) ?? path
    first.set(key, folder)
    folders.set(path, folder)
  }
  return folders
}

/**
 * @param {Map<string, string>} canonical
 * @param {string} file
 */
function moveTo(canonical, file) {
  const at = file.indexOf(`${sep}node_modules${sep}`)
  if (at === -1) return undefined
  const root = file.slice(0, at)
  const relative = file.slice(at + 1)
  const [folder] = /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(relative) ?? []
  const target = folder === undefined ? undefined : canonical.get(folder)
  if (folder === undefined || target === undefined || target === folder) return undefined
  const moved = join(root, target, relative.slice(folder.length))
  return existsSync(moved) ? moved : undefined
}
