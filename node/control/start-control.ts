import type { Host } from '#dht'
import type { NodeBase } from '../base.ts'
import { listenForCommands } from '../powers.ts'
import { createHandlers, type HandlerParts } from './handlers.ts'
import { serveControlConnection } from './server.ts'

/** Errors that a node which reaches nobody cannot help; then the missing flag is the answer. */
const ALONE: ReadonlySet<string | undefined> = new Set([
  'ERR_CONTENT_NO_PROVIDERS',
  'ERR_CONTENT_NOT_FOUND',
  'ERR_DEADLINE',
  'ERR_DHT_NO_PEERS',
  'ERR_NAME_NOT_FOUND',
  'ERR_PROVIDER_UNREACHABLE'
])

function adviseAlone(code: string | undefined, host: Pick<Host, 'reachability'>): readonly string[] {
  if (!ALONE.has(code)) return []
  const { advice } = host.reachability()
  if (advice.length === 0) return []
  return [
    'this node reaches nobody; what could help:',
    ...advice.map(({ flag, reason }) => `  ${flag} (${reason})`)
  ]
}

/** Listens for commands on the control socket of the data folder until it is disposed. */
export async function startControl(base: NodeBase, parts: HandlerParts): Promise<AsyncDisposable> {
  const controller = new AbortController()
  const handlers = createHandlers(base, parts)
  const logger = base.logger.child('control')
  const connections = new Set<Promise<void>>()
  const listening = await listenForCommands(base.paths.root, async (connection) => {
    const served = serveControlConnection(connection, {
      ...{ handlers, logger, signal: controller.signal },
      advise: (code) => adviseAlone(code, parts.node.host)
    })
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
