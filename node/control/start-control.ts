import type { NodeBase } from '../base.ts'
import { listenForCommands } from '../powers.ts'
import { createHandlers, type HandlerParts } from './handlers.ts'
import { serveControlConnection } from './server.ts'

/** Listens for commands on the control socket of the data folder until it is disposed. */
export async function startControl(base: NodeBase, parts: HandlerParts): Promise<AsyncDisposable> {
  const controller = new AbortController()
  const handlers = createHandlers(base, parts)
  const logger = base.logger.child('control')
  const connections = new Set<Promise<void>>()
  const listening = await listenForCommands(base.paths.root, async (connection) => {
    const served = serveControlConnection(connection, { handlers, logger, signal: controller.signal })
    connections.add(served)
    await served.finally(() => connections.delete(served))
  })
  return {
    [Symbol.asyncDispose]: async () => {
      controller.abort()
      await Promise.all(connections)
      await listening[Symbol.asyncDispose]()
    }
  }
}
