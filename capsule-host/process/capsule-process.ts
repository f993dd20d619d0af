import { ARGUMENTS_MAX, MODULE_BYTES_MAX } from '../constants.ts'
import { CapsuleError } from '../errors.ts'
import { FRAME_PAYLOAD_BYTES_MAX } from '../guest/frames.ts'
import { mendingCommands } from '../sandbox/report.ts'
import { admitModule } from '../wasm/admission.ts'
import { CapsuleRun, type CapsuleProcess } from './capsule-run.ts'
import { startGuestProcess } from './guest-process.ts'
import type { CapsuleProcessComponents, CapsuleProcessInit } from './init.ts'

/**
 * Runs a capsule's module in a sandboxed process of its own, with nothing but its standard streams, a channel on
 * which every request is refused unless `init.channel` says otherwise, and the files of `init.files`.
 *
 * @throws CapsuleError `ERR_SANDBOX_UNAVAILABLE` when this machine cannot hold it, with the commands that mend that;
 * `ERR_CAPSULE_ARGUMENTS`; or why the module was not admitted
 */
export function startCapsuleProcess(
  components: CapsuleProcessComponents,
  init: CapsuleProcessInit
): CapsuleProcess {
  init.signal.throwIfAborted()
  const isSandboxed = components.sandbox.layout !== undefined
  if (!isSandboxed && init.isOwn !== true) {
    throw new CapsuleError(
      'ERR_SANDBOX_UNAVAILABLE',
      'expected a sandbox to run a capsule in, this machine has none',
      { detail: mendingCommands(components.sandbox) }
    )
  }
  const { args, module } = checkedModule(init)
  const guest = components.pool?.take(init.limits) ?? startGuestProcess(components, init.limits)
  return new CapsuleRun(components, init, guest).start(args, module)
}

/**
 * What a run is started with: its `argv`, and its module as it was admitted.
 *
 * @throws CapsuleError `ERR_CAPSULE_ARGUMENTS`, or why the module was not admitted
 */
export function checkedModule({
  name,
  args = [],
  module,
  limits
}: Pick<CapsuleProcessInit, 'name' | 'args' | 'module' | 'limits'>): {
  readonly args: readonly string[]
  readonly module: Uint8Array
} {
  const all = [name, ...args]
  checkArguments(all)
  return { args: all, module: admitModule(module, limits).bytes }
}

function checkArguments(args: readonly string[]): void {
  // JSON escapes a character into at most six, and all must fit one frame.
  const bytes = Buffer.byteLength(JSON.stringify({ args, moduleBytes: MODULE_BYTES_MAX }))
  if (args.length > ARGUMENTS_MAX || bytes > FRAME_PAYLOAD_BYTES_MAX) {
    throw new CapsuleError(
      'ERR_CAPSULE_ARGUMENTS',
      `expected at most ${ARGUMENTS_MAX} arguments of ${FRAME_PAYLOAD_BYTES_MAX} bytes, got ${args.length} of ${bytes}`
    )
  }
  if (args.some((argument) => argument.includes('\0'))) {
    throw new CapsuleError('ERR_CAPSULE_ARGUMENTS', 'expected arguments without zero characters')
  }
}
