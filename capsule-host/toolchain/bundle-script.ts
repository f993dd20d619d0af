import { basename, dirname } from 'node:path'
import type { BuildOptions, BuildFailure, Plugin } from 'esbuild'
import { BUILD_LINES_MAX } from '../constants.ts'
import { CapsuleError } from '../errors.ts'
import { printableLines } from '../text.ts'

/** Names under which a capsule's sources import the SDK; the second is that of this project's own capsules. */
const SDK_NAMES = /^(?:elastos\/sdk|#sdk)$/
/** What the engine of capsules understands. */
const SCRIPT_TARGET = 'es2023'

/** One script to bundle. */
export interface ScriptSource {
  /** Absolute path of the source it starts from. */
  readonly entry: string
  /** The text of the SDK, a module without imports. */
  readonly sdk: string
}

/**
 * Bundles a script and all it imports, types stripped, into the text of an async function that takes nothing. The same
 * sources give the same text, wherever they lie.
 *
 * @throws CapsuleError `ERR_CAPSULE_BUILD` with the bundler's words as `detail`
 */
export async function bundleScript(source: ScriptSource): Promise<string> {
  const folder = dirname(source.entry)
  const text = await bundle({
    absWorkingDir: folder,
    // No exports are left over that could not stand in a function.
    stdin: { contents: `import ${JSON.stringify(`./${basename(source.entry)}`)}`, resolveDir: folder },
    format: 'esm',
    plugins: [sdkPlugin(source.sdk)]
  })
  return `(async function () { "use strict";${text}\n})`
}

/** Bundles the globals of scripts into a script whose value is the function that installs them. */
export async function bundleGlobals(entry: string): Promise<string> {
  const text = await bundle({
    absWorkingDir: dirname(entry),
    entryPoints: [entry],
    format: 'iife',
    globalName: 'globals'
  })
  return `(() => {${text};return globals.install})()`
}

/** Bundles the SDK into one module without imports. */
export async function bundleSdk(entry: string): Promise<string> {
  return await bundle({ absWorkingDir: dirname(entry), entryPoints: [entry], format: 'esm' })
}

/** The guest script in one file: what a sandbox shows as a folder of sources, a machine gets without types to strip. */
export async function bundleGuest(entry: string): Promise<string> {
  return await bundle({
    absWorkingDir: dirname(entry),
    entryPoints: [entry],
    format: 'esm',
    external: ['node:*']
  })
}

async function bundle(options: BuildOptions): Promise<string> {
  // A native program of its own that only builds start.
  const esbuild = await import('esbuild')
  try {
    const result = await esbuild.build({
      ...options,
      bundle: true,
      write: false,
      platform: 'neutral',
      mainFields: ['module', 'main'],
      target: SCRIPT_TARGET,
      charset: 'utf8',
      legalComments: 'none',
      // A configuration beside the sources is the editor's, not the build's.
      tsconfigRaw: { compilerOptions: { verbatimModuleSyntax: true } },
      logLevel: 'silent'
    })
    return result.outputFiles?.[0]?.text ?? ''
  } catch (thrown) {
    const errors = (thrown as Partial<BuildFailure>).errors
    if (errors === undefined) throw thrown
    const messages = await esbuild.formatMessages(errors, { kind: 'error', color: false })
    throw new CapsuleError('ERR_CAPSULE_BUILD', 'expected the script to bundle, it did not', {
      detail: printableLines(messages.join('\n'), BUILD_LINES_MAX)
    })
  }
}

/** Gives the SDK a place that is the same wherever this program lies: bundles name the files they are made of. */
function sdkPlugin(sdk: string): Plugin {
  return {
    name: 'sdk',
    setup: (build) => {
      build.onResolve({ filter: SDK_NAMES }, () => ({ path: 'elastos/sdk', namespace: 'package' }))
      build.onLoad({ filter: /^/, namespace: 'package' }, () => ({ contents: sdk, loader: 'js' }))
    }
  }
}
