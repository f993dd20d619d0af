import { once } from 'node:events'
import { connect } from 'node:net'
import { controlSocketPath, systemClock } from '#contracts'
import { createControlClient } from '../../cli/client.ts'
import type { ControlClient } from '../../cli/context.ts'
import { readPathFacts } from '../../cli/powers.ts'

/** Connects to the node of a data folder as a command does, without a process of its own. */
export async function connectToNode(dataFolder: string): Promise<ControlClient> {
  const socket = connect(controlSocketPath(dataFolder, readPathFacts()))
  await once(socket, 'connect')
  // A broken connection ends what comes in, which fails every call.
  socket.on('error', () => undefined)
  return createControlClient(
    {
      write: async (text) => {
        await new Promise((resolve) => socket.write(text, resolve))
      },
      incoming: socket,
      close: () => socket.destroy()
    },
    systemClock
  )
}
