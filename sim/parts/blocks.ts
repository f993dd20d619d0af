import { createHash } from 'node:crypto'
import { CID } from 'multiformats/cid'
import * as Digest from 'multiformats/hashes/digest'
import type { Random } from '#contracts'
import type { IndexBlocks } from '#dht'
import { SimError } from '../errors.ts'
import type { RunningNode } from './running-node.ts'
import type { World } from './world.ts'

const DAG_CBOR = 0x71
const SHA2_256 = 0x12
const PROVIDERS_MAX = 12

/** Small blocks of a node: kept and announced by who makes them, and by whoever fetched them. */
export interface StubBlocks extends IndexBlocks {
  /** Those here, by their CIDs. */
  readonly held: ReadonlyMap<string, Uint8Array>
}

/** The CID of a DAG-CBOR block. */
export function cidOfBlock(bytes: Uint8Array): CID {
  return CID.createV1(DAG_CBOR, Digest.create(SHA2_256, createHash('sha256').update(bytes).digest()))
}

const blocksOf = new WeakMap<RunningNode, StubBlocks>()

/** The blocks of a running node; made when they are asked for first. */
export function blocksAt(world: World, running: RunningNode): StubBlocks {
  const known = blocksOf.get(running)
  if (known !== undefined) return known
  const held = new Map<string, Uint8Array>()
  running.respond('block', async (_from, bytes) => {
    const block = held.get(CID.decode(bytes).toString())
    return block && { bytes: block }
  })
  const blocks: StubBlocks = {
    held,
    put: async (bytes, { signal }) => {
      const cid = cidOfBlock(bytes)
      held.set(cid.toString(), bytes)
      await running.dht.queries.provide(cid.multihash.bytes, { signal })
      return cid
    },
    get: async (cid, { signal }) => {
      const here = held.get(cid.toString())
      if (here !== undefined) return here
      const bytes = await fetchBlock(world, running, { cid, signal })
      held.set(cid.toString(), bytes)
      return bytes
    }
  }
  blocksOf.set(running, blocks)
  return blocks
}

/** Asks those who say that they have a block, until one of them has. */
async function fetchBlock(
  world: World,
  running: RunningNode,
  { cid, signal }: { readonly cid: CID; readonly signal: AbortSignal }
): Promise<Uint8Array> {
  const tried = new Set<string>([running.node.peer.peerId])
  for await (const { providers } of running.dht.queries.findProviders(cid.multihash.bytes, signal)) {
    for (const { peerId } of shuffled(providers, running.random)) {
      const place = world.placeOf(peerId)
      if (place === undefined || tried.has(peerId) || tried.size > PROVIDERS_MAX) continue
      tried.add(peerId)
      const bytes = await running
        .ask(place, { kind: 'block', bytes: cid.bytes, signal })
        .catch(() => undefined)
      if (bytes === undefined) continue
      if (!world.plant.verifiesCode || cidOfBlock(bytes).equals(cid)) return bytes
      world.history.count('forgeries refused')
    }
  }
  throw new SimError('ERR_SIM_UNREACHABLE', `expected somebody who has ${cid.toString()}, found nobody`)
}

/** Who is asked first is left to chance, so that no provider has all to do. */
function shuffled<T>(items: readonly T[], random: Random): T[] {
  return items
    .map((item) => ({ item, at: random.unit() }))
    .toSorted((a, b) => a.at - b.at)
    .map(({ item }) => item)
}
