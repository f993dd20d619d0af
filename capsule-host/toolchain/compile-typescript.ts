import { MODULE_BYTES_MAX } from '../constants.ts'
import { CapsuleError } from '../errors.ts'
import { bundleScript } from './bundle-script.ts'
import { freezeModule } from './frozen-module.ts'
import { loadToolchain, type Toolchain } from './powers/toolchain.ts'

/** What {@link compileTypeScript} compiles. */
export interface CompileTypeScriptInit {
  /** Absolute path of the source the capsule starts from. */
  readonly entry: string
  /** Where the parts of the toolchain are; those of this program when absent. */
  readonly toolchain?: Toolchain
}

/**
 * Compiles a capsule written in TypeScript: bundles it with all it imports, puts it into a runtime that has started
 * already (QuickJS), and freezes that as one module of wasm32-wasip1. Nothing of the script runs. No compiler is needed
 * but this package; the same sources give the same bytes.
 *
 * Blocks its thread for about a fifth of a second; the first time from sources, when the runtime is made, for two seconds.
 *
 * @throws CapsuleError `ERR_CAPSULE_BUILD` with what the bundler or the engine said; `ERR_MODULE_TOO_LARGE`
 */
export async function compileTypeScript(init: CompileTypeScriptInit): Promise<Uint8Array<ArrayBuffer>> {
  const { runtime, globals, sdk } = init.toolchain ?? (await loadToolchain())
  const text = await bundleScript({ entry: init.entry, sdk })
  // With it comes a compiler of a dozen megabytes, which a node that compiles nothing must not load.
  const { startRuntime } = await import('./snapshot.ts')
  const instance = startRuntime(new WebAssembly.Module(runtime), globals)
  instance.load({ text, name: 'capsule.js' })
  const module = freezeModule(runtime, instance.state())
  if (module.byteLength > MODULE_BYTES_MAX) {
    throw new CapsuleError(
      'ERR_MODULE_TOO_LARGE',
      `expected a module of at most ${MODULE_BYTES_MAX} bytes, got ${module.byteLength}`
    )
  }
  return module
}
