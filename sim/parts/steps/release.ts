import { CID } from 'multiformats/cid'
import * as Digest from 'multiformats/hashes/digest'
import { createHash } from 'node:crypto'
import { signCapsule, verifyCapsule } from '#capsule-host'
import { createPublisherIndex, type PublisherIndex } from '#dht'
import type { Did } from '#did'
import { millisecondsOf } from '../../duration.ts'
import { blocksAt } from '../blocks.ts'
import { diskDatastore } from '../disk.ts'
import type { RunningNode } from '../running-node.ts'
import { within, type World } from '../world.ts'
import { oneAtATime, tolerate } from './people.ts'
import { startSybils, type StepOf } from './weather.ts'

const ENTRY = { kind: 'capsule', name: 'notes' } as const
const DAG_PB = 0x70
const OPERATION_MS = 60_000
/** How often somebody looks for a newer version. */
const LOOK_MS = 120_000

/** A publisher releases versions of a capsule, and the nodes of some find, verify and run them. */
export function release(world: World, step: StepOf<'release'>): void {
  const publisher = world.running('seed')[0]?.node
  if (publisher === undefined) return
  const { did } = publisher.keyPair
  let version = 0
  world.onStart((running) => {
    if (running.node !== publisher) return
    const publishing = oneAtATime(world, 'releases', async () => {
      version += 1
      await publishVersion(world, running, version)
    })
    publishing()
    running.clock.every(millisecondsOf(step.every), publishing)
  })
  world.onStart((running) => {
    if (running.node.role !== 'peer' || world.random.unit() >= step.share) return
    const index = indexAt(world, running)
    // each at a time of its own
    running.clock.after(world.random.unit() * LOOK_MS, () => {
      const updating = oneAtATime(world, 'updates', async () => await update(world, { running, index, did }))
      running.clock.every(LOOK_MS, updating)
    })
  })
}

/** Nodes that lie: whatever is released, they say that they have it, and hand out forgeries. */
export function sybils(world: World, step: StepOf<'sybils'>): void {
  world.mark(`${step.nodes} nodes lie`)
  for (const { running } of startSybils(world, step.nodes)) {
    if (running === undefined) continue
    const forged = signedVersion(running, 666)
    running.respond('block', async () => ({ bytes: forged }))
    world.onRelease((cid) => {
      const signal = within(running.clock, OPERATION_MS)
      tolerate(world, 'lies', running.dht.queries.provide(cid.multihash.bytes, { signal }))
    })
  }
}

function indexAt(world: World, running: RunningNode): PublisherIndex {
  const { disk, clock } = running
  const blocks = blocksAt(world, running)
  return createPublisherIndex({ names: running.names(), blocks, datastore: diskDatastore(disk), clock })
}

function signedVersion({ node }: RunningNode, version: number): Uint8Array {
  const digest = createHash('sha256').update(`package ${version} of ${node.place}`).digest()
  const root = CID.createV1(DAG_PB, Digest.create(0x12, digest))
  return signCapsule(node.keyPair, { root, name: ENTRY.name, version: `${version}.0.0` })
}

async function publishVersion(world: World, running: RunningNode, version: number): Promise<void> {
  const { node, clock } = running
  const signal = within(clock, OPERATION_MS)
  const bytes = signedVersion(running, version)
  world.history.released(verifyCapsule(bytes).root.toString())
  const head = await blocksAt(world, running).put(bytes, { signal })
  world.released(head)
  const firstPublish = !world.publishedBefore.has(node.keyPair.did)
  await indexAt(world, running).publish(node.keyPair, { ...ENTRY, head, firstPublish, signal })
  world.publishedBefore.add(node.keyPair.did)
}

/** Finds the newest version, verifies it, and runs it. */
async function update(
  world: World,
  {
    running,
    index,
    did
  }: { readonly running: RunningNode; readonly index: PublisherIndex; readonly did: Did }
): Promise<void> {
  const signal = within(running.clock, OPERATION_MS)
  const { head, sequence } = await index.lookup(did, { ...ENTRY, signal })
  const bytes = await blocksAt(world, running).get(head, { signal })
  const expected = world.plant.verifiesCode ? { publisher: did, name: ENTRY.name } : {}
  const { root } = verifyCapsule(bytes, expected)
  const { place } = running.node
  world.history.resolved(place, {
    name: `capsule of ${did}`,
    sequence: BigInt(sequence),
    value: head.toString()
  })
  world.history.ran(place, root.toString())
}
