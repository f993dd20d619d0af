import { dirname, relative } from 'node:path'
import { BUILD_HEAP_MIB_MAX } from '../constants.ts'
import type { HostPowers } from '../powers.ts'
import type { Compiler, CompilerPaths } from './compile-entry.ts'

/** What the shim that gives AssemblyScript its streams has compiled in place of the browser's. */
const SHIM_ALIASES = [
  'ASC_WASI=1',
  ...['abort', 'trace', 'seed', 'console', 'crypto', 'performance', 'process', 'Date'].map(
    (name) => `${name}=wasi_${name}`
  )
]

/**
 * The AssemblyScript compiler, which may read the sources and itself and write into the entry's folder. Its
 * configuration file is not read: it could name code to run.
 */
export const assemblyScriptCompiler: Compiler = async (powers, paths) => ({
  command: powers.nodePath,
  args: compilerArguments(powers, paths)
})

function compilerArguments(powers: Pick<HostPowers, 'findCompiler'>, paths: CompilerPaths): string[] {
  const { compiler, library } = powers.findCompiler()
  const shim = dirname(library)
  const packages = new Set([dirname(dirname(dirname(compiler))), dirname(dirname(shim))])
  return [
    ...['--permission', `--allow-fs-read=${paths.folder}`],
    ...[...packages].map((folder) => `--allow-fs-read=${folder}`),
    `--allow-fs-write=${dirname(paths.output)}`,
    // The compiler starts itself anew without this flag, which the permissions forbid.
    '--enable-source-maps',
    `--max-old-space-size=${BUILD_HEAP_MIB_MAX}`,
    compiler,
    paths.source,
    ...['--outFile', relative(paths.folder, paths.output)],
    ...['--config', '.no-configuration.json'],
    // Relative, because the compiler looks for libraries below its working folder.
    ...['--lib', relative(paths.folder, `${shim}/assembly`)],
    ...SHIM_ALIASES.flatMap((alias) => ['--use', alias]),
    ...['--exportStart', '_start'],
    '-O2'
  ]
}
