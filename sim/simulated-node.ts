import { systemClock, systemRandom, type Logger } from '#contracts'
import { startNode, type ElastosNode, type NodePowers } from '#node'
import { MemoryStore } from './memory-store.ts'
import type { TransportMaker } from './transport.ts'
import type { Trace } from './trace.ts'

/** Changes what a node stands on, to plant a fault in it. */
export type PowersPlant = (name: string, powers: NodePowers) => NodePowers

/** What a simulated node is made of. */
export interface SimulatedNodeComponents {
  readonly transports: TransportMaker
  readonly files: NodePowers['privateFiles']
  readonly logger: Logger
  readonly trace: Pick<Trace, 'add'>
  readonly plant: PowersPlant
}

/** Which node it is. */
export interface SimulatedNodeInit {
  readonly name: string
  /** Multiaddrs of the only peers it knows. */
  readonly bootstrap: readonly string[]
}

/** Starts a full node on simulated ground: everything but the network, the disk, time and chance is what people run. */
export async function startSimulatedNode(
  { transports, files, logger, trace, plant }: SimulatedNodeComponents,
  { name, bootstrap }: SimulatedNodeInit
): Promise<ElastosNode> {
  const powers: NodePowers = {
    // the process itself is virtual: see powers.ts
    clock: systemClock,
    random: systemRandom,
    logger,
    privateFiles: files,
    datastore: new MemoryStore(),
    blocksInMemory: true,
    transports: [transports.createTransport(name)],
    resolveTxt: async () =>
      await Promise.reject(Object.assign(new Error('no such domain'), { code: 'ENOTFOUND' })),
    isControlled: false
  }
  const node = await startNode({
    // Their keys are derived on other threads, which no virtual clock waits for.
    privateRooms: false,
    dataFolder: `/simulated/${name}`,
    reach: 'local',
    listen: [`/memory/${name}`],
    mdns: false,
    ...(bootstrap.length === 0 ? {} : { bootstrap }),
    powers: plant(name, powers)
  })
  traceStreams(node, name, trace)
  return node
}

/** Notes every stream that a node opens, and for which protocol: what the encrypted bytes are about. */
function traceStreams({ host }: ElastosNode, name: string, trace: Pick<Trace, 'add'>): void {
  host.libp2p.addEventListener('connection:open', ({ detail: connection }) => {
    const open = connection.newStream.bind(connection)
    connection.newStream = async (protocols, options) => {
      const stream = await open(protocols, options)
      const to = connection.remotePeer.toString()
      trace.add({ atMs: systemClock.monotonicMs(), from: name, to, kind: `stream ${stream.protocol}` })
      return stream
    }
  })
}
