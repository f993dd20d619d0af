import type { Logger } from '#contracts'
import type { ShellMode } from '#shell'
import type { CapsuleRuntime } from './capsule-runtime.ts'
import { loadShippedCapsule } from './shipped-capsules.ts'
import type { RunningShell } from './shell.ts'

/** Bytes of what the shell writes that one line of the node's log shows. */
const LOGGED_BYTES_MAX = 512

/** Starts the shell of this release. @throws CapsuleError why it cannot be started */
export async function startShellCapsule(
  { runtime, logger }: { readonly runtime: Pick<CapsuleRuntime, 'start'>; readonly logger: Logger },
  mode: ShellMode
): Promise<RunningShell> {
  const stop = new AbortController()
  const write = (bytes: Uint8Array): void => {
    logger.info('the shell wrote', { text: new TextDecoder().decode(bytes.subarray(0, LOGGED_BYTES_MAX)) })
  }
  const { process, session } = await runtime.start(await loadShippedCapsule('shell'), {
    args: [mode],
    stdin: noInput(),
    ...{ stdout: { write }, stderr: { write }, signal: stop.signal }
  })
  return {
    provider: session.provider,
    ended: process.finished,
    [Symbol.asyncDispose]: async () => {
      stop.abort()
      await process[Symbol.asyncDispose]()
    }
  }
}

async function* noInput(): AsyncGenerator<Uint8Array> {
  // Nobody is there to type.
}
