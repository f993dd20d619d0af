import { existsSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { build } from 'esbuild'

/**
 * Packages that stay in `node_modules`: they load a native addon beside them, or are a program of their own
 * that only `capsule build` runs.
 */
const EXTERNAL = ['classic-level', 'assemblyscript', 'node-datachannel', '@node-datachannel/*']

/** CommonJS packages in an ES module bundle still call `require` for Node's own modules. */
const REQUIRE = `import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);`

/**
 * Some packages read their own package.json by a `createRequire` that a bundler cannot follow; the call is replaced by
 * the two fields they want.
 *
 * @type {import('esbuild').Plugin}
 */
const OWN_METADATA = {
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

/**
 * @param {string} root
 * @returns {Promise<import('./output.js').OutputFile[]>}
 */
export async function bundle(root) {
  const node = await outputs(root, { elastos: 'cli/main.ts', index: 'node/index.ts' })
  // A single file of its own: the sandbox shows the guest nothing else.
  const guest = await outputs(root, { 'capsule-guest': 'capsule-host/guest/main.ts' })
  return [...node, ...guest]
}

/**
 * @param {string} root
 * @param {Record<string, string>} entries output name → source
 */
async function outputs(root, entries) {
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
    plugins: [OWN_METADATA],
    logLevel: 'warning'
  })
  return result.outputFiles.map(({ path, contents }) => ({
    path: relative(join(root, 'dist'), path),
    contents
  }))
}
