import { dirname } from 'node:path'
import type { Clock } from '#contracts'
import { BUILD_LINES_MAX, BUILD_MS_MAX } from '../constants.ts'
import { CapsuleError } from '../errors.ts'
import type { CapsuleBuild, CapsuleLanguage, CapsuleManifest } from '../manifest.ts'
import type { HostPowers } from '../powers.ts'
import { runProgram } from '../sandbox/run-program.ts'
import { printableLines } from '../text.ts'
import { assemblyScriptCompiler } from './compile-assemblyscript.ts'
import { cCompiler, goCompiler, rustCompiler } from './compile-native.ts'
import { typeScriptCompiler } from './compile-typescript.ts'
import { makeEntryFolder } from './entry-folder.ts'

/** What is compiled, and where the module goes. */
export interface Compilation {
  /** The package's folder, absolute, links followed. */
  readonly folder: string
  readonly manifest: CapsuleManifest
  readonly build: CapsuleBuild
  readonly signal: AbortSignal
}

/** Paths of one run of a compiler. */
export interface CompilerPaths {
  readonly folder: string
  /** The source it starts from, relative to `folder`. */
  readonly source: string
  /** Where it writes the module, absolute. */
  readonly output: string
}

/** A compiler to start. */
export interface CompilerProgram {
  /** Absolute path. */
  readonly command: string
  readonly args: readonly string[]
  readonly environment?: Readonly<Record<string, string>>
}

/** How a language is compiled. */
export type Compiler = (powers: HostPowers, paths: CompilerPaths) => Promise<CompilerProgram>

const COMPILERS: Readonly<Record<CapsuleLanguage, Compiler>> = {
  assemblyscript: assemblyScriptCompiler,
  typescript: typeScriptCompiler,
  c: cCompiler,
  rust: rustCompiler,
  go: goCompiler
}

/**
 * Runs the language's compiler in a process of its own; the entry appears whole or stays as it was.
 *
 * @throws CapsuleError `ERR_CAPSULE_BUILD` with the compiler's words as `detail`; `ERR_CAPSULE_BUILD_TIME_LIMIT`
 */
export async function compileEntry(
  components: { powers: HostPowers; clock: Clock },
  { folder, manifest, build, signal }: Compilation
): Promise<void> {
  const { powers } = components
  const entry = `${folder}/${manifest.entry}`
  const output = `${dirname(entry)}/.partial.wasm`
  await makeEntryFolder(powers, folder, manifest.entry)
  // A link there may lead out of the package.
  await powers.removeFile(output)
  try {
    const program = await COMPILERS[build.language](powers, { folder, source: build.source, output })
    const result = await runProgram(components, { ...program, folder, deadlineMs: BUILD_MS_MAX, signal })
    signal.throwIfAborted()
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
    await powers.rename(output, entry)
  } finally {
    await powers.removeFile(output)
  }
}
