import { capsuleLimits, CapsuleError } from '#capsule-host'
import type { Machine } from '#vmm'
import type { CapsuleStreams, VerifiedPackage } from './capsules.ts'
import type { Machines } from './machines.ts'

/**
 * Starts the machine of a capsule that runs in one; `undefined` for a capsule of another substrate.
 *
 * @throws CapsuleError `ERR_SUBSTRATE_UNSUPPORTED`; VmmError why there is no machine for it
 */
export async function machineOf(
  machines: Machines | undefined,
  { opened, isOwn }: VerifiedPackage,
  { args = [], signal, allowsEmulated = false, onNotice, terminal, trace }: CapsuleStreams
): Promise<Machine | undefined> {
  const { substrate, program = [] } = opened.manifest
  if (substrate !== 'microvm') return undefined
  if (machines === undefined) {
    throw new CapsuleError(
      'ERR_SUBSTRATE_UNSUPPORTED',
      'expected a capsule for wasm, this node has no microVMs'
    )
  }
  if (trace !== undefined) {
    throw new CapsuleError(
      'ERR_SUBSTRATE_UNSUPPORTED',
      'expected a capsule for wasm: only those are recorded'
    )
  }
  const { memoryBytesMax, cpuSecondsMax, wallMsMax } = capsuleLimits(opened.manifest)
  const machine = await machines.start({
    image: opened.entry,
    program: [...program, ...args],
    ...{ memoryBytesMax, cpuSecondsMax, wallMsMax, signal },
    mayBeEmulated: isOwn || allowsEmulated,
    onHeld: onNotice,
    terminal: terminal?.status()
  })
  // Keys go to the machine's own terminal, which echoes them and knows Ctrl-C.
  if (terminal !== undefined) void machine.started.then(() => terminal.setRaw(true)).catch(() => undefined)
  return machine
}
