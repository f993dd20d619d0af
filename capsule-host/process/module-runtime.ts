import { CapsuleError } from '../errors.ts'
import { ALLOCATOR, nodeArguments, type ProcessLimits } from '../sandbox/command.ts'
import { INSIDE } from '../sandbox/layout.ts'
import { mendingCommands, type SandboxReport } from '../sandbox/report.ts'

/** A file of this device that a machine for modules has in its root image. */
export interface RuntimeFile {
  /** Where it lies here. */
  readonly source: string
  /** Where it is in the image. */
  readonly target: string
}

/** What a machine has in its root image so that modules run in it, and what it is then started with. */
export interface ModuleRuntime {
  /** This very Node and all it is linked with. */
  readonly files: readonly RuntimeFile[]
  /** The guest script, in one file without imports of its own. */
  readonly script: { readonly target: string; readonly text: string }
  /** The program and its arguments for a capsule with these limits. */
  program(limits: ProcessLimits): readonly string[]
  readonly environment: Readonly<Record<string, string>>
  /** Memory that it takes beside the capsule's own and the machine's. */
  readonly memoryBytes: number
}

/** Node's own memory, and what of its program the machine holds. */
const NODE_MEMORY_BYTES: number = 176 * 1024 * 1024
/** One name, whichever script it is made of. */
const SCRIPT = `${INSIDE.guest}/capsule-guest.mjs`

/**
 * What modules are run with in a machine: the same as in a process of this device, found by its probe.
 *
 * @param readScript - gives the text of the guest script
 * @throws CapsuleError `ERR_SANDBOX_UNAVAILABLE` where the probe found nothing to hold anything with
 */
export async function findModuleRuntime(
  sandbox: SandboxReport,
  readScript: () => Promise<string>
): Promise<ModuleRuntime> {
  const { layout } = sandbox
  if (layout === undefined) {
    throw new CapsuleError(
      'ERR_SANDBOX_UNAVAILABLE',
      'expected a sandbox to run a machine in, this device has none',
      { detail: mendingCommands(sandbox) }
    )
  }
  const { node, libraries } = layout
  const script = { target: SCRIPT, text: await readScript() }
  return {
    files: [
      { source: node, target: INSIDE.node },
      ...libraries.map((path) => ({ source: path, target: path }))
    ],
    script,
    program: (limits) => [
      INSIDE.node,
      ...nodeArguments({ source: SCRIPT, target: SCRIPT, entry: SCRIPT }, limits)
    ],
    environment: ALLOCATOR,
    memoryBytes: NODE_MEMORY_BYTES
  }
}
