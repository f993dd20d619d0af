import type { CID } from 'multiformats/cid'
import { systemClock } from '#contracts'
import type { ElastosNode } from '#node'
import { findViolations, type Fetched, type Heard, type History, type Published } from './checkers.ts'
import { CONTENT_BYTES_MAX, NODES_MAX, OPERATION_DEADLINE_MS, START_STAGGER_MS } from './constants.ts'
import { SimError } from './errors.ts'
import { createMemoryFiles } from './memory-files.ts'
import type { LinesInit } from './lines.ts'
import { createNetwork, type Network } from './network.ts'
import { createNodeLogs, type NodeLogs } from './node-log.ts'
import { virtualProcess } from './powers.ts'
import { createRandomSource, deriveSeed, type RandomSource } from './random-source.ts'
import { startSimulatedNode, type PowersPlant } from './simulated-node.ts'
import { createTrace, type Trace } from './trace.ts'
import { createTransportMaker } from './transport.ts'
import { createVirtualTime, type VirtualTime } from './virtual-time.ts'

/** What is simulated; without more, lines of 5 to 100 ms and 100 Mbit/s that lose nothing. */
export interface SimulateInit extends LinesInit {
  /** Decides everything that chance decides: the same seed gives the same trace. A whole number below 2^32. */
  readonly seed: number
  /** Full nodes; the first is the only one that the others know when they start. */
  readonly nodeCount: number
  /** Plants a fault, to show that the checkers find it. */
  readonly plant?: PowersPlant
  /** Told of each line of the trace. */
  readonly onTraceLine?: (line: string) => void
}

/** Which node does something, and how long it may take. */
export interface OperationInit {
  /** The index of the node. */
  readonly at: number
  /** Virtual time. */
  readonly deadlineMs?: number
}

/**
 * Whole nodes in virtual time. Nothing moves unless one of the methods that return a promise runs, and only one may at
 * a time. Disposing it stops every node.
 */
export interface Simulation extends AsyncDisposable, VirtualTime {
  readonly seed: number
  readonly nodes: readonly ElastosNode[]
  /** For what the scenario leaves to chance. */
  readonly random: RandomSource
  /** Takes bytes in at a node, chance picks one unless told: a UnixFS folder with one file. */
  publish(
    content: string | Uint8Array,
    options?: Partial<OperationInit> & { private?: boolean }
  ): Promise<CID>
  /**
   * What a node gets for a CID that was published, from whoever it finds.
   *
   * @throws ContentError as `Content.read` does; SimError `ERR_SIM_STUCK`
   */
  get(cid: CID, options: OperationInit): Promise<Uint8Array>
  /** Notes what a node heard in a room, for the checkers. */
  hear(heard: Heard): void
  /** What was published, fetched and heard so far. */
  readonly history: History
  /** Puts nodes, by index, into groups that cannot reach each other; nodes in no group reach everybody. */
  partition(...groups: readonly (readonly number[])[]): void
  /** Ends the partition. */
  heal(): void
  /**
   * Checks what must hold when nothing is under way.
   *
   * @throws SimError `ERR_SIM_INVARIANT`
   */
  check(): Promise<void>
  /** SHA-256 over everything that travelled, when and between whom. */
  traceHash(): string
  readonly trace: Trace
  readonly logs: NodeLogs
}

/** The name of the one file in what is published. */
const FILE = 'content'

/**
 * Starts nodes in virtual time and lets them join the network, one after the other.
 *
 * @throws SimError `ERR_SIM_NOT_PRELOADED` unless the process was started with the preload, `ERR_SIM_USED` when it
 * simulated before, `ERR_SIM_OPTION`, `ERR_SIM_STUCK`, `ERR_SIM_NATIVE`
 */
export async function simulate(init: SimulateInit): Promise<Simulation> {
  const { seed, nodeCount } = checked(init)
  const virtual = virtualProcess()
  if (!virtual.claim()) {
    throw new SimError(
      'ERR_SIM_USED',
      'expected a fresh process: one simulation each keeps its trace its own'
    )
  }
  virtual.random.reseed(deriveSeed(seed, 'process'))
  const time = createVirtualTime(virtual)
  const trace = createTrace(init.onTraceLine)
  const logs = createNodeLogs(() => time.nowMs())
  const network = createNetwork(systemClock, trace, init)
  const transports = createTransportMaker({ network, clock: systemClock, trace })
  await using stack = new AsyncDisposableStack()
  const running = stack.use(createRunning(time))
  for (let index = 0; index < nodeCount; index++) {
    const name = nameOf(index)
    const bootstrap = running.nodes[0]?.host.addresses().slice(0, 1) ?? []
    const parts = { transports, trace, files: createMemoryFiles(), logger: logs.loggerOf(name) }
    const starting = startSimulatedNode(
      { ...parts, plant: init.plant ?? ((_name, powers) => powers) },
      { name, bootstrap }
    )
    running.nodes.push(await time.complete(starting))
    await time.run({ durationMs: START_STAGGER_MS })
  }
  const stopping = stack.move()
  const random = createRandomSource(deriveSeed(seed, 'scenario'))
  return createSimulation({ seed, time, trace, logs, network, random, nodes: running.nodes, stopping })
}

function checked({ seed, nodeCount, packetLossRatio = 0, ...init }: SimulateInit): {
  seed: number
  nodeCount: number
} {
  const refuse = (what: string): never => {
    throw new SimError('ERR_SIM_OPTION', `expected ${what}`)
  }
  if (!Number.isInteger(seed) || seed < 0 || seed >= 2 ** 32) refuse(`a seed below 2^32, got ${seed}`)
  if (!Number.isInteger(nodeCount) || nodeCount < 1 || nodeCount > NODES_MAX.full) {
    refuse(`1 to ${NODES_MAX.full} nodes, got ${nodeCount}`)
  }
  if (!(packetLossRatio >= 0 && packetLossRatio < 1)) refuse(`a loss of 0 to 1, got ${packetLossRatio}`)
  const { min, max } = init.latencyMs ?? { min: 0, max: 0 }
  if (!(min >= 0 && min <= max)) refuse(`a latency from a smaller to a larger number, got ${min} to ${max}`)
  if (!((init.bandwidthBytesPerMs ?? 1) > 0)) refuse('a bandwidth above 0')
  return { seed, nodeCount }
}

function nameOf(index: number): string {
  return `node-${index}`
}

/** The nodes that run; stopping them takes virtual time, so that it has to be driven too. */
function createRunning(time: VirtualTime): AsyncDisposable & { readonly nodes: ElastosNode[] } {
  const nodes: ElastosNode[] = []
  return {
    nodes,
    [Symbol.asyncDispose]: async () => {
      const stopped = nodes.map(async (node) => await node[Symbol.asyncDispose]())
      await time.complete(Promise.all(stopped))
    }
  }
}

interface Parts {
  readonly seed: number
  readonly time: VirtualTime
  readonly trace: Trace
  readonly logs: NodeLogs
  readonly network: Network
  readonly random: RandomSource
  readonly nodes: readonly ElastosNode[]
  readonly stopping: AsyncDisposableStack
}

function createSimulation({ seed, time, trace, logs, network, random, nodes, stopping }: Parts): Simulation {
  const history = { published: [] as Published[], fetched: [] as Fetched[], heard: [] as Heard[] }
  return {
    ...time,
    ...{ seed, nodes, random, trace, logs, history },
    publish: async (content, { at, deadlineMs, private: isPrivate = false } = {}) => {
      const index = at ?? Math.floor(random.unit() * nodes.length)
      const bytes = typeof content === 'string' ? new TextEncoder().encode(content) : content
      const files = [{ path: FILE, content: bytes }]
      const adding = nodeAt(nodes, index).content.addFiles(files, { private: isPrivate })
      const { cid } = await time.complete(adding, deadlineMs)
      history.published.push({ cid, at: index, isPrivate, bytes })
      return cid
    },
    get: async (cid, { at, deadlineMs = OPERATION_DEADLINE_MS }) => {
      const stop = new AbortController()
      const expire = (): void => {
        stop.abort(new SimError('ERR_SIM_STUCK', `expected content within ${deadlineMs} virtual ms`))
      }
      using _deadline = systemClock.after(deadlineMs, expire)
      const options = { bytesMax: CONTENT_BYTES_MAX, signal: stop.signal }
      const bytes = await time.complete(
        nodeAt(nodes, at).content.read(cid, FILE, options),
        deadlineMs + 1_000
      )
      history.fetched.push({ cid, at, bytes })
      return bytes
    },
    hear: (heard) => void history.heard.push(heard),
    partition: (...groups) => network.partition(groups.map((group) => group.map(nameOf))),
    heal: () => network.heal(),
    check: async () => {
      const found = await time.complete(findViolations(history, nodes))
      if (trace.payloadCount() === 0) found.push('nothing travelled: nothing was simulated')
      if (found.length > 0) throw new SimError('ERR_SIM_INVARIANT', found.join('; '))
    },
    traceHash: () => trace.hash(),
    [Symbol.asyncDispose]: async () => await stopping.disposeAsync()
  }
}

function nodeAt(nodes: readonly ElastosNode[], index: number): ElastosNode {
  const node = nodes[index]
  if (node !== undefined) return node
  throw new SimError('ERR_SIM_OPTION', `expected one of ${nodes.length} nodes, got ${index}`)
}
