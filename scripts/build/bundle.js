import { existsSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { build } from 'esbuild'
import { findProjectNode } from '../setup/runtime.js'
import { capsules } from './capsules.js'
import { lazyBuiltins, NATIVE_LEVEL, NO_PREFIX_LIST, oneCopyEach, OWN_METADATA } from './plugins.js'
import { guestSources } from './stamp.js'

/**
 * Packages that stay in `node_modules`: they load a native addon or program beside them, or are a program of their own
 * that only `capsule build` runs.
 */
const EXTERNAL = ['assemblyscript', 'binaryen', 'esbuild', 'node-datachannel', '@node-datachannel/*']

/**
 * CommonJS packages in an ES module bundle still call `require`, nearly always for Node's own modules; those come without
 * loading the module loader.
 */
const REQUIRE = `const require = (name) => process.getBuiltinModule(name) ?? process.getBuiltinModule('node:module').createRequire(import.meta.url)(name);`

/**
 * @param {string} root
 * @returns {Promise<import('./output.js').OutputFile[]>}
 */
export async function bundle(root) {
  const node = await outputs(root, { elastos: 'cli/main.ts', index: 'node/index.ts' })
  // A single file of its own: the sandbox shows the guest nothing else.
  const guest = await outputs(root, { 'capsule-guest': 'capsule-host/guest/main.ts' })
  // Programs of their own, which share what makes a process virtual.
  const simulators = { sim: 'sim/main.ts', 'sim-preload': 'sim/preload.ts' }
  const sim = await outputs(root, simulators, { isLazy: false })
  const toolchain = await outputs(root, { 'capsule-toolchain': 'capsule-host/toolchain/main.ts' })
  return [...node, ...guest, ...sim, ...toolchain, ...capsules(root), ...machineGuest(root)]
}

/**
 * What `guest build` compiles, beside the bundle as it is beside its source.
 *
 * @param {string} root
 * @returns {import('./output.js').OutputFile[]}
 */
function machineGuest(root) {
  return guestSources(root).map((path) => ({
    path: path.replace(/^vmm\/guest\//, ''),
    contents: readFileSync(join(root, path))
  }))
}

/**
 * @param {string} root
 * @param {Record<string, string>} entries output name → source
 * @param {{ isLazy: boolean }} o whether modules of Node are loaded when they are used; a simulator replaces parts of them
 */
async function outputs(root, entries, o = { isLazy: true }) {
  const present = Object.entries(entries).filter(([, source]) => existsSync(join(root, source)))
  if (present.length === 0) return []
  const result = await build({
    absWorkingDir: root,
    entryPoints: Object.fromEntries(present),
    outdir: join(root, 'dist'),
    outExtension: { '.js': '.mjs' },
    // Beside the entries: a source that looks for a file beside the bundle finds it from whichever part it is in.
    chunkNames: '[name]-[hash]',
    bundle: true,
    splitting: present.length > 1,
    write: false,
    format: 'esm',
    platform: 'node',
    target: 'node26',
    minify: false,
    keepNames: true,
    legalComments: 'none',
    external: EXTERNAL,
    banner: { js: REQUIRE },
    plugins: [
      OWN_METADATA,
      ...(o.isLazy ? [lazyBuiltins(findProjectNode(root))] : []),
      NATIVE_LEVEL,
      NO_PREFIX_LIST,
      oneCopyEach(root)
    ],
    logLevel: 'warning'
  })
  return result.outputFiles.map(({ path, text }) => ({
    path: relative(join(root, 'dist'), path),
    contents: toAscii(text)
  }))
}

/**
 * Escapes what is not ASCII: esbuild leaves it in regular expressions and comments, and one such character makes Node keep
 * the whole file in two bytes a character.
 *
 * @param {string} code
 */
function toAscii(code) {
  return code.replace(/[\u0080-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
}
