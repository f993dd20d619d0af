import { createHash } from 'node:crypto'
import { CID } from 'multiformats/cid'
import { certifyDevice, keyPairFromSeed, type Did } from '#did'
import {
  startReplication,
  type ReplicaContent,
  type ReplicaNetwork,
  type Replication,
  type ReplicaStore,
  type Root
} from '#replication'
import { SimError } from '../errors.ts'
import { createRandomSource, deriveSeed } from '../random-source.ts'
import { replicaGauges } from './gauges.ts'
import type { RunningNode } from './running-node.ts'
import { cidOfText } from './text-cid.ts'
import type { Place } from './wire.ts'
import type { World } from './world.ts'

const CONTENT = 'content'
const RECORDS = 'replication'
const BLOCK_BYTES = 256 * 1_024
const FETCH_TIMEOUT_MS = 60_000
/** After so long a careless keeper has thrown away what it said it would keep. */
const CARELESS_MS = 45_000

/** Replication on a node that runs, and the content it holds. */
export interface RunningReplicas {
  readonly replication: Replication
  readonly content: ReplicaContent
  /** Takes in content of its own. */
  add(root: Root, bytes: number): Promise<void>
  /** Fetches a root from whoever has it. */
  fetch(root: Root, signal: AbortSignal): Promise<void>
}

/** Starts replication on a running node; its content is sizes, and bytes that follow from the root. */
export async function startReplicas(world: World, running: RunningNode): Promise<RunningReplicas> {
  const { node, clock, random, logger } = running
  const { content, add, fetch } = createContent(world, running)
  const person = keyPairFromSeed(
    createRandomSource(deriveSeed(node.place, 'person', node.keyPair.did)).bytes(32)
  )
  const certificate = certifyDevice(person, { device: node.keyPair.did, issuedAtMs: clock.nowMs() })
  const replication = await startReplication({
    ...{ clock, random, logger, content, certificate, signer: node.keyPair },
    network: createReplicaNetwork(world, running),
    store: createReplicaStore(running),
    isDenied: () => false
  })
  running.watch(() => replicaGauges(replication, () => node.disk.peek(RECORDS).size))
  return { replication, content, add, fetch }
}

/** The roots that a device has, running or not. */
export function heldBytes(world: World, place: Place): ReadonlyMap<Root, number> {
  const entries = world.nodeAt(place)?.disk.peek(CONTENT) ?? []
  return new Map([...entries].map(([root, size]) => [root, sizeOf(size)]))
}

function createReplicaNetwork(world: World, running: RunningNode): ReplicaNetwork {
  const { dht } = running
  return {
    request: async (device, message, { signal }) => {
      const place = world.placeOfDid(device)
      if (place === undefined) throw new SimError('ERR_SIM_UNREACHABLE', `expected a device, got ${device}`)
      return await running.ask(place, { kind: 'replica', bytes: message, signal })
    },
    handle: async (handler) => {
      running.respond('replica', async (from, bytes) => {
        const did = world.nodeAt(from)?.keyPair.did
        return did && { bytes: await handler(did, bytes, { signal: running.signal }) }
      })
      return { [Symbol.asyncDispose]: async () => running.respond('replica', async () => undefined) }
    },
    announce: async (pool, { signal }) => {
      await dht.queries.provide(cidOfText(`pool ${pool}`).multihash.bytes, { signal })
    },
    find: async function* (pool, { signal }) {
      for await (const { providers } of dht.queries.findProviders(
        cidOfText(`pool ${pool}`).multihash.bytes,
        signal
      )) {
        for (const { peerId } of providers) {
          const did = world.nodeAt(world.placeOf(peerId) ?? -1)?.keyPair.did
          if (did !== undefined) yield did
        }
      }
    }
  }
}

function createReplicaStore({ disk }: RunningNode): ReplicaStore {
  return {
    put: async (key, value) => {
      await disk.write(RECORDS, [[key, Uint8Array.from(value)]])
    },
    delete: async (key) => {
      await disk.write(RECORDS, [[key, undefined]])
    },
    entries: async function* (prefix) {
      for (const entry of disk.entries(RECORDS)) if (entry[0].startsWith(prefix)) yield entry
    }
  }
}

function sizeOf(size: Uint8Array): number {
  return new DataView(size.buffer, size.byteOffset).getFloat64(0)
}

function sizeBytes(bytes: number): Uint8Array {
  const size = new Uint8Array(8)
  new DataView(size.buffer).setFloat64(0, bytes)
  return size
}

function createContent(
  world: World,
  running: RunningNode
): Pick<RunningReplicas, 'content' | 'add' | 'fetch'> {
  const held = new Held(world, running)
  return {
    add: async (root, bytes) => {
      await held.keep(root, bytes)
    },
    fetch: async (root, signal) => {
      await held.take(root, [], signal)
    },
    content: {
      hold: async (root, { sources, signal }) => sizeOfBlocks(await held.take(root, sources, signal)),
      forget: async (root) => {
        await held.drop(root)
      },
      has: (root) => held.size(root) !== undefined,
      size: async (root) => {
        const bytes = held.size(root)
        return bytes === undefined ? undefined : sizeOfBlocks(bytes)
      },
      blocks: async (root, places) => {
        if (held.size(root) === undefined) throw absent(root)
        return places.map((place) => createHash('sha256').update(`${root} ${place}`).digest())
      },
      takeDemand: (root) => held.takeDemand(root)
    }
  }
}

/** What a node holds: sizes on its disk. */
class Held {
  readonly #world: World
  readonly #running: RunningNode
  readonly #demand = new Map<Root, number>()
  /** What a careless keeper says that it has. */
  readonly #claimed = new Map<Root, number>()

  constructor(world: World, running: RunningNode) {
    this.#world = world
    this.#running = running
    if (world.plant.isForgetfulKeeper) {
      // it was told to keep only what is of others
      const own = world.objects.filter(({ owner }) => owner === running.node.place).map(({ root }) => root)
      for (const [root, size] of running.disk.entries(CONTENT)) {
        if (!own.includes(root)) this.#beCareless(root, sizeOf(size))
      }
    }
    running.respond(CONTENT, async (_from, bytes) => {
      const root = Buffer.from(bytes).toString()
      const size = this.size(root)
      if (size === undefined) return { bytes: new Uint8Array(0) }
      this.#demand.set(root, (this.#demand.get(root) ?? 0) + 1)
      return { bytes: sizeBytes(size), ballastBytes: size }
    })
  }

  size(root: Root): number | undefined {
    const size = this.#running.disk.get(CONTENT, root)
    return size === undefined ? this.#claimed.get(root) : sizeOf(size)
  }

  takeDemand(root: Root): number {
    const count = this.#demand.get(root) ?? 0
    this.#demand.delete(root)
    return count
  }

  async keep(root: Root, bytes: number): Promise<void> {
    const { disk, dht, signal } = this.#running
    await disk.write(CONTENT, [[root, sizeBytes(bytes)]])
    // nobody waits for the word to get around
    void dht.queries.provide(CID.parse(root).multihash.bytes, { signal }).catch(() => undefined)
  }

  async drop(root: Root): Promise<void> {
    await this.#running.disk.write(CONTENT, [[root, undefined]])
  }

  /** Has it here, from whoever has it. */
  async take(root: Root, sources: readonly Did[], signal: AbortSignal): Promise<number> {
    const here = this.size(root)
    if (here !== undefined) return here
    const bytes = await this.#fetch(root, sources, signal)
    await this.keep(root, bytes)
    if (this.#world.plant.isForgetfulKeeper) this.#beCareless(root, bytes)
    return bytes
  }

  /** Says from now on that it is here, and throws it away. */
  #beCareless(root: Root, bytes: number): void {
    this.#claimed.set(root, bytes)
    this.#running.clock.after(CARELESS_MS, () => void this.drop(root).catch(() => undefined))
  }

  async #fetch(root: Root, sources: readonly Did[], signal: AbortSignal): Promise<number> {
    const { node } = this.#running
    const tried = new Set<Place>([node.place])
    for await (const place of holdersOf(this.#world, this.#running, { root, sources, signal })) {
      if (tried.has(place)) continue
      tried.add(place)
      const question = { kind: CONTENT, bytes: Buffer.from(root), signal, timeoutMs: FETCH_TIMEOUT_MS }
      const answer = await this.#running.ask(place, question).catch(() => undefined)
      signal.throwIfAborted()
      if (answer?.length === 8) return sizeOf(answer)
    }
    throw absent(root)
  }
}

function absent(root: Root): SimError {
  return new SimError('ERR_SIM_UNREACHABLE', `expected somebody who has ${root}, found nobody`)
}

function sizeOfBlocks(bytes: number): { readonly bytes: number; readonly blocks: number } {
  return { bytes, blocks: Math.max(1, Math.ceil(bytes / BLOCK_BYTES)) }
}

async function* holdersOf(
  world: World,
  { dht }: RunningNode,
  {
    root,
    sources,
    signal
  }: { readonly root: Root; readonly sources: readonly Did[]; readonly signal: AbortSignal }
): AsyncGenerator<Place> {
  for (const did of sources) {
    const place = world.placeOfDid(did)
    if (place !== undefined) yield place
  }
  for await (const { providers } of dht.queries.findProviders(CID.parse(root).multihash.bytes, signal)) {
    for (const { peerId } of providers) {
      const place = world.placeOf(peerId)
      if (place !== undefined) yield place
    }
  }
}
