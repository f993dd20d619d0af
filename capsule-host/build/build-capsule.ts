import { dirname, relative } from 'node:path'
import type { Clock } from '#contracts'
import {
  BUILD_HEAP_MIB_MAX,
  BUILD_LINES_MAX,
  BUILD_MS_MAX,
  MANIFEST_BYTES_MAX,
  MANIFEST_PATH,
  MODULE_BYTES_MAX
} from '../constants.ts'
import { CapsuleError } from '../errors.ts'
import { capsuleLimits } from '../limits.ts'
import { parseManifest, type CapsuleBuild, type CapsuleManifest } from '../manifest.ts'
import type { HostPowers } from '../powers.ts'
import { runProgram } from '../sandbox/run-program.ts'
import { printable, printableLines } from '../text.ts'
import { admitModule } from '../wasm/admission.ts'

/** What {@link buildCapsule} works with. */
export interface BuildComponents {
  powers: HostPowers
  clock: Clock
}

/** What {@link buildCapsule} made, or found. */
export interface BuiltCapsule {
  readonly manifest: CapsuleManifest
  /** Bytes of the entry. */
  readonly entryBytes: number
  /** False when the manifest has no `build` and the entry was only checked. */
  readonly isCompiled: boolean
}

/**
 * Makes the entry of the capsule in `folder`, as its manifest's `build` says, or finds it there when it has none; then
 * admits it by the same rules as when it runs. The same sources give the same bytes.
 *
 * @throws CapsuleError `ERR_MANIFEST_INVALID` and others of {@link parseManifest}; `ERR_CAPSULE_BUILD` with the
 * compiler's words as `detail`; `ERR_CAPSULE_BUILD_TIME_LIMIT`; `ERR_PACKAGE_INVALID` when there is no entry; or why
 * the module was not admitted
 */
export async function buildCapsule(
  components: BuildComponents,
  init: { folder: string; signal: AbortSignal }
): Promise<BuiltCapsule> {
  const { powers } = components
  const folder = await powers.resolvePath(init.folder)
  const manifestBytes =
    folder === undefined
      ? undefined
      : await powers.readFile(`${folder}/${MANIFEST_PATH}`, MANIFEST_BYTES_MAX + 1)
  if (folder === undefined || manifestBytes === undefined) {
    throw new CapsuleError(
      'ERR_PACKAGE_INVALID',
      `expected a ${MANIFEST_PATH} in ${printable(init.folder, 400)}, got none`
    )
  }
  const manifest = parseManifest(manifestBytes)
  if (manifest.build !== undefined) {
    if (manifest.build.language !== 'assemblyscript') {
      throw new CapsuleError(
        'ERR_CAPSULE_BUILD',
        `expected sources in assemblyscript, got ${manifest.build.language}, which this node cannot build`
      )
    }
    await compileAssemblyScript(components, { folder, manifest, build: manifest.build, signal: init.signal })
  }
  const entry = await readEntry(powers, folder, manifest)
  admitModule(entry, capsuleLimits(manifest))
  return { manifest, entryBytes: entry.byteLength, isCompiled: manifest.build !== undefined }
}

async function readEntry(powers: HostPowers, folder: string, manifest: CapsuleManifest): Promise<Uint8Array> {
  const path = `${folder}/${manifest.entry}`
  const size = await powers.fileBytes(path)
  if (size === undefined) {
    throw new CapsuleError(
      'ERR_PACKAGE_INVALID',
      `expected the entry ${manifest.entry} in the package, got none`
    )
  }
  // One byte more than fits, so that a module that is too large is refused as that.
  return (await powers.readFile(path, Math.min(size, MODULE_BYTES_MAX + 1))) ?? new Uint8Array(0)
}

interface Compilation {
  readonly folder: string
  readonly manifest: CapsuleManifest
  readonly build: CapsuleBuild
  readonly signal: AbortSignal
}

/**
 * Runs the AssemblyScript compiler in a process of its own, which may read the sources and itself and write into the
 * entry's folder. Its configuration file is not read: it could name code to run.
 */
async function compileAssemblyScript(components: BuildComponents, compilation: Compilation): Promise<void> {
  const { powers } = components
  const { folder, manifest, build } = compilation
  const entry = `${folder}/${manifest.entry}`
  const partial = `${dirname(entry)}/.partial.wasm`
  await powers.makeFolder(dirname(entry), { isShared: true })
  try {
    const args = compilerArguments(powers, { folder, partial, source: build.source })
    const result = await runProgram(components, {
      command: powers.nodePath,
      args,
      folder,
      deadlineMs: BUILD_MS_MAX,
      signal: compilation.signal
    })
    compilation.signal.throwIfAborted()
    if (result.isLate) {
      throw new CapsuleError(
        'ERR_CAPSULE_BUILD_TIME_LIMIT',
        `expected the build to take at most ${BUILD_MS_MAX} ms`
      )
    }
    if (result.end.code !== 0) {
      throw new CapsuleError('ERR_CAPSULE_BUILD', `expected ${build.source} to compile, it did not`, {
        cause: result.end.failure,
        detail: printableLines(result.stderr, BUILD_LINES_MAX)
      })
    }
    await powers.rename(partial, entry)
  } finally {
    await powers.removeFile(partial)
  }
}

/** What the shim that gives AssemblyScript its streams has compiled in place of the browser's. */
const SHIM_ALIASES = [
  'ASC_WASI=1',
  ...['abort', 'trace', 'seed', 'console', 'crypto', 'performance', 'process', 'Date'].map(
    (name) => `${name}=wasi_${name}`
  )
]

function compilerArguments(
  powers: Pick<HostPowers, 'findCompiler'>,
  paths: { folder: string; partial: string; source: string }
): string[] {
  const { compiler, library } = powers.findCompiler()
  const shim = dirname(library)
  const packages = new Set([dirname(dirname(dirname(compiler))), dirname(dirname(shim))])
  return [
    ...['--permission', `--allow-fs-read=${paths.folder}`],
    ...[...packages].map((folder) => `--allow-fs-read=${folder}`),
    `--allow-fs-write=${dirname(paths.partial)}`,
    // The compiler starts itself anew without this flag, which the permissions forbid.
    '--enable-source-maps',
    `--max-old-space-size=${BUILD_HEAP_MIB_MAX}`,
    compiler,
    paths.source,
    ...['--outFile', relative(paths.folder, paths.partial)],
    ...['--config', '.no-configuration.json'],
    // Relative, because the compiler looks for libraries below its working folder.
    ...['--lib', relative(paths.folder, `${shim}/assembly`)],
    ...SHIM_ALIASES.flatMap((alias) => ['--use', alias]),
    ...['--exportStart', '_start'],
    '-O2'
  ]
}
