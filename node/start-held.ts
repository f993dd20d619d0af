import {
  startCapsuleProcess,
  startMachineCapsule,
  startMachineModule,
  type CapsuleProcess,
  type CapsuleProcessComponents,
  type CapsuleProcessInit,
  type ChannelFactory
} from '#capsule-host'
import type { CapsuleStreams } from './capsules.ts'
import type { CapsuleInMachine } from './machine-of.ts'

/** Runs a capsule in its machine, or in a process where it has none. */
export function startHeld(
  components: CapsuleProcessComponents,
  init: CapsuleProcessInit,
  held: CapsuleInMachine | undefined
): CapsuleProcess {
  if (held === undefined) return startCapsuleProcess(components, init)
  if (held.runs === 'module') return startMachineModule(components, init, held.machine)
  const { module: _module, files: _files, ...program } = init
  return startMachineCapsule(components, program, held.machine)
}

/** The same channel, whose messages are counted. */
export function countMessages(channel: ChannelFactory, onCalls: CapsuleStreams['onCalls']): ChannelFactory {
  if (onCalls === undefined) return channel
  return (port) => {
    const opened = channel(port)
    return {
      push: (bytes) => {
        const count = opened.push(bytes)
        onCalls(count)
        return count
      },
      close: () => opened.close()
    }
  }
}
